"""receipts and settlement as processes on a real broker: they follow, survive kill -9 and stop at poison."""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from contracts import subjects
from contracts.authorization import Totals
from contracts.codec import decoder, encode, encode_stored
from contracts.identity import format_rrn, transaction_id
from contracts.journal import BatchClosed, Intent, Outcome, Record
from contracts.kinds import Kind
from contracts.pan import MaskedCard
from contracts.questions import (
    BatchQuestion,
    DaySummary,
    DaySummaryQuestion,
    ProjectionStatus,
    Refused,
    SettlementSlip,
    Slip,
    SlipQuestion,
)
from contracts.states import State
from lianji.broker import LocalBroker
from lianji.declaration import declaration_for
from runtime.bus import Bus, BusError
from runtime.jetstream import JetStreamLog
from runtime.log import GroupLog, Position
from runtime.provision import provision
from runtime.settings import FOLLOWS
from world import built_in

pytestmark = [pytest.mark.broker, pytest.mark.processes]

TERMINAL, MERCHANT, SHARD = "10000001", "482290058130001", 1
NOON_MS = 1_769_832_000_000  # 2026-01-31 12:00 in UTC+8
PATIENCE_S = 120.0
T = TypeVar("T")

_status = decoder(ProjectionStatus)


def sale(number: int) -> list[Record]:
    id = transaction_id(TERMINAL, "000001", f"{number:06d}")
    intent = Intent(
        at_ms=NOON_MS,
        id=id,
        rrn=format_rrn(SHARD, number),
        kind=Kind.SALE,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch="000001",
        stan=f"{number:06d}",
        operator="01",
        amount_minor=1234,
        currency="156",
        institution="huaxing",
        entry_mode="021",
        card=MaskedCard(first6="629101", last4="0018", length=16, digest="0" * 32),
        fingerprint="f",
    )
    return [intent, Outcome(at_ms=NOON_MS, id=id, state=State.APPROVED, response_code="00")]


def close(count: int, *, batch: str = "000001") -> BatchClosed:
    return BatchClosed(
        at_ms=NOON_MS,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=batch,
        next_batch="000002",
        operator="01",
        stan="000099",
        rrn=format_rrn(SHARD, 99),
        currency="156",
        totals=Totals(debit_minor=1234 * count, debit_count=count),
    )


class Stack:
    """A broker, a journal to write, and the two services."""

    def __init__(self, url: str, bus: Bus, directory: Path) -> None:
        self._bus = bus
        self._directory = directory
        self._environment = os.environ | {"LIANJI_NATS_URL": url, "LIANJI_DATA_DIR": str(directory)}
        self._log = (directory / "services.log").open("ab")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        store = JetStreamLog(bus, subjects.journal_stream(SHARD), subjects.journal(SHARD))
        ticks = itertools.count()
        self._journal = GroupLog(store, 1, Position(), now_ns=lambda: next(ticks))

    async def write(self, *records: Record) -> int:
        return (await self._journal.append([encode_stored(r) for r in records])).sequence

    def start(self, service: str) -> None:
        command = [sys.executable, "-m", service]
        self._processes[service] = subprocess.Popen(command, env=self._environment, stderr=self._log)

    def nice(self, service: str) -> int:
        return os.getpriority(os.PRIO_PROCESS, self._processes[service].pid)

    def kill(self, service: str) -> None:
        process = self._processes.pop(service)
        process.kill()
        process.wait()

    def stop(self) -> None:
        for service in tuple(self._processes):
            self.kill(service)
        self._log.close()

    async def ask(self, subject: str, question: object) -> bytes:
        return await self._bus.request(subject, encode(question), timeout_s=5)

    async def until(self, subject: str, holds: Callable[[ProjectionStatus], bool]) -> ProjectionStatus:
        """Asks for the status until `holds`; fails after PATIENCE_S."""
        return await eventually(lambda: self._held(subject, holds))

    async def _held(self, subject: str, holds: Callable[[ProjectionStatus], bool]) -> ProjectionStatus | None:
        try:
            status = _status.decode(await self.ask(subject, None))
        except BusError:
            return None  # starting
        return status if holds(status) else None

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What anybody may read while the service writes, as `lianji verify` does."""
        with sqlite3.connect(f"file:{self._directory / 'settlement.db'}?mode=ro", uri=True) as connection:
            return connection.execute(query).fetchall()


async def eventually(attempt: Callable[[], Awaitable[T | None]]) -> T:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        result = await attempt()
        if result is not None:
            return result
        await asyncio.sleep(0.05)  # between two looks at the condition
    raise AssertionError(f"it did not come about within {PATIENCE_S:g} s")


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of its own: the journals that the services follow have one name each, and other tests write there too."""
    broker = LocalBroker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker.url
    broker.stop()


