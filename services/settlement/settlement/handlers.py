"""The NATS edge: questions to the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from contracts.codec import encode
from contracts.money import CNY
from contracts.questions import (
    BatchQuestion,
    BreaksQuestion,
    DaySummary,
    DaySummaryQuestion,
    FoundTransaction,
    NoTransaction,
    ProjectionStatus,
    Refused,
    SettlementSlip,
    TransactionQuestion,
)
from contracts.reading import UnreadableError, reader
from runtime.bus import Request
from settlement.domain.days import day_bounds_ms
from settlement.domain.slip import settlement_slip
from settlement.queries import LedgerReader
from world import World

_day_question = reader(DaySummaryQuestion)
_batch_question = reader(BatchQuestion)
_breaks_question = reader(BreaksQuestion)
_transaction_question = reader(TransactionQuestion)

REACH_S = 5.0
"""How long a question for a transaction waits for the ledger to have read as far as its asker has written."""


class Progress(Protocol):
    """How far the ledger is with one shard's journal (runtime.projection.Follower)."""

    @property
    def stopped(self) -> str:
        """Why it reads no further; empty when it does."""

    async def reached(self, sequence: int, within_s: float) -> bool: ...


class Handlers:
    """Answers in bytes. What cannot be answered comes back as Refused; the ledger is read in a worker thread.

    `progress` holds every shard, by its number.
    """

    def __init__(self, reader: LedgerReader, world: World, progress: Mapping[int, Progress]) -> None:
        self._reader = reader
        self._world = world
        self._progress = progress

    async def day_summary(self, request: Request) -> bytes:
        try:
            question = _day_question(request.body)
        except UnreadableError as error:
            return encode(Refused(reason=str(error)))
        return encode(await asyncio.to_thread(self._day_summary, question))

    def _day_summary(self, question: DaySummaryQuestion) -> DaySummary | Refused:
        merchant = self._world.merchant(question.merchant)
        if merchant is None:
            return Refused(reason="merchant: no such merchant; take the 15 digits of field 42")
        bounds_ms = day_bounds_ms(question.day)
        if bounds_ms is None:
            return Refused(reason="day: not a date; write it like 2026-01-31")
        return self._reader.day(merchant.mid, merchant.name, question.day, bounds_ms, CNY)

    async def batch(self, request: Request) -> bytes:
        try:
            question = _batch_question(request.body)
        except UnreadableError as error:
            return encode(Refused(reason=str(error)))
        return encode(await asyncio.to_thread(self._batch, question))

    def _batch(self, question: BatchQuestion) -> SettlementSlip | Refused:
        batch = self._reader.batch(question.terminal, question.batch)
        if batch is None:
            what = (
                "no such batch at this terminal" if question.batch else "no batch of this terminal has been closed yet"
            )
            return Refused(reason=f"batch: {what}")
        if not batch.result:
            return Refused(
                reason="batch: it is open and its close has not been asked for; settle at the terminal first"
            )
        merchant = self._world.merchant(batch.merchant)
        name = merchant.name if merchant is not None else batch.merchant
        text = settlement_slip(batch, name, reprint=question.reprint)
        return SettlementSlip(terminal=batch.terminal, batch=batch.batch, text=text)

    async def breaks(self, request: Request) -> bytes:
        try:
            question = _breaks_question(request.body)
        except UnreadableError as error:
            return encode(Refused(reason=str(error)))
        return encode(await asyncio.to_thread(self._reader.breaks, question))

    async def transaction(self, request: Request) -> bytes:
        try:
            question = _transaction_question(request.body)
        except UnreadableError as error:
            return encode(Refused(reason=str(error)))
        return encode(await self._transaction(question))

    async def _transaction(self, question: TransactionQuestion) -> FoundTransaction | NoTransaction | Refused:
        progress = self._progress.get(question.shard)
        if progress is None:
            return Refused(reason=f"shard: there is none of that number; take 0 to {len(self._progress) - 1}")
        await progress.reached(question.sequence, REACH_S)  # whether it was is read with the answer, in one transaction
        found, checkpoint = await asyncio.to_thread(self._reader.transaction, question)
        if checkpoint >= question.sequence:
            return found
        why = progress.stopped or "ask again"
        return Refused(reason=f"sequence: the ledger has read shard {question.shard} up to {checkpoint} only; {why}")

    async def status(self, _: Request) -> bytes:
        checkpoints = await asyncio.to_thread(self._reader.checkpoints)
        stopped = "; ".join(p.stopped for p in self._progress.values() if p.stopped)
        return encode(ProjectionStatus(checkpoints=checkpoints, stopped=stopped))
