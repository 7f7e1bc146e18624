"""What has been measured as tables in Markdown: what a run prints is what the page shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from bench.errors import BenchError
from bench.figures import Figures
from bench.marks import Mark, journal_marks, marks_of
from bench.report import PATH, JournalReport, PathReport, Run, SideReport


def between(text: str, name: str, block: str) -> str:
    """`text` with what stands between `<!-- NAME -->` and `<!-- /NAME -->` replaced; BenchError when they are not there.

    >>> between("a\\n<!-- t -->\\nold\\n<!-- /t -->\\nb", "t", "new")
    'a\\n<!-- t -->\\n\\nnew\\n\\n<!-- /t -->\\nb'
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise BenchError(f"the page has no {begin.strip()} … {end}")
    return f"{head}{begin}\n{block}\n\n{end}{tail}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; the first column holds words, the others numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def how(run: Run) -> str:
    return (
        f"Medians of {run.rounds} rounds of {run.duration_s:g} s a side and load, in turns, on {run.cpus} cores, "
        f"Python {run.python}."
    )


def path_text(measured: PathReport) -> str:
    """Everything about the path, as the run prints it and as the page shows it."""
    parts = [
        how(measured.run),
        _marks(marks_of(measured)),
        _sides(measured),
        "Open loop: p50 / p99 in µs from the scheduled send; in brackets the most sends that had to wait for a free sender.",
        _open_loop(measured),
        "CPU, µs per transaction with "
        f"{measured.run.concurrency} in flight, by process:\n\n{_listed(measured, lambda side: side.loaded.cpu_us, '{:,.0f}')}",
        "Synced per transaction, one at a time (messages by what their stream keeps, commits by database):\n\n"
        f"{_listed(measured, lambda side: side.alone.synced, '{:.2f}')}",
        f"The same with {measured.run.concurrency} in flight:\n\n"
        f"{_listed(measured, lambda side: side.loaded.synced, '{:.2f}')}",
        f"Resident after all rounds, MiB:\n\n{_listed(measured, lambda side: side.memory_mib, '{:,.0f}')}",
        f"The switch has grown by {measured.owner_bytes:,.0f} bytes per transaction of an open batch "
        f"({measured.owner_transactions:,} of them).",
    ]
    return "\n\n".join(parts)


def _marks(marks: Iterable[Mark]) -> str:
    rows = (
        (
            mark.what,
            f"{mark.measured:.2f}",
            mark.bound(mark.mark),
            mark.bound(mark.further),
            "yes" if mark.kept else "no",
        )
        for mark in marks
    )
    return table(("ratio", "measured", "mark", "further mark", "kept"), rows)


def _sides(measured: PathReport) -> str:
    in_flight = f"{measured.run.concurrency} in flight"
    rows: tuple[tuple[str, Callable[[SideReport], str]], ...] = (
        ("p50 µs, one at a time", lambda side: f"{side.alone.p50_us:,.0f}"),
        ("p99 µs, one at a time", lambda side: f"{side.alone.p99_us:,.0f}"),
        (f"tx/s, {in_flight}", lambda side: f"{side.loaded.tx_s:,.0f}"),
        (f"p50 µs, {in_flight}", lambda side: f"{side.loaded.p50_us:,.0f}"),
        (f"p99 µs, {in_flight}", lambda side: f"{side.loaded.p99_us:,.0f}"),
        (f"CPU µs per transaction, {in_flight}", lambda side: f"{side.loaded.cpu_us_per_tx:,.0f}"),
        ("synced per transaction, one at a time", lambda side: f"{side.alone.synced_per_tx:.2f}"),
        (f"synced per transaction, {in_flight}", lambda side: f"{side.loaded.synced_per_tx:.2f}"),
        ("resident MiB, all processes", lambda side: f"{sum(side.memory_mib.values()):,.0f}"),
    )
    sides = measured.sides
    return table(("", *sides), ((title, *(cell(side) for side in sides.values())) for title, cell in rows))


def _open_loop(measured: PathReport) -> str:
    rates = measured.sides[PATH].at_rates
    rows = ((rate, *(_at_rate(side.at_rates[rate]) for side in measured.sides.values())) for rate in rates)
    return table(("sends a second", *measured.sides), rows)


def _at_rate(figures: Figures) -> str:
    return f"{figures.p50_us:,.0f} / {figures.p99_us:,.0f} ({figures.backlog:,.0f})"


def _listed(measured: PathReport, of: Callable[[SideReport], dict[str, float]], form: str) -> str:
    """A line for each side, the largest first; what rounds to nothing is left out."""
    return "\n".join(_lines(measured, of, form))


def _lines(measured: PathReport, of: Callable[[SideReport], dict[str, float]], form: str) -> Iterator[str]:
    nothing = form.format(0)
    for name, side in measured.sides.items():
        ranked = sorted(of(side).items(), key=lambda item: -item[1])
        shown = [f"{what} {form.format(value)}" for what, value in ranked if form.format(value) != nothing]
        yield f"- {name}: {', '.join(shown) or 'nothing'}"


def journal_text(measured: JournalReport) -> str:
    """The path by the length of its journals."""
    sizes, empty = measured.sizes, measured.sizes[0]
    in_flight = f"{measured.run.concurrency} in flight"

    def beside(value: float, first: float, form: str = "{:,.0f}") -> str:
        return f"{form.format(value)} ({value / first:.2f}×)" if first else form.format(value)

    rows = [
        ("in the owners' memory", *(f"{s.kept:,}" for s in sizes)),
        ("p50 µs, one at a time", *(beside(s.alone.p50_us, empty.alone.p50_us) for s in sizes)),
        ("p99 µs, one at a time", *(beside(s.alone.p99_us, empty.alone.p99_us) for s in sizes)),
        (f"tx/s, {in_flight}", *(beside(s.loaded.tx_s, empty.loaded.tx_s) for s in sizes)),
        (
            f"CPU µs per transaction, {in_flight}",
            *(beside(s.loaded.cpu_us_per_tx, empty.loaded.cpu_us_per_tx) for s in sizes),
        ),
        ("start, s, all replayed", *(f"{s.replay_start_s:.1f}" for s in sizes)),
        ("longest replay of a log, s", *(f"{s.replay_ms / 1000:.1f}" for s in sizes)),
        ("start, s, from snapshots", *(f"{s.start_s:.1f}" for s in sizes)),
        ("owners of the journals, MiB", *(f"{s.switch_mib:,.0f}" for s in sizes)),
        (
            "of it, bytes per transaction in memory",
            *(_bytes_each(s.switch_mib - empty.switch_mib, s.kept) for s in sizes),
        ),
        ("owner of the ledgers, MiB", *(f"{s.bank_mib:,.0f}" for s in sizes)),
    ]
    head = ("transactions journalled", *(f"{s.transactions:,}" for s in sizes))
    return "\n\n".join((how(measured.run), _marks(journal_marks(measured)), table(head, rows)))


def _bytes_each(mib: float, transactions: int) -> str:
    return f"{mib * 2**20 / transactions:,.0f}" if transactions else ""
