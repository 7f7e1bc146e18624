"""The cut-over of a business day (日切): a record of the journal, before which everything is of one day and behind which of the next.

While it is being made nothing new is begun (90, and nothing has been done: the same may be asked again a moment later), and what is open is waited
for. So no transaction is begun on one day and decided on the next. If the owner dies meanwhile there has been no cut-over.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from auth.domain.state import Shard
from auth.domain.wait import Wait
from contracts.authorization import CutOverReply, CutOverRequest
from contracts.journal import DayCut, Record

ZONE = timedelta(hours=8)
"""Asia/Shanghai, which has no summer time: the merchants' days."""


class CutOver(NamedTuple):
    reply: CutOverReply
    records: tuple[Record, ...] = ()


def decide(shard: Shard, request: CutOverRequest, *, at_ms: int, trace: str) -> Wait | CutOver:
    """Ends a day, which is later than the last one that was ended. The same day again is told as done."""
    if not _is_day(request.day):
        return CutOver(CutOverReply(refused="day: give YYYY-MM-DD", at_ms=at_ms))
    if request.day == shard.day:
        return CutOver(CutOverReply(day=shard.day, at_ms=shard.cut_ms))
    if request.day < shard.day:
        return CutOver(CutOverReply(refused=f"day: {shard.day} has been ended already", day=shard.day, at_ms=at_ms))
    if shard.intents:
        return Wait(tuple(shard.intents))
    record = DayCut(day=request.day, at_ms=at_ms, trace=trace)
    return CutOver(CutOverReply(day=request.day, at_ms=at_ms), (record,))


def _is_day(text: str) -> bool:
    """
    >>> _is_day("2026-01-02"), _is_day("2026-1-2"), _is_day("2026-02-30")
    (True, False, False)
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).strftime("%Y-%m-%d") == text
    except ValueError:
        return False


def due_day(at: str, at_ms: int) -> str:
    """The last day whose end, HH:MM in the merchants' zone, has passed; ISO 8601.

    >>> due_day("23:00", 1_767_225_600_000), due_day("08:00", 1_767_225_600_000)
    ('2025-12-31', '2026-01-01')
    """
    local = datetime.fromtimestamp(at_ms / 1000, UTC) + ZONE
    day = local.date() if local.strftime("%H:%M") >= at else local.date() - timedelta(days=1)
    return day.isoformat()
