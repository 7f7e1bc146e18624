"""What the collector takes from the environment."""

from __future__ import annotations

from typing import Annotated

import msgspec

from runtime.scheduling import Scheduler
from runtime.settings import FOLLOWS, BaseSettings, Nice


class Settings(BaseSettings, frozen=True, kw_only=True):
    """Beside what every process takes."""

    nice: Nice = FOLLOWS
    scheduler: Scheduler = "other"
    collector_port: int = 4318
    traces_mb: Annotated[int, msgspec.Meta(ge=1)] = 512
    """Megabytes of traces that are kept at most; the oldest go."""
