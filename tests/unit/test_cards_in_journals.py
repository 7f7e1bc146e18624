"""Cards are found and read in the journals, whichever version of the data key wrote them; what is damaged is said, and no number is shown."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.authorization import Totals
from contracts.codec import encode_stored
from contracts.identity import format_rrn
from contracts.journal import BatchClosed, EpochStarted, Intent, Record, Reversed, Reversing
from contracts.pan import MaskedCard, Pan, luhn_check_digit
from contracts.states import State
from key_store import KeyRing
from lianji.cards.history import CardHistory, digests, history
from lianji.cards.journals import every_record
from lianji.cards.sealed import FAULTS_KEPT, Fault, SealedReport, VersionUse, read_sealed
from lianji.records import SAID_EVERY
from runtime.log import LogDamaged
from runtime.memory_log import MemoryLog
from terminal_gw.card_store import CardStore
from tests.support_data_key import MODULE, accepting, first_ring, rotated
from tests.support_journal import BATCH, MERCHANT, TERMINAL, id_of, intent, log_of, outcome

PANS = [Pan(p + luhn_check_digit(p)) for p in ("629101000000001", "628202000000002", "62910100000000333")]
MINE, OTHER, LONG = PANS
EPOCH = EpochStarted(epoch=1, owner="auth-a", at_ms=0)
RINGS = [first_ring()]
for _ in range(3):
    RINGS.append(rotated(RINGS[-1]))
RING = RINGS[-1]
"""Four versions, of which each ring of RINGS has one more."""
OLD_CARD = MaskedCard(first6="629101", last4="0012", length=16, digest="0" * 32)


def card(number: int, pan: Pan = MINE, *, version: int = 1) -> MaskedCard:
    """The card as a gateway stores it while `version` is current."""
    return CardStore(MODULE, RINGS[version - 1]).stored(pan, id_of(number))


def sale(number: int, pan: Pan = MINE, *, version: int = 1, shard: int = 0, at_ms: int = 0) -> Intent:
    return intent(number, card(number, pan, version=version), shard=shard, at_ms=at_ms)


def silent(_: str) -> None:
    return


async def find(*stores: MemoryLog, pan: Pan = MINE, ring: KeyRing = RING) -> CardHistory:
    return await history(stores, digests(MODULE, ring.usable(), pan), silent)


async def read(*stores: MemoryLog, ring: KeyRing = RING) -> SealedReport:
    return await read_sealed(stores, MODULE, ring, silent)


# ------------------------------------------------------------------ the transactions of a card


async def test_a_card_s_transactions_are_found_under_every_version_and_in_every_journal() -> None:
    first = log_of(
        [EPOCH],
        [sale(1), sale(2, OTHER), outcome(1), outcome(2)],
        [sale(3, version=2, at_ms=50)],
        [outcome(3, "51")],
    )
    second = log_of([EPOCH], [sale(4, version=4, shard=1, at_ms=20)], [sale(5, LONG, version=4, shard=1)])
    found = await find(first, second)
    assert [(row.rrn, row.key_version, row.state, row.response_code) for row in found.transactions] == [
        (format_rrn(0, 1), 1, State.APPROVED, "00"),
        (format_rrn(1, 4), 4, State.INTENT, ""),
        (format_rrn(0, 3), 2, State.DECLINED, "51"),
    ]
    assert {row.card for row in found.transactions} == {str(MINE)}
    assert (found.transactions[0].merchant, found.transactions[0].amount_minor) == (MERCHANT, 100)
    assert found.unsearched == {}
    assert MINE.clear() not in repr(found)


async def test_the_state_is_the_journal_s_last_word() -> None:
    closed = BatchClosed(
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=BATCH,
        next_batch="000002",
        operator="001",
        stan="000009",
        rrn=format_rrn(0, 9),
        currency="156",
        totals=Totals(),
        at_ms=9,
    )
    log = log_of(
        [sale(n) for n in (1, 2, 3, 4)],
        [outcome(1), outcome(2), outcome(3, "55"), outcome(4)],
        [Reversing(id=id_of(2), reason="98", origin="terminal", at_ms=4)],
        [Reversed(id=id_of(2), institution="huaxing", at_ms=5), closed],
        [Reversing(id=id_of(1), reason="98", origin="terminal", at_ms=10, after_close=True)],
    )
    states = {row.rrn: row.state for row in (await find(log)).transactions}
    assert states == {
        format_rrn(0, 1): State.REVERSING,
        format_rrn(0, 2): State.REVERSED,
        format_rrn(0, 3): State.DECLINED,
        format_rrn(0, 4): State.SETTLED,
    }


async def test_a_digest_counts_under_its_own_version_only() -> None:
    assert (await find(log_of([intent(1, replace(card(1), key_version=2))]))).transactions == []


async def test_what_cannot_be_searched_is_counted() -> None:
    log = log_of([sale(1), sale(2, version=2), intent(3, OLD_CARD), sale(4, version=3)])
    found = await find(log, ring=RINGS[1].retire(1, at_ms=0))
    assert [row.key_version for row in found.transactions] == [2]
    assert found.unsearched == {0: 1, 1: 1, 3: 1}


async def test_a_card_that_was_never_seen() -> None:
    assert (await find(log_of([sale(1)]), MemoryLog(), pan=LONG)).transactions == []


# ------------------------------------------------------------------ every sealed number


async def test_every_number_is_opened_and_counted_by_version() -> None:
    log = log_of([EPOCH, sale(1), sale(2, LONG)], [sale(3, version=4), outcome(1), sale(4, OTHER, version=2)])
    report = await read(log, MemoryLog())
    assert report.versions == {
        1: VersionUse(records=2, opened=2),
        2: VersionUse(records=1, opened=1),
        4: VersionUse(records=1, opened=1),
    }
    assert (report.records, report.opened, report.unsealed, report.faults) == (4, 4, 0, 0)
    assert report.spare(RING) == [3]


async def test_versions_that_are_needed_current_or_to_come_are_not_spare() -> None:
    report = await read(log_of([sale(1)]))
    assert report.spare(accepting(RINGS[0])) == []
    assert report.spare(accepting(RINGS[1])) == []
    assert SealedReport().spare(accepting(RINGS[1])) == [1]


async def test_records_older_than_sealing_are_counted_apart() -> None:
    report = await read(log_of([intent(1, OLD_CARD), sale(2)]))
    assert (report.unsealed, report.records, report.faults) == (1, 1, 0)


def flipped(card: MaskedCard) -> MaskedCard:
    return replace(card, sealed=card.sealed[:-1] + bytes([card.sealed[-1] ^ 1]))


FAULTS: dict[str, tuple[Callable[[MaskedCard], MaskedCard], str]] = {
    "a changed byte": (flipped, "does not open"),
    "cut": (lambda c: replace(c, sealed=c.sealed[:20]), "does not open"),
    "another version": (lambda c: replace(c, key_version=2), "does not open"),
    "another transaction's": (lambda c: replace(c, sealed=card(77).sealed), "does not open"),
    "an unknown version": (lambda c: replace(c, key_version=9), "no such version"),
    "another digest": (lambda c: replace(c, digest="0" * 32), "digest"),
    "another number under its name": (lambda c: replace(card(1, OTHER), first6=c.first6), "first 6"),
    "another last 4": (lambda c: replace(c, last4="9999"), "last 4"),
    "another length": (lambda c: replace(c, length=17), "length"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_what_is_not_as_it_was_written_is_said(name: str) -> None:
    change, reason = FAULTS[name]
    report = await read(log_of([intent(1, change(card(1))), sale(2)]))
    assert (report.records, report.opened, report.faults) == (2, 1, 1)
    (fault,) = report.first_faults
    assert fault.rrn == format_rrn(0, 1)
    assert reason in fault.reason
    assert not re.search(r"[0-9]{7}", fault.reason)


async def test_a_retired_version_s_numbers_are_lost() -> None:
    report = await read(log_of([sale(1)]), ring=RINGS[1].retire(1, at_ms=0))
    assert report.first_faults == [Fault(rrn=format_rrn(0, 1), version=1, reason=report.first_faults[0].reason)]
    assert "retired" in report.first_faults[0].reason


async def test_many_faults_are_counted_and_some_kept() -> None:
    records: list[Record] = [intent(n, replace(card(n), digest="0" * 32)) for n in range(1, FAULTS_KEPT + 6)]
    report = await read(log_of(records))
    assert (report.faults, len(report.first_faults)) == (FAULTS_KEPT + 5, FAULTS_KEPT)


@given(st.lists(st.tuples(st.sampled_from(PANS), st.integers(1, 4)), max_size=12))
async def test_any_journal_of_any_rotations_is_read_whole(written: list[tuple[Pan, int]]) -> None:
    log = log_of(*([sale(n, pan, version=version)] for n, (pan, version) in enumerate(written, 1)))
    report = await read(log)
    assert (report.opened, report.faults) == (len(written), 0)
    for pan in PANS:
        found = await find(log, pan=pan)
        assert [row.amount_minor // 100 for row in found.transactions] == [
            n for n, (mine, _) in enumerate(written, 1) if mine == pan
        ]
    assert not any(pan.clear().encode() in group for pan in PANS for group in log.groups)


# ------------------------------------------------------------------ reading


async def test_progress_is_said_at_the_end_of_each_journal_and_on_the_way() -> None:
    said: list[str] = []
    long = log_of(*([EPOCH] for _ in range(SAID_EVERY + 2)))
    seen = [record async for record in every_record([long, log_of([EPOCH])], said.append)]
    assert len(seen) == SAID_EVERY + 3
    assert said == [
        "journal.v1.0: 5,000 of 5,002 groups",
        "journal.v1.0: 5,002 of 5,002 groups",
        "journal.v1.0: 1 of 1 groups",
    ]


async def test_a_damaged_journal_is_not_read_past() -> None:
    log = log_of([EPOCH], [sale(1)], [sale(2)])
    log.groups[1] = log.groups[1].replace(b"sale", b"salt")
    with pytest.raises(LogDamaged, match="sequence 2"):
        await read(log)
    broken = log_of([EPOCH], [sale(1)], [sale(2)])
    del broken.groups[1]
    with pytest.raises(LogDamaged, match="sequence 2"):
        await read(broken)


async def test_a_record_of_a_journal_older_than_sealing_is_a_record_still() -> None:
    now = msgspec.json.decode(encode_stored(sale(1)))
    for name in ("key_version", "sealed"):
        del now["card"][name]
    old = msgspec.json.decode(msgspec.json.encode(now), type=Intent)
    assert (old.card.key_version, old.card.sealed) == (0, b"")
    assert (await find(log_of([old]))).unsearched == {0: 1}
