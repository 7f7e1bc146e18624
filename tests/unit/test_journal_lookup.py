"""A transaction is found by its reference number, wherever it stands in the journal."""

from __future__ import annotations

import random

import pytest

from contracts.authorization import Totals
from contracts.identity import format_rrn
from contracts.journal import BatchClosed, EpochStarted, Outcome, Record, Reversing, SignedOn, Tombstone
from contracts.kinds import Kind
from contracts.states import State
from lianji.errors import CliError
from lianji.journal import find, history
from runtime.memory_log import MemoryLog
from tests.support_journal import log_of


def signed_on(number: int) -> SignedOn:
    return SignedOn(
        terminal="10000001",
        merchant="m",
        batch="000001",
        operator="001",
        stan="1",
        rrn=format_rrn(0, number),
        at_ms=number,
    )


def tombstone(number: int, *, terminal: str = "10000001") -> Tombstone:
    return Tombstone(
        id=f"{terminal}:000001:{number:06d}",
        rrn=format_rrn(0, number),
        kind=Kind.SALE,
        terminal=terminal,
        merchant="m",
        batch="000001",
        stan=f"{number:06d}",
        amount_minor=1,
        currency="156",
        reason="98",
        institutions=("huaxing",),
        at_ms=number,
    )


def closed(terminal: str, number: int) -> BatchClosed:
    return BatchClosed(
        terminal=terminal,
        merchant="m",
        batch="000001",
        next_batch="000002",
        operator="001",
        stan="000009",
        rrn=format_rrn(0, number),
        currency="156",
        totals=Totals(),
        at_ms=number,
    )


EPOCH = EpochStarted(epoch=1, owner="auth-a", at_ms=0)


@pytest.mark.parametrize("seed", range(20))
async def test_every_number_is_found_where_it_stands(seed: int) -> None:
    """Groups of any size, with and without numbers; numbers have holes, for a repetition takes none."""
    random_ = random.Random(seed)  # noqa: S311 - seeded on purpose
    groups: list[list[Record]] = [[EPOCH]]
    places: dict[str, tuple[int, int]] = {}
    number = 0
    for sequence in range(2, 60):
        records: list[Record] = []
        for _ in range(random_.choice((0, 0, 1, 2, 5))):
            number += random_.choice((1, 1, 3))
            places[format_rrn(0, number)] = (sequence, len(records))
            records.append(signed_on(number))
            if random_.random() < 0.5:
                records.append(Reversing(id="t", reason="98", origin="host", at_ms=1))
        groups.append(records)
    store = log_of(*groups)
    for wanted in range(number + 5):
        found = await find(store, format_rrn(0, wanted))
        assert (found and (found.sequence, found.position)) == places.get(format_rrn(0, wanted))


async def test_an_empty_journal_holds_nothing() -> None:
    assert await find(MemoryLog(), format_rrn(0, 1)) is None


async def test_the_history_is_the_transaction_s_own() -> None:
    mine, other = tombstone(2), tombstone(3, terminal="10000002")
    outcome = Outcome(id=other.id, state=State.DECLINED, response_code="05", at_ms=5)
    reversing = Reversing(id=mine.id, reason="98", origin="terminal", at_ms=6)
    store = log_of(
        [EPOCH],
        [signed_on(1), mine, other],
        [],
        [outcome, reversing],
        [closed("10000002", 4), closed("10000001", 5)],
    )
    entries = [(e.sequence, e.position, type(e.record).__name__) async for e in history(store, mine.rrn)]
    assert entries == [(2, 1, "Tombstone"), (4, 1, "Reversing"), (5, 1, "BatchClosed")]


async def test_an_unknown_number_is_one_clear_line() -> None:
    with pytest.raises(CliError, match=r"^rrn: 000000000042 is not in journal.v1.0$"):
        _ = [entry async for entry in history(log_of([EPOCH], [signed_on(1)]), format_rrn(0, 42))]
