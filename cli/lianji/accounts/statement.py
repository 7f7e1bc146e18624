"""A month of an account as its holder is billed for it: what was taken and what came, of an instalment sale the payment that is due, and what is
to be paid until when.

A month is the banks' (UTC+8). An instalment sale has left the credit line at once; it is billed by its terms: the first payment and its fee in
its own month, then one a month. What is voided or reversed is billed no more, and what of it had been billed is given back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

import msgspec

from contracts.kinds import Kind
from contracts.terms import InstalmentTerms
from lianji.accounts.history import REVERSAL, Line, is_plan
from lianji.zone import SHANGHAI

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)
FEE = "fee"


class Billed(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a statement."""

    month: int
    at_ms: int
    """Of the transaction; of a later payment still that of its sale."""
    what: str
    id: str
    amount_minor: int
    payment: int = 0
    """Of an instalment sale: which one, from 1 on."""
    payments: int = 0
    """Of how many; also where what had been billed of them is given back."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How a bank bills; world.model.Institution says what the fields mean."""

    due_days: int = 0
    least_permille: int = 1000


NO_BILLS = Terms()


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A month."""

    month: str
    before_minor: int
    """What was owed when it began; below zero: what the holder had."""
    lines: list[Billed]
    owed_minor: int
    """When it ended."""
    to_come_minor: int
    """Payments and fees of instalment sales that later months bring."""
    due: str = ""
    """The day, like 2026-12-20, until which `least_minor` is to be paid; empty when nothing is."""
    least_minor: int = 0
    """What must be paid by then: the month's instalments and fees, and of what is owed beside them the bank's part, rounded up."""


def month_of(at_ms: int) -> int:
    """The banks' month as a number.

    >>> month_of(1767196800000) - month_of(1767196799999)
    1
    """
    day = datetime.fromtimestamp(at_ms / 1000, SHANGHAI)
    return day.year * 12 + day.month - 1


def month_named(text: str) -> int:
    """
    >>> month_named("2026-01") - month_named("2025-12")
    1

    Raises ValueError when it is no month.
    """
    found = _MONTH.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no month; write it like 2026-11")
    return int(found[1]) * 12 + int(found[2]) - 1


def statement(lines: Iterable[Line], month: int, *, owed_minor: int = 0, terms: Terms = NO_BILLS) -> Statement:
    """The month's; `owed_minor`: when the account was opened."""
    billed = sorted(_billed(list(lines)), key=lambda one: (one.month, one.at_ms))
    before_minor = owed_minor + sum(one.amount_minor for one in billed if one.month < month)
    mine = [one for one in billed if one.month == month]
    ends_minor = before_minor + sum(one.amount_minor for one in mine)
    instalments_minor = max(0, sum(one.amount_minor for one in mine if one.payments))
    due = _due(month, terms.due_days) if terms.due_days and ends_minor > 0 else ""
    return Statement(
        month=f"{month // 12:04d}-{month % 12 + 1:02d}",
        before_minor=before_minor,
        lines=mine,
        owed_minor=ends_minor,
        to_come_minor=sum(one.amount_minor for one in billed if one.month > month and one.payment),
        due=due,
        least_minor=_least(ends_minor, instalments_minor, terms.least_permille) if due else 0,
    )


def _due(month: int, days: int) -> str:
    """
    >>> _due(month_named("2026-11"), 20), _due(month_named("2026-12"), 20)
    ('2026-12-20', '2027-01-20')
    """
    end = date((month + 1) // 12, (month + 1) % 12 + 1, 1) - timedelta(days=1)
    return (end + timedelta(days=days)).isoformat()


def _least(owed_minor: int, whole_minor: int, permille: int) -> int:
    """What must be paid of `owed_minor`, `whole_minor` of which is due whole.

    >>> _least(1_000_01, 200_00, 100), _least(150_00, 200_00, 100)
    (28001, 15000)
    """
    whole = min(owed_minor, whole_minor)
    return whole - (whole - owed_minor) * permille // 1000


def payments(amount_minor: int, terms: InstalmentTerms) -> Iterator[tuple[int, int]]:
    """Payment and fee of each month, in minor units.

    >>> made = InstalmentTerms(first_minor=34, currency="156", fee_minor=5, first_fee_minor=3, period_fee_minor=1, periods=3)
    >>> list(payments(100, made))
    [(34, 3), (33, 1), (33, 1)]
    """
    yield terms.first_minor, terms.first_fee_minor
    for _ in range(terms.periods - 1):
        yield (amount_minor - terms.first_minor) // (terms.periods - 1), terms.period_fee_minor


def _billed(lines: list[Line]) -> Iterator[Billed]:
    plans = {line.id: line for line in lines if is_plan(line)}
    voids = {line.id for line in lines if line.what == Kind.INSTALMENT_VOID.value and line.original in plans}
    ends = _ends(lines, plans, voids)
    for line in lines:
        if is_plan(line) and line.instalment is not None:
            yield from _plan(line, line.instalment, ends.get(line.id))
        elif line.amount_minor and line.id not in plans and line.id not in voids:
            yield Billed(
                month=month_of(line.at_ms), at_ms=line.at_ms, what=line.what, id=line.id, amount_minor=line.amount_minor
            )


def _plan(line: Line, terms: InstalmentTerms, end: Line | None) -> Iterator[Billed]:
    first, given_back = month_of(line.at_ms), 0
    last = month_of(end.at_ms) if end is not None else None
    for number, parts in enumerate(payments(line.amount_minor, terms), 1):
        month = first + number - 1
        if last is not None and month > last:
            break
        for what, minor in zip((line.what, FEE), parts, strict=True):
            if minor:
                given_back += minor
                yield Billed(
                    month=month,
                    at_ms=line.at_ms,
                    what=what,
                    id=line.id,
                    amount_minor=minor,
                    payment=number,
                    payments=terms.periods,
                )
    if end is not None:
        yield Billed(
            month=month_of(end.at_ms),
            at_ms=end.at_ms,
            what=end.what,
            id=end.id,
            amount_minor=-given_back,
            payments=terms.periods,
        )


def _ends(lines: list[Line], plans: dict[str, Line], voids: set[str]) -> dict[str, Line]:
    """Plan → the void or the reversal that stands against it."""
    ends: dict[str, Line] = {}
    for line in lines:
        if line.what == REVERSAL and line.id in voids:  # it is as if nobody had voided it
            ends = {plan: end for plan, end in ends.items() if end.id != line.id}
        elif line.what == REVERSAL and line.id in plans:
            ends[line.id] = line
        elif line.id in voids:
            ends[line.original] = line
    return ends
