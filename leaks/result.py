"""What a run has come to, and whether that is what it must come to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from leaks.forced import record_path
from leaks.points import POINTS

LARGE = 5_000
"""Transactions from which on every outcome must have been met."""
OUTCOMES = frozenset(
    {"00", "04", "14", "15", "41", "51", "54", "55", "59", "61", "68", "75", "99", "without an answer"}
)
FEWEST = 8
"""Different outcomes that even a short run must have met."""


class Result(msgspec.Struct, kw_only=True):
    """A run, as build/leaks.json holds it."""

    transactions: int = 0
    seed: int = 0
    outcomes: dict[str, int] = {}
    done: dict[str, int] = {}
    frames: dict[str, int] = {}
    frame_answers: dict[str, int] = {}
    questions: dict[str, int] = {}
    question_answers: dict[str, int] = {}
    printed: dict[str, int] = {}
    provoked: dict[str, dict[str, int]] = {}
    """Service → kind → how often it happened."""
    pending: int = 0
    """Reversals that no patience has sent."""
    stopped: str = ""
    """Why a projection is not at the journal's end."""
    core_dumps: list[str] = []
    invariants: dict[str, bool] = {}
    waiting_at_terminals: int = 0
    found: int = -1
    finds: list[dict[str, Any]] = []
    searched: dict[str, dict[str, int]] = {}
    planted: dict[str, str] = {}
    """Place → kind."""
    found_of_planted: dict[str, str] = {}
    found_beside_planted: list[str] = []
    took_s: float = 0.0

    def complaints(self) -> list[str]:
        """What is not as it must be; none when the run has shown what it is for."""
        absent = missing(self.provoked)
        wanted = OUTCOMES if self.transactions >= LARGE else frozenset({"00", "without an answer"})
        checks = (
            (absent, f"did not happen: {', '.join(absent)}"),
            (wanted - self.outcomes.keys(), f"no sale ended so: {sorted(wanted - self.outcomes.keys())}"),
            (len(self.outcomes) < FEWEST, f"only these outcomes: {sorted(self.outcomes)}"),
            (self.pending, f"{self.pending} reversals are still pending at their terminals"),
            (self.stopped, self.stopped),
            (self.core_dumps, f"core dumps: {self.core_dumps}"),
            (not self.invariants, "nothing was verified"),
            (not all(self.invariants.values()), f"broken: {[n for n, held in self.invariants.items() if not held]}"),
            (self.found, f"{self.found} found: {self.finds[:5]}"),
            (len(self.planted) != 4, f"planted: {sorted(self.planted)}"),
            (self.found_of_planted != self.planted, f"of what was planted, found: {self.found_of_planted}"),
            (self.found_beside_planted, f"found beside what was planted: {self.found_beside_planted}"),
        )
        return [text for wrong, text in checks if wrong]


def provoked(record: Path) -> dict[str, dict[str, int]]:
    """Every point of the table with its count, 0 for what has not happened."""
    counts: dict[str, dict[str, int]] = {}
    for point in POINTS:
        path = record_path(record, point)
        counts.setdefault(point.service, {})[point.kind] = path.stat().st_size if path.exists() else 0
    return counts


def missing(counts: dict[str, dict[str, int]]) -> list[str]:
    """What has not happened yet."""
    return [f"{service}: {kind}" for service, kinds in counts.items() for kind, count in kinds.items() if not count]


def counted(counter: Counter[str]) -> dict[str, int]:
    """The most frequent first."""
    return dict(counter.most_common())
