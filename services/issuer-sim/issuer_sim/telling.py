"""Reports of cards on their way to the switch: stored in the ledger, told until every shard has acknowledged them.

All of them are told again at the beginning of a term of office and once an hour: a journal that was restored has lost some, and a data key that is
to be retired must find none that stands under it alone. To a shard that knows them they say nothing new.

Each on its own: a shard that is down holds up its own copy of a notice, and no other report. Of two reports of one card the later one wins
wherever it comes first, by its revision.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from contracts import response_codes as rc
from contracts import subjects
from contracts.codec import encode
from contracts.ledger import LedgerRecord, ReportTold
from contracts.pan import Pan
from contracts.reading import UnreadableError, reader
from contracts.stop_list import REASONS, NoticeReply, StopNotice
from issuer_sim import spans
from issuer_sim.domain.accounts import State
from issuer_sim.domain.reports import Reported
from runtime import logs
from runtime.bus import BusError
from runtime.log import Appended, LogError
from runtime.tracing import Parent, Tracer

log = logs.get("telling")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
ANSWER_S = 5.0
AGAIN_S = 3600.0
AT_ONCE = 64
"""Notices on their way at the same time."""

_reply = reader(NoticeReply)


class Bus(Protocol):
    """runtime.bus.Bus, as far as it is used here."""

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Parent = None) -> bytes: ...


class Ledger(Protocol):
    """The term of office (runtime.ownership.Term)."""

    @property
    def state(self) -> State: ...

    def append(self, records: Sequence[LedgerRecord]) -> asyncio.Future[Appended]: ...

    async def flushed(self) -> None: ...


class Telling:
    """One bank's, during one term of office. What waits is state: reports that the ledger does not call told."""

    def __init__(
        self,
        institution: str,
        ledger: Ledger,
        *,
        cards: Mapping[str, Pan],
        bus: Bus,
        tracer: Tracer,
        now_ms: Callable[[], int],
    ) -> None:
        """`cards`: account → number, from the bank's own card file; no number stands in the ledger."""
        self._institution = institution
        self._ledger = ledger
        self._cards = cards
        self._bus = bus
        self._tracer = tracer
        self._now_ms = now_ms
        self._subject = subjects.stop_notice(institution)
        self._shape = spans.telling(institution)
        self._news = asyncio.Event()
        self._on_the_way: dict[tuple[int, int], asyncio.Task[None]] = {}
        self._again: dict[tuple[int, int], Reported] = {}
        """Told once already, and to be told again."""

    def notify(self) -> None:
        """Something may have been reported."""
        self._news.set()

    async def run(self) -> None:
        """Tells until cancelled."""
        repeating = asyncio.create_task(self._repeat())
        try:
            while True:
                self._news.clear()
                for reported in (*self._ledger.state.reports.waiting(), *self._again.values()):
                    key = (reported.entry, reported.revision)
                    if len(self._on_the_way) < AT_ONCE and key not in self._on_the_way:
                        task = self._on_the_way[key] = asyncio.create_task(self._tell(reported))
                        task.add_done_callback(partial(self._arrived, key))
                await self._news.wait()
        finally:
            repeating.cancel()
            tasks = tuple(self._on_the_way.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeat(self) -> None:
        while True:
            self._again = {(r.entry, r.revision): r for r in self._ledger.state.reports.of.values() if r.told}
            self._news.set()
            await asyncio.sleep(AGAIN_S)

    def _arrived(self, key: tuple[int, int], task: asyncio.Task[None]) -> None:
        del self._on_the_way[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, LogError):
                log.warning("reports are left to the next owner", institution=self._institution, reason=str(error))
                return
            log.error("a report could not be told", institution=self._institution, exc_info=error)
            asyncio.get_running_loop().call_later(LONGEST_PAUSE_S, self._news.set)
            return
        self._news.set()

    async def _tell(self, reported: Reported) -> None:
        # The switch must not hear what the ledger may yet lose.
        await self._ledger.flushed()
        pause = FIRST_PAUSE_S
        while not await self._told(reported):
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        if reported.told:
            self._again.pop((reported.entry, reported.revision), None)
            return
        told = ReportTold(entry=reported.entry, revision=reported.revision, at_ms=self._now_ms())
        await self._ledger.append([told])

    async def _told(self, reported: Reported) -> bool:
        notice = StopNotice(
            entry=reported.entry,
            revision=reported.revision,
            reason=REASONS.get(reported.report, ""),
            pan=self._cards[reported.account] if reported.account else None,
            prefix=reported.prefix,
        )
        with self._tracer.span(self._shape) as span:
            who = {"institution": self._institution, "entry": reported.entry, "revision": reported.revision}
            try:
                answer = _reply(await self._bus.request(self._subject, encode(notice), timeout_s=ANSWER_S, trace=span))
            except (BusError, UnreadableError) as error:
                span.error(type(error).__name__)
                log.warning("report not acknowledged yet", **who, reason=str(error), trace_id=span.trace_id)
                return False
            if answer.response_code != rc.APPROVED:
                span.error(answer.response_code)
                log.warning("report not acknowledged yet", **who, code=answer.response_code, trace_id=span.trace_id)
                return False
            log.info("report told", **who, reason=notice.reason, trace_id=span.trace_id)
            return True
