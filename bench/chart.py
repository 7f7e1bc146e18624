"""The chart of docs/performance.md: what a transaction costs on each side, and how latency holds at fixed rates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ModuleNotFoundError:  # of a dependency group that other commands do without
    raise SystemExit("bench: its tools are not installed; `make bench-tools` installs them") from None

from bench.report import PathReport, SideReport

_SIZE_INCHES, _DOTS_PER_INCH = (11.0, 7.5), 110
_COLOURS = {
    "path": "#1f4e79",
    "path, untraced": "#8fb3d9",
    "bare chain": "#7f7f7f",
    "FastStream": "#a34a28",
    "FastStream, untraced": "#e0b09c",
}


def draw(measured: PathReport, path: Path) -> None:
    """Four panels, as PNG."""
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    (alone, loaded), (cpu, rates) = figure.subplots(2, 2)
    in_flight = f"{measured.run.concurrency} in flight"
    _bars(alone, measured, "p50, one at a time, ms", lambda side: side.alone.p50_us / 1000)
    _bars(loaded, measured, f"transactions a second, {in_flight}", lambda side: side.loaded.tx_s)
    _bars(cpu, measured, f"CPU per transaction, µs, {in_flight}", lambda side: side.loaded.cpu_us_per_tx)
    _lines(rates, measured)
    figure.legend(
        *rates.get_legend_handles_labels(), loc="outside lower center", ncols=len(measured.sides), frameon=False
    )
    figure.savefig(path, metadata={"Software": None})


def _bars(axes: Axes, measured: PathReport, title: str, of: Callable[[SideReport], float]) -> None:
    names = list(measured.sides)
    bars = axes.barh(names, [of(side) for side in measured.sides.values()], color=[_COLOURS.get(n) for n in names])
    axes.bar_label(bars, fmt="{:,.1f}" if of(next(iter(measured.sides.values()))) < 100 else "{:,.0f}", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _lines(axes: Axes, measured: PathReport) -> None:
    """p99 solid, p50 dashed: on a logarithmic scale, for a side that a rate is too much for has seconds."""
    for name, side in measured.sides.items():
        rates = [float(rate) for rate in side.at_rates]
        colour = _COLOURS.get(name)
        axes.plot(rates, [f.p99_us / 1000 for f in side.at_rates.values()], color=colour, marker="o", label=name)
        axes.plot(rates, [f.p50_us / 1000 for f in side.at_rates.values()], color=colour, linestyle="--")
        axes.set_xticks(rates)
    axes.set_yscale("log")
    axes.set_xlabel("sends a second, scheduled")
    axes.set_title("open loop: p99 (solid) and p50 (dashed), ms", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
