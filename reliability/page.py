"""docs/reliability.md: each tool remakes its own section, between its markers."""

from __future__ import annotations

from pathlib import Path

from bench.page import between

PAGE = Path("docs/reliability.md")


def section(name: str, text: str) -> None:
    """Writes what a run has measured between `<!-- NAME -->` and `<!-- /NAME -->`; BenchError when the page has no such place."""
    PAGE.write_text(between(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")
