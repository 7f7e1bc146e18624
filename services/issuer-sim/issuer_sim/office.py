"""A bank's office: its subjects are served while this process owns its ledger."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from contracts import subjects
from issuer_sim.domain.accounts import State
from issuer_sim.handlers import Bank, Handlers
from issuer_sim.telling import Telling
from runtime import logs
from runtime.bus import Bus, Request, Serving
from runtime.clock import now_ms
from runtime.log import LogError
from runtime.ownership import Term
from runtime.tracing import Tracer
from runtime.transactions import Transactions

CONCURRENCY = 256
"""Requests of one kind in hand at once; what comes above waits in the connection's buffer, within its deadline."""
SWEEP_S = 60.0
"""How often the bank goes through its holds: what is due of accounts that nobody asks for."""

log = logs.get("office")


class BankOffice:
    """Opened when a term of office begins, closed when it ends (runtime.ownership.Office)."""

    def __init__(
        self, bank: Bank, bus: Bus, tracer: Tracer, transactions: Transactions, *, takes_reports: bool = False
    ) -> None:
        """`takes_reports`: anybody may say that a card was stolen; only where the bank is a test world's."""
        self._takes_reports = takes_reports
        self._telling: Telling | None = None
        self._telling_task: asyncio.Task[None] | None = None
        self._bank = bank
        self._bus = bus
        self._tracer = tracer
        self._transactions = transactions
        self._handlers: Handlers | None = None
        self._servings: list[Serving] = []
        self._sweeping: asyncio.Task[None] | None = None

    async def open(self, term: Term[State]) -> None:
        handlers = self._handlers = Handlers(self._bank, term, self._tracer, now_ms, self._transactions)
        for operation, handler in (
            ("authorize", handlers.authorize),
            ("reverse", handlers.reverse),
            ("script-results", handlers.script_results),
            (subjects.ISSUER_ADVICES, handlers.advise),
        ):
            subject = subjects.issuer(self._bank.institution, operation)
            self._servings.append(await self._bus.serve(subject, handler, concurrency=CONCURRENCY))
        cards = {card.account: pan for pan, card in self._bank.cards.items()}
        telling = self._telling = Telling(
            self._bank.institution, term, cards=cards, bus=self._bus, tracer=self._tracer, now_ms=now_ms
        )
        self._telling_task = asyncio.create_task(telling.run())
        if self._takes_reports:
            subject = subjects.issuer_report(self._bank.institution)
            self._servings.append(await self._bus.serve(subject, self._report))
        self._sweeping = asyncio.create_task(self._sweep(handlers))

    async def _report(self, request: Request) -> bytes | None:
        """A report, and the news of it for whoever tells the switch."""
        if self._handlers is None or self._telling is None:
            return None
        try:
            return await self._handlers.report(request)
        finally:
            self._telling.notify()

    async def close(self) -> None:
        """Takes no more requests; returns when those in hand have been answered, or have failed with the term."""
        if self._handlers is not None:
            self._handlers.close()
        servings, self._servings = self._servings, []
        await asyncio.gather(*(serving.stop() for serving in servings))
        telling, self._telling_task = self._telling_task, None
        if telling is not None:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        sweeping, self._sweeping = self._sweeping, None
        if sweeping is not None:
            await sweeping

    async def _sweep(self, handlers: Handlers) -> None:
        """Until the bank closes, or its term of office ends, which whoever runs the office learns elsewhere."""
        with suppress(LogError):
            while not await handlers.closed_within(SWEEP_S):
                ended = await handlers.end_holds()
                if ended:
                    log.info("holds ended by their term", institution=self._bank.institution, holds=ended)
