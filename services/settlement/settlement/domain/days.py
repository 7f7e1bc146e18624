"""A merchant's day."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8))
"""Asia/Shanghai: UTC+8 without summer time since 1992, so no zone database is needed."""

DAY_MS = 86_400_000


def day_bounds_ms(day: str) -> tuple[int, int] | None:
    """First millisecond of `day` (YYYY-MM-DD in Shanghai) and of the next; None when it is no such date.

    >>> day_bounds_ms("1970-01-02")
    (57600000, 144000000)
    """
    if len(day) != 10:
        return None
    try:
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=SHANGHAI)
    except ValueError:
        return None
    start_ms = int(start.timestamp()) * 1000
    return start_ms, start_ms + DAY_MS


def date_time(at_ms: int) -> str:
    """As slips print it: `2026/01/31 09:05:00`."""
    return datetime.fromtimestamp(at_ms // 1000, SHANGHAI).strftime("%Y/%m/%d %H:%M:%S")
