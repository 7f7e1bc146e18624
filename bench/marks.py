"""The marks that the project has set itself, each a ratio of two figures of one run."""

from __future__ import annotations

from typing import NamedTuple

from bench.report import CHAIN, PATH, PATH_UNTRACED, PORTED, JournalReport, PathReport


class Mark(NamedTuple):
    """One comparison. `at_least` says on which side of the mark the measured ratio should be; `further` is the mark after that."""

    what: str
    measured: float
    mark: float
    further: float | None = None
    at_least: bool = False

    @property
    def kept(self) -> bool:
        """
        >>> Mark("speed", 0.9, 1.0, at_least=True).kept, Mark("cost", 0.9, 1.0).kept
        (False, True)
        """
        return self.measured >= self.mark if self.at_least else self.measured <= self.mark

    def bound(self, value: float | None) -> str:
        """A mark in words, `≥ 1.0`; empty for none."""
        return "" if value is None else f"{'≥' if self.at_least else '≤'} {value:g}"


def marks_of(report: PathReport) -> list[Mark]:
    """The path beside the bare chain, beside itself without tracing, and beside the FastStream port with its tracing."""
    path, untraced, chain, ported = (report.sides[name] for name in (PATH, PATH_UNTRACED, CHAIN, PORTED))
    in_flight = f"{report.run.concurrency} in flight"
    return [
        Mark(f"tx/s, {in_flight}, path over bare chain", path.loaded.tx_s / chain.loaded.tx_s, 1.0, 2.0, at_least=True),
        Mark(
            f"CPU per transaction, {in_flight}, path over bare chain",
            path.loaded.cpu_us_per_tx / chain.loaded.cpu_us_per_tx,
            1.2,
            0.7,
        ),
        Mark("p50 one at a time, path over bare chain", path.alone.p50_us / chain.alone.p50_us, 2.0, 1.3),
        Mark(
            f"CPU per transaction, {in_flight}, traced over untraced",
            path.loaded.cpu_us_per_tx / untraced.loaded.cpu_us_per_tx,
            1.35,
        ),
        Mark(
            f"tx/s, {in_flight}, path over FastStream traced", path.loaded.tx_s / ported.loaded.tx_s, 1.0, at_least=True
        ),
    ]


def journal_marks(report: JournalReport) -> list[Mark]:
    """Each longer journal beside the shortest."""
    first, *longer = report.sizes
    return [
        Mark(
            f"p50 one at a time, {size.transactions:,} journalled over {first.transactions:,}",
            size.alone.p50_us / first.alone.p50_us,
            1.2,
        )
        for size in longer
    ]
