"""The NATS edge: questions to the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from contracts.codec import encode
from contracts.money import CNY
from contracts.questions import BatchQuestion, DaySummary, DaySummaryQuestion, ProjectionStatus, Refused, SettlementSlip
from contracts.reading import UnreadableError, reader
from runtime.bus import Request
from settlement.domain.days import day_bounds_ms
from settlement.domain.slip import settlement_slip
from settlement.queries import LedgerReader
from world import World

_day_question = reader(DaySummaryQuestion)
_batch_question = reader(BatchQuestion)


class Handlers:
    """Answers in bytes. What cannot be answered comes back as Refused; the ledger is read in a worker thread."""

    def __init__(self, reader: LedgerReader, world: World, stopped: Callable[[], str]) -> None:
        self._reader = reader
        self._world = world
        self._stopped = stopped

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

    async def status(self, _: Request) -> bytes:
        checkpoints = await asyncio.to_thread(self._reader.checkpoints)
        return encode(ProjectionStatus(checkpoints=checkpoints, stopped=self._stopped()))
