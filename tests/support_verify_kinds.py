"""A small world with a transaction of every kind, as all its sides tell it: sound until a test bends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from contracts.authorization import Totals
from contracts.journal import BatchClosed, Intent, Outcome, Recalled, Record, Reversed, Reversing
from contracts.kinds import KINDS, Kind
from contracts.ledger import HoldExpired, LedgerRecord, Posting, Refusal, ReversalPosting
from contracts.money import CNY
from contracts.pan import MaskedCard
from contracts.states import State
from contracts.terms import InstalmentPlan, InstalmentTerms
from lianji.verify import Finding
from tests.support_verify import BANK, BATCH, MERCHANT, OPEN_BATCH, OTHER_BANK, TERMINAL, Sides

ACCOUNT, OTHER_ACCOUNT, GIVEN = "huaxing-000001", "huaxing-000002", "nanhai-000001"
TERM_ENDS_MS = 100_000
HOLD_ENDED_MS = TERM_ENDS_MS + 1


class One(NamedTuple):
    """A transaction of the sound world."""

    stan: str
    kind: Kind
    minor: int
    original: str = ""
    """By trace number."""
    batch: str = BATCH
    part: int = 0
    """Of `minor`: what was approved."""
    target: str = ""
    """Of a transfer: the bank that is given."""
    undone: bool = False
    """Reversed by its terminal."""

    @property
    def id(self) -> str:
        return f"{TERMINAL}:{self.batch}:{self.stan}"

    @property
    def worth(self) -> int:
        return self.part or self.minor


SALE, VOID = One("000001", Kind.SALE, 1000), One("000002", Kind.VOID, 1000, "000001")
REFUNDED = One("000003", Kind.SALE, 3000)
REFUND = One("000021", Kind.REFUND, 1000, "000003", OPEN_BATCH)
LAST_REFUND = One("000022", Kind.REFUND, 2000, "000003", OPEN_BATCH)
USED, COMPLETION = One("000004", Kind.PRE_AUTH, 5000), One("000005", Kind.COMPLETION, 5750, "000004")
COMPLETION_VOID = One("000006", Kind.COMPLETION_VOID, 5750, "000005")
FREED, FREEING = One("000007", Kind.PRE_AUTH, 2000), One("000008", Kind.PRE_AUTH_VOID, 2000, "000007")
EXPIRED = One("000009", Kind.PRE_AUTH, 700)
NOTED = One("000010", Kind.PRE_AUTH, 800)
NOTE = One("000023", Kind.COMPLETION_ADVICE, 900, "000010", OPEN_BATCH)
SPREAD, SPREAD_VOID = One("000011", Kind.INSTALMENT, 1200), One("000012", Kind.INSTALMENT_VOID, 1200, "000011")
BALANCE, CARD_CHECK = One("000013", Kind.BALANCE, 0), One("000014", Kind.CARD_CHECK, 0)
TRANSFER = One("000015", Kind.TRANSFER, 400, target=OTHER_BANK)
WITHIN = One("000016", Kind.TRANSFER, 500, target=BANK)
TAKEN_BACK = One("000017", Kind.TRANSFER, 600, target=OTHER_BANK, undone=True)
OFFLINE = One("000018", Kind.OFFLINE_SALE, 2_000_000_00)
"""Of more than the account had."""
PART = One("000019", Kind.SALE, 1000, part=600)
HELD = One("000024", Kind.PRE_AUTH, 300, batch=OPEN_BATCH)
LET_GO = One("000025", Kind.PRE_AUTH, 250, batch=OPEN_BATCH, undone=True)
HELD_AGAIN = One("000026", Kind.PRE_AUTH, 450, batch=OPEN_BATCH)
UNCOMPLETED = One("000027", Kind.COMPLETION, 440, "000026", OPEN_BATCH, undone=True)
STOOD = One("000028", Kind.SALE, 150, batch=OPEN_BATCH)
UNVOIDED = One("000029", Kind.VOID, 150, "000028", OPEN_BATCH, undone=True)
LONELY = One("000030", Kind.TRANSFER, 350, batch=OPEN_BATCH, target=OTHER_BANK)
"""Whose second half was refused: the first one is given back."""

CLOSED = [
    *(SALE, VOID, REFUNDED, USED, COMPLETION, COMPLETION_VOID, FREED, FREEING, EXPIRED, NOTED, SPREAD, SPREAD_VOID),
    *(BALANCE, CARD_CHECK, TRANSFER, WITHIN, TAKEN_BACK, OFFLINE, PART),
]
STILL_OPEN = [REFUND, LAST_REFUND, NOTE, HELD, LET_GO, HELD_AGAIN, UNCOMPLETED, STOOD, UNVOIDED]
ALL = {one.stan: one for one in (*CLOSED, *STILL_OPEN, LONELY)}


def rrn(one: One) -> str:
    return f"00000000{one.stan[-4:]}"


def card(last4: str) -> MaskedCard:
    return MaskedCard(first6="629101", last4=last4, length=16, digest="0" * 32)


def begun(one: One, **more: Any) -> Intent:
    original = ALL.get(one.original)
    intent = Intent(
        id=one.id,
        rrn=rrn(one),
        kind=one.kind,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=one.batch,
        stan=one.stan,
        operator="001",
        amount_minor=one.minor,
        currency=CNY,
        institution=BANK,
        entry_mode="021",
        card=card("0012"),
        fingerprint="f",
        original=original.id if original else "",
        original_rrn=rrn(original) if original else "",
        target=card("0020") if one.target else None,
        target_institution=one.target,
        instalment=InstalmentPlan(periods=12) if one.kind is Kind.INSTALMENT else None,
        at_ms=1,
    )
    return msgspec.structs.replace(intent, **more)


def said(one: One, code: str = "") -> Outcome:
    code = code or ("10" if one.part else "00")
    approved = code in ("00", "10")
    spread = one.kind is Kind.INSTALMENT
    return Outcome(
        id=one.id,
        state=State.APPROVED if approved else State.DECLINED,
        response_code=code,
        part_minor=one.part,
        instalment=InstalmentTerms(first_minor=100, currency=CNY, fee_minor=86, periods=12) if spread else None,
        at_ms=2,
    )


def undoing(one: One, response_code: str = "", *, after_close: bool = False) -> Reversing:
    origin = "host" if response_code else "terminal"
    return Reversing(
        id=one.id, reason="98", origin=origin, response_code=response_code, after_close=after_close, at_ms=3
    )


def told(one: One) -> Iterator[Reversed]:
    for bank in dict.fromkeys((BANK, one.target or BANK)):
        yield Reversed(id=one.id, institution=bank, at_ms=4)


def recalled(one: One, taken_minor: int, **more: Any) -> Recalled:
    record = Recalled(
        id=one.id,
        rrn=rrn(one),
        kind=one.kind,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=one.batch,
        stan=one.stan,
        amount_minor=one.worth,
        currency=CNY,
        institution=BANK,
        authorization_code="",
        state=State.SETTLED if KINDS[one.kind].settles else State.APPROVED,
        decided_ms=2,
        taken_minor=taken_minor,
        asked_minor=one.minor,
        at_ms=6,
    )
    return msgspec.structs.replace(record, **more)


def totals(ones: Iterable[One] = CLOSED) -> Totals:
    debits = [one.worth for one in ones if KINDS[one.kind].debit]
    credits = [one.worth for one in ones if KINDS[one.kind].credit]
    return Totals(
        debit_minor=sum(debits), debit_count=len(debits), credit_minor=sum(credits), credit_count=len(credits)
    )


CLOSE = BatchClosed(
    terminal=TERMINAL,
    merchant=MERCHANT,
    batch=BATCH,
    next_batch=OPEN_BATCH,
    operator="001",
    stan="000090",
    rrn="000000000090",
    currency=CNY,
    totals=totals(),
    at_ms=5,
)


def journal() -> list[Record]:
    return [
        *(record for one in CLOSED for record in _of(one)),
        CLOSE,
        *(recalled(REFUNDED, 0), *_of(REFUND), recalled(REFUNDED, REFUND.minor), *_of(LAST_REFUND)),
        *(recalled(NOTED, 0), *_of(NOTE)),
        *(record for one in STILL_OPEN[3:] for record in _of(one)),
        *(begun(LONELY), undoing(LONELY, "14"), *told(LONELY)),
    ]


def _of(one: One) -> Iterator[Record]:
    yield begun(one)
    yield said(one)
    if one.undone:
        yield undoing(one)
        yield from told(one)


def posted(one: One, **more: Any) -> Posting:
    facts, original = KINDS[one.kind], ALL.get(one.original)
    ends = original is not None and original.kind is Kind.PRE_AUTH
    holds = one.kind is Kind.PRE_AUTH
    posting = Posting(
        id=one.id,
        account=ACCOUNT,
        amount_minor=one.worth * facts.charge,
        currency=CNY,
        authorization_code="",
        held_minor=one.minor if holds else 0,
        expires_ms=TERM_ENDS_MS if holds else 0,
        releases=original.id if original and ends else "",
        released_minor=original.minor if original and ends else 0,
        forced=facts.advice,
        part_of_minor=one.minor if one.part else 0,
        at_ms=2,
    )
    return msgspec.structs.replace(posting, **more)


def given(one: One) -> Posting:
    """The second half of a transfer."""
    account = GIVEN if one.target == OTHER_BANK else OTHER_ACCOUNT
    return posted(one, account=account, amount_minor=-one.minor, incoming=True)


def undone(one: One, **more: Any) -> ReversalPosting:
    back = posted(one)
    record = ReversalPosting(
        id=one.id,
        account=ACCOUNT,
        amount_minor=back.amount_minor,
        currency=CNY,
        reason="98",
        held_minor=back.held_minor,
        restores=back.releases,
        restored_minor=back.released_minor,
        at_ms=4,
    )
    return msgspec.structs.replace(record, **more)


def taken_again(one: One) -> ReversalPosting:
    """Of the second half of a transfer."""
    return undone(one, account=given(one).account, amount_minor=-one.minor, incoming=True)


ENDED = HoldExpired(id=EXPIRED.id, account=ACCOUNT, held_minor=EXPIRED.minor, at_ms=HOLD_ENDED_MS)


def ledger() -> list[tuple[str, LedgerRecord]]:
    made: list[tuple[str, LedgerRecord]] = []
    for one in (*CLOSED, *STILL_OPEN):
        if one is OFFLINE:
            continue
        made.append((BANK, posted(one)))
        if one.target:
            made.append((one.target, given(one)))
        if one.undone:
            made.append((BANK, undone(one)))
            made += [(one.target, taken_again(one))] if one.target else []
    made += [
        *((BANK, posted(LONELY)), (OTHER_BANK, Refusal(id=LONELY.id, response_code="14", incoming=True, at_ms=2))),
        *((BANK, undone(LONELY)), (OTHER_BANK, undone(LONELY, account="", amount_minor=0, incoming=True))),
        *((BANK, posted(OFFLINE)), (BANK, ENDED)),  # nothing can be had of the account from there
    ]
    return made


def sides(directory: Path) -> Sides:
    return Sides(directory, journal=journal(), ledger=ledger(), memory=[], sound=journal)


def told_of(findings: dict[str, Finding]) -> dict[str, list[str]]:
    """What is broken, in short."""
    return {
        name: [f"{one.subject}: {one.what}" for one in finding.violations]
        for name, finding in findings.items()
        if not finding.held
    }
