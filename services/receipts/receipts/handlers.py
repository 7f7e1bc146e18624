"""The NATS edge: questions for slips."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from contracts.codec import encode
from contracts.questions import ProjectionStatus, Refused, Slip, SlipQuestion
from contracts.reading import UnreadableError, reader
from receipts.domain.slip import Copy, render
from receipts.store import SlipReader
from runtime.bus import Request

_question = reader(SlipQuestion)


class Handlers:
    """Answers in bytes. What cannot be answered comes back as Refused; the tables are read in a worker thread."""

    def __init__(self, reader: SlipReader, stopped: Callable[[], str]) -> None:
        self._reader = reader
        self._stopped = stopped

    async def slip(self, request: Request) -> bytes:
        try:
            question = _question(request.body)
        except UnreadableError as error:
            return encode(Refused(reason=str(error)))
        return encode(await asyncio.to_thread(self._slip, question))

    def _slip(self, question: SlipQuestion) -> Slip | Refused:
        if question.copy not in tuple(Copy):
            return Refused(reason="copy: take merchant or cardholder")
        stored = self._reader.slip(question.rrn)
        if stored is None:
            return Refused(reason="rrn: no approved transaction has this reference number")
        copy = Copy(question.copy)
        text = render(stored.facts, copy, original=stored.original, reprint=question.reprint, marks=stored.marks)
        return Slip(rrn=question.rrn, copy=question.copy, text=text)

    async def status(self, _: Request) -> bytes:
        checkpoints = await asyncio.to_thread(self._reader.checkpoints)
        return encode(ProjectionStatus(checkpoints=checkpoints, stopped=self._stopped()))
