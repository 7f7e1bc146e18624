"""Times as they are printed: those of the merchants."""

from __future__ import annotations

from datetime import timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8))
"""Asia/Shanghai: UTC+8 without summer time since 1992, so no zone database is needed."""
