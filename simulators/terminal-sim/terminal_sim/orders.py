"""What an operator orders at a terminal: a kind of transaction, a card, an amount, and what the kind asks for beside."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import msgspec

from contracts.authorization import Original
from contracts.kinds import CLAIMS, KINDS, Kind
from contracts.money import CNY, MAX_AMOUNT_MINOR
from contracts.pan import Pan
from contracts.terms import InstalmentPlan
from terminal_sim.cards import Card
from terminal_sim.kinds import FORMS
from terminal_sim.record import TerminalRecord, Transaction

SHANGHAI = timezone(timedelta(hours=8))
"""Asia/Shanghai: UTC+8 without summer time since 1992, so no zone database is needed."""
VOIDS = {original: kind for kind, claim in CLAIMS.items() if claim.whole for original in claim.originals}
"""By what is to be undone: the kind that undoes it."""
_FIELDS = ("amount", "original", "plan", "target")
_WANTED = {
    kind: (form.amount, kind in CLAIMS, kind is Kind.INSTALMENT, kind is Kind.TRANSFER) for kind, form in FORMS.items()
}
"""Which of them an order of each kind has."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction as it is keyed in. Amounts in minor units; 0 where the kind has none."""

    kind: Kind
    card: Card
    amount_minor: int = 0
    pin: str = ""
    """Empty when none was keyed."""
    original: Original | None = None
    """For the kinds of contracts.kinds.CLAIMS."""
    plan: InstalmentPlan | None = None
    """For an instalment sale."""
    target: Pan | None = None
    """For a transfer: the card that it goes to."""
    takes_part: bool = False
    """For a sale: less than the amount is taken, too (10)."""
    currency: str = CNY

    def __repr__(self) -> str:  # the default would print the PIN
        return f"Order({self.kind}, {self.card!r}, {self.amount_minor})"


class NotThere(msgspec.Struct, frozen=True, kw_only=True):
    """The terminal's own memory does not have what an order is about; the text names the field."""

    reason: str


def wrong(order: Order) -> str:
    """What an order lacks, or has too much, by name; empty when it can be sent."""
    kind, form = order.kind, FORMS[order.kind]
    if form.amount and not 0 < order.amount_minor <= MAX_AMOUNT_MINOR:
        return "amount: must be more than 0 and fit 12 digits"
    given = order.amount_minor != 0, order.original is not None, order.plan is not None, order.target is not None
    if given != _WANTED[kind]:
        differ = (n for n, (had, wanted) in enumerate(zip(given, _WANTED[kind], strict=True)) if had != wanted)
        field = next(differ)
        return f"{_FIELDS[field]}: {article(kind)} {'needs one' if _WANTED[kind][field] else 'has none'}"
    if order.pin and KINDS[kind].notice:
        return f"pin: {article(kind)} carries none, for it may have to wait"
    return "" if order.original is None else _named_too_little(kind, order.original)


def _named_too_little(kind: Kind, original: Original) -> str:
    form = FORMS[kind]
    if form.rrn and not original.rrn:
        return f"rrn: {article(kind)} names the original's"
    if form.authorization and not original.authorization_code:
        return f"authorization: {article(kind)} names the original's"
    return ""


def article(kind: Kind) -> str:
    """`a sale`, `an instalment`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def named(record: TerminalRecord, voucher: str, kinds: frozenset[Kind] | None = None) -> Transaction | NotThere:
    """A transaction of this terminal by its voucher number (STAN), alone or as BATCH/STAN; without a batch the newest one of that number.

    `kinds`: those that may be meant; left out, any.
    """
    batch, slash, stan = voucher.rpartition("/")
    if not stan.isdecimal() or (slash and not batch.isdecimal()):
        return NotThere(
            reason=f"voucher: {voucher!r} is not a number of six digits, alone or behind its batch like 000001/000012"
        )
    stan, batch = f"{stan:0>6}", f"{batch:0>6}" if slash else ""
    found = record.transaction(batch or record.batch, stan)
    if found is None and not slash:  # of an earlier batch: a pre-authorization, or what is to be refunded
        found = next((t for t in reversed(record.transactions.values()) if t.stan == stan), None)
    where = f"{batch or record.batch or '(none)'}/{stan}"
    if found is None:
        return NotThere(reason=f"voucher: this terminal knows no {where}")
    if kinds is not None and found.kind not in kinds:
        return NotThere(reason=f"voucher: {where} is {article(found.kind)}, not a {' or a '.join(sorted(kinds))}")
    if not found.counts:
        why = "was reversed" if found.reversed else f"was not approved ({found.response_code or 'no answer'})"
        return NotThere(reason=f"voucher: {where} {why}")
    return found


def reference(transaction: Transaction) -> Original:
    """How the terminal names it in fields 37, 38 and 61."""
    return Original(
        batch=transaction.batch,
        stan=transaction.stan,
        date=transaction.date or _month_and_day(transaction.at_ms),
        rrn=transaction.rrn,
        authorization_code=transaction.authorization_code,
    )


def void(record: TerminalRecord, voucher: str, card: Card, pin: str = "") -> Order | NotThere:
    """The order that undoes a transaction of this terminal: which kind of void that is follows from what is undone."""
    found = named(record, voucher, frozenset(VOIDS))
    if isinstance(found, NotThere):
        return found
    if found.refunded_minor:
        return NotThere(reason=f"voucher: {found.batch}/{found.stan} has been refunded, in part or all")
    return _about(found, VOIDS[found.kind], card, found.worth_minor, pin)


def claim(
    record: TerminalRecord, kind: Kind, original: str | Original, card: Card, amount_minor: int, *, pin: str = ""
) -> Order | NotThere:
    """A refund or a completion: of a transaction of this terminal by its voucher, or of any by what its slip says."""
    if isinstance(original, Original):
        return Order(kind=kind, card=card, amount_minor=amount_minor, pin=pin, original=original)
    found = named(record, original, CLAIMS[kind].originals)
    return found if isinstance(found, NotThere) else _about(found, kind, card, amount_minor, pin)


def _about(found: Transaction, kind: Kind, card: Card, amount_minor: int, pin: str) -> Order | NotThere:
    where = f"{found.batch}/{found.stan}"
    if found.claimed_by is not None:
        return NotThere(reason=f"voucher: {article(found.claimed_by)} of {where} stands already")
    if str(card.pan) != found.card:
        return NotThere(reason=f"card: {where} was made with {found.card}")
    original = reference(found)
    return Order(kind=kind, card=card, amount_minor=amount_minor, pin=pin, original=original, currency=found.currency)


def _month_and_day(at_ms: int) -> str:
    """MMDD, of a transaction whose answer had no field 13.

    >>> _month_and_day(1_700_000_000_000)
    '1115'
    """
    return datetime.fromtimestamp(at_ms / 1000, SHANGHAI).strftime("%m%d")
