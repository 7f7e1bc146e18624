"""`python -m bench.remake`: the tables of docs/performance.md, between their markers, and its chart, from build/bench.json."""

from __future__ import annotations

import sys
from pathlib import Path

from bench import report
from bench.chart import draw
from bench.errors import BenchError
from bench.page import between, journal_text, path_text
from bench.report import Measured

PAGE = Path("docs/performance.md")
CHART = Path("docs/performance.png")


def remake(measured: Measured) -> None:
    """Writes what there is; the block of a part that has not been measured here stays as it is. BenchError when a marker is missing."""
    text = PAGE.read_text(encoding="utf-8")
    if measured.path is not None:
        text = between(text, "bench", path_text(measured.path))
        draw(measured.path, CHART)
    if measured.journal is not None:
        text = between(text, "bench-journal", journal_text(measured.journal))
    PAGE.write_text(text, encoding="utf-8")
    sys.stdout.write(f"written: {PAGE}, {CHART}\n")


def main() -> int:
    try:
        remake(report.read())
    except BenchError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