@pytest.fixture
async def stack(own_broker: str, tmp_path: Path) -> AsyncIterator[Stack]:
    bus = await Bus.connect(own_broker, "test", wait_s=10)
    await provision(bus, declaration_for(built_in())._replace(max_bytes=1 << 26))
    stack = Stack(own_broker, bus, tmp_path)
    yield stack
    stack.stop()
    await bus.close()


async def test_from_the_journal_to_slip_and_ledger_through_kills_and_poison(stack: Stack) -> None:
    for service in ("receipts", "settlement"):
        stack.start(service)
    shard = str(SHARD)
    last = await stack.write(*sale(1), *sale(2))
    for subject in (subjects.RECEIPTS_STATUS, subjects.SETTLEMENT_STATUS):
        await stack.until(subject, lambda s: s.checkpoints.get(shard) == last)
    stepped_back = min(os.getpriority(os.PRIO_PROCESS, 0) + FOLLOWS, 19)
    assert [stack.nice(service) for service in ("receipts", "settlement")] == [stepped_back, stepped_back]

    # Dead while the journal goes on; what is there is taken up behind the checkpoint.
    for service in ("receipts", "settlement"):
        stack.kill(service)
    last = await stack.write(*sale(3), close(3))
    for service in ("receipts", "settlement"):
        stack.start(service)
    for subject in (subjects.RECEIPTS_STATUS, subjects.SETTLEMENT_STATUS):
        await stack.until(subject, lambda s: s.checkpoints.get(shard) == last)

    slip = decoder(Slip | Refused).decode(
        await stack.ask(subjects.RECEIPTS_SLIP, SlipQuestion(rrn=format_rrn(SHARD, 3)))
    )
    assert isinstance(slip, Slip)
    assert "RMB 12.34" in slip.text
    summary = decoder(DaySummary | Refused).decode(
        await stack.ask(subjects.SETTLEMENT_DAY_SUMMARY, DaySummaryQuestion(merchant=MERCHANT, day="2026-01-31"))
    )
    assert isinstance(summary, DaySummary)
    assert (summary.captured_minor, summary.payable_minor) == (0, 3 * 1234)
    batch = decoder(SettlementSlip | Refused).decode(
        await stack.ask(subjects.SETTLEMENT_BATCH, BatchQuestion(terminal=TERMINAL))
    )
    assert isinstance(batch, SettlementSlip)
    assert "内卡对账平" in batch.text

    # A close that the ledger does not agree with: settlement stops there and says why, receipts goes on.
    poison = await stack.write(close(7, batch="000002"))
    stopped = await stack.until(subjects.SETTLEMENT_STATUS, lambda s: s.stopped != "")
    assert "batch 000002 of terminal 10000001" in stopped.stopped
    assert stopped.checkpoints[shard] == poison - 1
    await stack.until(subjects.RECEIPTS_STATUS, lambda s: s.checkpoints.get(shard) == poison)

    assert stack.rows("SELECT entry FROM postings GROUP BY entry, currency HAVING SUM(amount_minor) <> 0") == []
    kinds = stack.rows("SELECT entry_kind, COUNT(*) FROM entries GROUP BY entry_kind ORDER BY entry_kind")
    assert kinds == [("capture", 3), ("settlement", 3)]
