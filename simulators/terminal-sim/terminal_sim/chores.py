"""What a till does beside transactions: it closes its batch, uploads one that did not balance, and downloads what the host has for it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from contracts.authorization import NOT_BALANCED
from contracts.pan import Pan
from terminal_sim.calls import one_call
from terminal_sim.download import DownloadResult
from terminal_sim.downloaded import Downloading
from terminal_sim.link import Link
from terminal_sim.outcomes import CloseOutcome, DownloadOutcome, Outcome, PlainOutcome, Refused, Step, UploadOutcome
from terminal_sim.results import CloseResult, reason_of
from terminal_sim.terminal import Terminal

TRIES_IN_VAIN = 3


class Chores(ABC):
    """A part of every till."""

    terminal: Terminal
    link: Link
    in_call: bool
    told_in_vain = 0
    """How often in a row a chip's results had no answer for good since the terminal was switched on."""

    @one_call
    async def download(self, code: str) -> DownloadResult:
        """Downloads parameters (360), CA public keys (370) or IC parameters (380) to the end, from where the last attempt had come to."""
        return await self._download(code)

    async def _download(self, code: str) -> DownloadResult:
        if (hindrance := await self._signed_on()) is not None:
            return DownloadResult(code=code, refused=hindrance.reason, rc=hindrance.response_code)
        before: Downloading | None = None
        while True:
            outcome = await self._run(self.terminal.download(code))
            if not isinstance(outcome, DownloadOutcome):
                return DownloadResult(code=code, refused=reason_of(outcome))
            at = self.terminal.record.downloading
            if outcome.version:
                records = len(self.terminal.record.downloads[code].records)
                return DownloadResult(code=code, version=outcome.version, records=records, rc=outcome.response_code)
            if at is None or at == before:  # refused, or no page further: the host or the line has to recover first
                return DownloadResult(code=code, rc=outcome.response_code, refused=outcome.reason)
            before = at

    async def _settle(self) -> CloseResult:
        closing = self.terminal.record.closing
        if closing is not None and closing.uploading:  # the power went in the middle of it
            return await self._upload(CloseResult(result=NOT_BALANCED, batch=closing.batch, totals=closing.totals))
        outcome = await self._run(self.terminal.settle())
        if not isinstance(outcome, CloseOutcome):
            return CloseResult(refused=reason_of(outcome))
        if outcome.balanced:
            await self.sign_off()  # for the host to forget the keys; the terminal's session ended with the batch
        result = CloseResult(
            closed=outcome.balanced,
            balanced=outcome.balanced,
            result=outcome.result,
            batch=outcome.batch,
            totals=outcome.totals,
            host=outcome.host,
            rc=outcome.response_code,
            rrn=outcome.rrn,
        )
        return await self._upload(result) if outcome.result == NOT_BALANCED else result

    async def _upload(self, result: CloseResult) -> CloseResult:
        """Sends the details until the batch is closed, or until one has no answer that takes it further: the next close goes on from there."""
        before = -1
        while (closing := self.terminal.record.closing) is not None and closing.uploaded > before:
            before = closing.uploaded
            outcome = await self._run(self.terminal.upload())
            if not isinstance(outcome, UploadOutcome):
                return msgspec.structs.replace(result, refused=reason_of(outcome))
            result = msgspec.structs.replace(
                result,
                rc=outcome.response_code,
                rrn=outcome.rrn or result.rrn,
                closed=outcome.ended,
                uploaded=closing.uploaded,
            )
            if outcome.ended:
                await self.sign_off()
        return result

    async def look_up(self, pan: Pan) -> PlainOutcome | Refused:
        """Whether a card is on the host's stop list: 00 when it is not."""
        if (hindrance := await self._signed_on()) is not None:
            return hindrance
        outcome = await self._run(self.terminal.look_up(pan))
        return outcome if isinstance(outcome, PlainOutcome) else Refused(reason=reason_of(outcome))

    async def tell_results(self, *, insist: bool = False) -> None:
        """What chips have made of their banks' orders, one after the other, until one has no answer for good: the next transaction tries again.

        No customer waits for it for ever: after some tries in vain it is left to whoever insists, which is the batch's close.
        """
        waiting = self.terminal.record.results
        while waiting and (insist or self.told_in_vain < TRIES_IN_VAIN):
            before = len(waiting)
            if await self._signed_on() is not None:
                return
            await self._run(self.terminal.tell_results())
            if len(waiting) == before:
                self.told_in_vain += 1
                return
            self.told_in_vain = 0

    async def download_wanted(self) -> None:
        """What the host has asked for, one after the other as its answers say. What fails stands in no transaction's way."""
        done: set[str] = set()
        while True:
            begun = self.terminal.record.downloading
            code = begun.code if begun is not None else self.terminal.wanted
            if not code or code in done:
                return
            done.add(code)
            if not (await self._download(code)).version:
                return

    @abstractmethod
    async def sign_off(self) -> PlainOutcome | Refused: ...

    @abstractmethod
    async def _signed_on(self) -> Refused | None: ...

    @abstractmethod
    async def _run(self, step: Step) -> Outcome | None: ...
