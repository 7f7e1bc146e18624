"""The figures of a run, and how many runs become one."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Figures(NamedTuple):
    """One run of one side."""

    p50_us: float
    p99_us: float
    tx_s: float
    cpu_us_per_process: dict[str, float]
    """Microseconds of CPU per transaction, by process."""

    @property
    def cpu_us_per_tx(self) -> float:
        return sum(self.cpu_us_per_process.values())


class Summary(NamedTuple):
    """One side over all rounds: medians. Latencies one at a time, throughput and CPU under load."""

    p50_us: float
    p99_us: float
    tx_s: float
    cpu_us_per_tx: float
    cpu_us_per_process: dict[str, float]


def summarise(alone: Sequence[Figures], loaded: Sequence[Figures]) -> Summary:
    """Medians over the rounds: `alone` one at a time, `loaded` with many in flight.

    >>> run = Figures(10.0, 20.0, 5.0, {"a": 1.0})
    >>> summarise([run], [run]).cpu_us_per_tx
    1.0
    """
    return Summary(
        p50_us=median(run.p50_us for run in alone),
        p99_us=median(run.p99_us for run in alone),
        tx_s=median(run.tx_s for run in loaded),
        cpu_us_per_tx=median(run.cpu_us_per_tx for run in loaded),
        cpu_us_per_process={
            name: median(run.cpu_us_per_process.get(name, 0.0) for run in loaded)
            for name in loaded[0].cpu_us_per_process
        },
    )


def ratio(path: Summary, floor: Summary) -> dict[str, float]:
    """Path over floor, figure by figure."""
    return {name: round(getattr(path, name) / getattr(floor, name), 3) for name in FIGURES}


FIGURES = ("p50_us", "p99_us", "tx_s", "cpu_us_per_tx")


def as_json(summary: Summary) -> dict[str, object]:
    """A side as build/bench.json holds it."""
    figures: dict[str, object] = {name: round(getattr(summary, name), 1) for name in FIGURES}
    return figures | {"cpu_us_per_process": {n: round(v, 1) for n, v in summary.cpu_us_per_process.items()}}


def percentile_us(latencies_s: Sequence[float], quantile: float) -> float:
    """The latency, microseconds, that `quantile` of the runs stay below (nearest rank).

    >>> percentile_us([0.003, 0.001, 0.002], 0.5)
    2000.0
    """
    ranked = sorted(latencies_s)
    return ranked[min(len(ranked) - 1, int(len(ranked) * quantile))] * 1e6
