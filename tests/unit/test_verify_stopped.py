"""I7 of the stop list: versions that count its changes, and nobody approved whose card is on it."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.journal import EpochStarted, Intent, Outcome, Record, StopLifted, StopListed
from contracts.kinds import Kind
from contracts.pan import MaskedCard
from contracts.states import State
from lianji.verify.facts import Facts
from lianji.verify.journals import Journals, Place
from lianji.verify.stopped import Stopped

A, B = "a" * 32, "b" * 32


def card(digest: str) -> MaskedCard:
    return MaskedCard(first6="629101", last4="0012", length=16, digest=digest)


def listed(version: int = 2, digest: str = A, *, entry: int = 1, **more: Any) -> StopListed:
    return StopListed(
        institution="bank", entry=entry, revision=1, reason="43", version=version, card=card(digest), at_ms=1, **more
    )


def lifted(version: int, *, entry: int = 1) -> StopLifted:
    return StopLifted(institution="bank", entry=entry, revision=2, version=version, at_ms=1)


def sold(
    digest: str = A, *, version: int = 0, approved: bool = True, kind: Kind = Kind.SALE, n: int = 1
) -> list[Record]:
    id_ = f"10000001:000001:{n:06d}"
    intent = Intent(
        id=id_,
        rrn=f"{n:012d}",
        kind=kind,
        terminal="10000001",
        merchant="M1",
        batch="000001",
        stan=f"{n:06d}",
        operator="01",
        amount_minor=100,
        currency="156",
        institution="bank",
        entry_mode="021",
        card=card(digest),
        fingerprint="",
        stop_list=version,
        at_ms=1,
    )
    state = State.APPROVED if approved else State.DECLINED
    return [intent, Outcome(id=id_, state=state, response_code="00" if approved else "43", at_ms=2)]


SOUND: dict[str, list[Record]] = {
    "nothing was ever stopped": sold(),
    "sold before it was reported": [*sold(), listed()],
    "asked of the bank while it was reported": [sold()[0], listed(), sold()[1]],
    "refused": [listed(), *sold(version=2, approved=False)],
    "another card": [listed(), *sold(B, version=2)],
    "found again": [listed(), lifted(3), *sold(version=3)],
    "an entry that has another card now": [listed(), listed(3, B), *sold(version=3)],
    "recorded again by a restore": [listed(), EpochStarted(epoch=2, owner="lianji-restore", at_ms=1), *sold()],
}
WRONG: dict[str, list[Record]] = {
    "approved": [listed(), *sold(version=2)],
    "approved under a former data key": [listed(2, B, other_digests=(A,)), *sold(version=2)],
    "approved though another entry was lifted": [listed(), listed(3, entry=2), lifted(4), *sold(version=4)],
    "checked against a version that was over": [listed(), *sold(B)],
    "checked against a version to come": [*sold(version=2), listed()],
    "a version that counts nothing": [listed(3)],
    "a version twice": [listed(), listed(2, B, entry=2)],
    "a version back": [listed(), lifted(1)],
}


def illegal(records: list[Record]) -> int:
    journals = Journals(Facts())
    for sequence, record in enumerate(records, 1):
        journals.read(record, Place("0", sequence, 0))
    return journals.illegal.broken


@pytest.mark.parametrize("case", SOUND)
def test_what_is_sound_is_called_sound(case: str) -> None:
    assert illegal(SOUND[case]) == 0


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_found(case: str) -> None:
    assert illegal(WRONG[case]) == 1


def test_each_shard_has_a_list_of_its_own() -> None:
    journals = Journals(Facts())
    journals.read(listed(), Place("0", 1, 0))
    journals.read(listed(), Place("1", 1, 0))
    for record in sold(B, version=2):
        journals.read(record, Place("1", 2, 0))
    assert journals.illegal.broken == 0


def test_a_notice_of_what_a_hold_has_covered_asks_nobody() -> None:
    wrong: list[tuple[str, str]] = []
    stopped = Stopped(lambda *what: wrong.append(what))
    for record in (listed(), *sold(version=2, kind=Kind.COMPLETION_ADVICE), *sold(version=2, n=2)):
        stopped.read(record, "0", restored=False)
    assert [subject for subject, _ in wrong] == ["10000001:000001:000002"]
