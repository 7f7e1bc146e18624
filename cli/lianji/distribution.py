"""Quantiles of what buckets have counted, as Prometheus reckons them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lianji.scraping import Told


class Distribution:
    """Counts by upper bound, cumulative."""

    def __init__(self, counts: Mapping[float, float]) -> None:
        self._counts = sorted(counts.items())

    @property
    def count(self) -> float:
        return self._counts[-1][1] if self._counts else 0.0

    def less(self, before: Distribution) -> Distribution:
        """What was counted since `before`."""
        earlier = dict(before._counts)
        return Distribution({bound: count - earlier.get(bound, 0.0) for bound, count in self._counts})

    def quantile(self, share: float) -> float | None:
        """The value below which `share` (0 to 1) of the counted lies, on a line between the bounds of its bucket; None when nothing was
        counted. Above the last bound it is the last bound.

        >>> Distribution({1.0: 0, 2.0: 10, float("inf"): 10}).quantile(0.5)
        1.5
        """
        if not self.count:
            return None
        rank, low, below = share * self.count, 0.0, 0.0
        for bound, count in self._counts:
            if count >= rank and count > below:
                return low if bound == float("inf") else low + (bound - low) * (rank - below) / (count - below)
            low, below = bound, count
        return low


def distributions(told: Iterable[Told], name: str, *by: str) -> dict[tuple[str, ...], Distribution]:
    """A histogram's distributions over all processes, by some of its labels; `service` is the process's."""
    counts: dict[tuple[str, ...], dict[float, float]] = {}
    for one in told:
        for sample in one.of(f"{name}_bucket"):
            key = tuple(one.service if label == "service" else sample.labels.get(label, "") for label in by)
            bounds, bound = counts.setdefault(key, {}), float(sample.labels["le"])
            bounds[bound] = bounds.get(bound, 0.0) + sample.value
    return {key: Distribution(bounds) for key, bounds in counts.items()}
