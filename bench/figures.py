"""The figures of a run, and how many runs become one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

import msgspec


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one side, or the medians of many."""

    p50_us: float
    p99_us: float
    tx_s: float
    cpu_us: dict[str, float]
    """Microseconds of CPU per transaction, by process."""
    synced: dict[str, float] = {}
    """What was synced per transaction: messages by the stream that keeps them, commits by database."""
    backlog: float = 0.0
    """Open loop: the most sends that were due at one moment and had to wait."""

    @property
    def cpu_us_per_tx(self) -> float:
        return sum(self.cpu_us.values())

    @property
    def synced_per_tx(self) -> float:
        return sum(self.synced.values())


def medians(runs: Sequence[Figures]) -> Figures:
    """Figure by figure, process by process.

    >>> runs = [Figures(p50_us=n, p99_us=n, tx_s=n, cpu_us={"a": n}) for n in (1.0, 9.0, 2.0)]
    >>> medians(runs).p50_us, medians(runs).cpu_us
    (2.0, {'a': 2.0})
    """

    def middle(of: Callable[[Figures], float]) -> float:
        return float(median(map(of, runs)))

    return Figures(
        p50_us=middle(lambda run: run.p50_us),
        p99_us=middle(lambda run: run.p99_us),
        tx_s=middle(lambda run: run.tx_s),
        cpu_us=_by_name([run.cpu_us for run in runs]),
        synced=_by_name([run.synced for run in runs]),
        backlog=middle(lambda run: run.backlog),
    )


def _by_name(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(median(row.get(name, 0.0) for row in rows)) for name in names}


def percentile_us(latencies_s: Sequence[float], quantile: float) -> float:
    """The latency, microseconds, that `quantile` of the runs stay below (nearest rank).

    >>> percentile_us([0.003, 0.001, 0.002], 0.5)
    2000.0
    """
    ranked = sorted(latencies_s)
    return ranked[min(len(ranked) - 1, int(len(ranked) * quantile))] * 1e6
