"""The bank's line to the switch, which a drill can put out of order: answers leave late, or never (docs/issuer-simulator.md).

What the bank has decided stands all the same: it is in the ledger before its answer comes to the line.
"""

from __future__ import annotations

import asyncio

from contracts.codec import encode
from contracts.faults import LineFault, LineQuestion
from contracts.questions import Refused
from contracts.reading import UnreadableError, reader
from runtime import logs
from runtime.bus import Request

log = logs.get("line")

_ALL_BUT_ROUNDING = 1 - 1e-9
"""Ten tenths are a little less than one."""

_question = reader(LineQuestion)


class Line:
    """One bank's. Sound until told otherwise, and again after a restart."""

    def __init__(self, institution: str) -> None:
        self._institution = institution
        self._late_by_s = 0.0
        self._lost_share = 0.0
        self._owed = 0.0
        """Answers that are still to be lost for the share to be met. Counted and not drawn, so that a drill shows the same each time."""

    async def order(self, request: Request) -> bytes:
        """LineQuestion → LineFault, or Refused."""
        try:
            question = _question(request.body)
        except UnreadableError as error:
            return encode(Refused(reason=str(error)))
        if question.late_by_s is not None:
            self._late_by_s = question.late_by_s
        if question.lost_share is not None:
            self._lost_share, self._owed = question.lost_share, 0.0
        if question != LineQuestion():
            log.warning(
                "a fault on purpose",
                institution=self._institution,
                late_by_s=self._late_by_s,
                lost_share=self._lost_share,
            )
        return encode(LineFault(late_by_s=self._late_by_s, lost_share=self._lost_share))

    async def carries(self, closing: asyncio.Event) -> bool:
        """Whether an answer that is ready may leave, after the time that the line takes; not when the bank closes meanwhile."""
        self._owed += self._lost_share
        if self._owed > _ALL_BUT_ROUNDING:
            self._owed -= 1
            return False
        if self._late_by_s:
            try:
                await asyncio.wait_for(closing.wait(), self._late_by_s)
            except TimeoutError:
                return True
            return False
        return True
