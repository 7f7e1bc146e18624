"""How a side is loaded in one run."""

from __future__ import annotations

from typing import NamedTuple


class Load(NamedTuple):
    """Closed loop with `concurrency` in flight, or open loop at `rate` a second, whose latencies count from the scheduled send."""

    duration_s: float
    concurrency: int = 0
    rate: float = 0.0
    scheme: str = "session"
    """The terminals' key scheme, where there are terminals."""

    def __str__(self) -> str:
        """
        >>> str(Load(3.0, concurrency=1)), str(Load(3.0, concurrency=64)), str(Load(3.0, rate=500.0))
        ('one at a time', '64 in flight', '500 a second')
        """
        if self.rate:
            return f"{self.rate:g} a second"
        return "one at a time" if self.concurrency == 1 else f"{self.concurrency} in flight"
