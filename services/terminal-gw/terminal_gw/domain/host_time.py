"""Host time as terminals print it: fields 12, 13 and 15, in the merchants' zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has had one zone and no summer time since 1991, so a fixed offset is exact."""


class HostTime(NamedTuple):
    time: str
    """Field 12, hhmmss."""
    date: str
    """Fields 13 and 15, MMDD."""


def host_time(at_ms: int) -> HostTime:
    """Of Unix milliseconds UTC.

    >>> host_time(1_767_196_799_999)
    HostTime(time='235959', date='1231')
    """
    return _of_second(at_ms // 1000)


@lru_cache(maxsize=64)  # a busy host answers many within a second
def _of_second(second: int) -> HostTime:
    moment = datetime.fromtimestamp(second, UTC).astimezone(SHANGHAI)
    return HostTime(moment.strftime("%H%M%S"), moment.strftime("%m%d"))
