"""The NATS edge: questions for slips."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from contracts.codec import encode
from contracts.questions import ProjectionStatus, Refused, Slip, SlipQuestion
from contracts.reading import UnreadableError, reader
from receipts.domain.slip import Copy, render
from receipts.store import SlipReader, StoredSlip
from runtime.bus import Request

_question = reader(SlipQuestion)


def _text(stored: StoredSlip, copy: Copy, *, reprint: bool) -> str:
    """The copy as it was printed first, or printed again with what has to be said now."""
    if reprint or stored.is_reversed:
        return render(stored.facts, copy, reprint=reprint, is_reversed=stored.is_reversed)
    return stored.merchant_copy if copy is Copy.MERCHANT else stored.cardholder_copy


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
        text = _text(stored, Copy(question.copy), reprint=question.reprint)
        return Slip(rrn=question.rrn, copy=question.copy, text=text)

    async def status(self, _: Request) -> bytes:
        checkpoints = await asyncio.to_thread(self._reader.checkpoints)
        return encode(ProjectionStatus(checkpoints=checkpoints, stopped=self._stopped()))
