"""What came of a run: as a table on the screen, in Markdown, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

import msgspec

from bench.page import table

NAME = "chaos"
"""Of its section in docs/reliability.md."""
HEAD = ("fault", "times", "lost", "doubled", "back p50 s", "back max s", "within s")


class Row(msgspec.Struct, kw_only=True):
    """One row of the table of faults."""

    fault: str
    of_a_process: bool
    within_s: float
    back_s: list[float] = []
    """Of each time: from the fault's end until everything that it touches answered again."""
    never_back: int = 0
    stalled: int = 0
    """Times on which the machine itself stood still for a second and more: processes that did not get to run, or a disk that did not write."""
    lost: int = 0
    doubled: int = 0

    @property
    def times(self) -> int:
        return len(self.back_s) + self.never_back

    @property
    def late(self) -> int:
        """Times on which it was not back in time."""
        return self.never_back + sum(back > self.within_s for back in self.back_s)

    def cells(self) -> tuple[str, ...]:
        p50, longest = (f"{of(self.back_s):.2f}" if self.back_s else "" for of in (median, max))
        never = f"{longest}, never × {self.never_back}" if self.never_back else longest
        return (self.fault, str(self.times), str(self.lost), str(self.doubled), p50, never, f"{self.within_s:g}")


class Judged(msgspec.Struct, kw_only=True):
    """The books, once the world was quiet."""

    after_faults: int
    took_s: float
    held: dict[str, bool]
    """By invariant of `lianji verify`."""
    sales: int
    approved: int
    acknowledged: int
    not_judged: int
    differences: list[str]

    @property
    def well(self) -> bool:
        return bool(self.held) and all(self.held.values()) and not self.differences


class Report(msgspec.Struct, kw_only=True):
    seed: int
    minutes: float
    rows: list[Row]
    judged: list[Judged] = []
    complaints: list[str] = []
    """What else must not be: a process that ended by itself, a fault after which the stack did not come back."""
    sales: int = 0
    approved: int = 0
    unknown: int = 0
    batches_closed: int = 0
    kinds: dict[str, dict[str, int]] = {}
    """How often each kind beside the plain sale came to which response code."""

    @property
    def struck(self) -> list[Row]:
        return [row for row in self.rows if row.times]

    @property
    def process_faults(self) -> int:
        return sum(row.times for row in self.rows if row.of_a_process)

    @property
    def well(self) -> bool:
        whole = self.judged and all(judged.well for judged in self.judged)
        return bool(whole) and not self.complaints and not any(row.late or row.lost or row.doubled for row in self.rows)


def summary(report: Report) -> str:
    """A few lines of words."""
    last = report.judged[-1] if report.judged else None
    faults = sum(row.times for row in report.rows)
    lost, doubled = (sum(getattr(row, what) for row in report.rows) for what in ("lost", "doubled"))
    late, stalled = (sum(getattr(row, what) for row in report.rows) for what in ("late", "stalled"))
    lines = [
        f"{faults} faults, {report.process_faults} of them kills and pauses, seed {report.seed}; lost {lost}, doubled {doubled}, "
        f"not back in time {late}; the machine itself stood still for a second and more during {stalled} of them.",
        f"{report.sales:,} transactions sent, {report.approved:,} approved, {report.unknown:,} without a usable answer and reversed, "
        f"{report.batches_closed:,} batches closed.",
    ]
    if report.kinds:
        counts = (f"{sum(codes.values()):,} × {kind}" for kind, codes in report.kinds.items())
        lines.append(f"Of them by terminals that do of everything: {', '.join(counts)}.")
    if last is not None:
        held = ", ".join(f"{name} {'held' if well else 'BROKEN'}" for name, well in last.held.items())
        lines.append(
            f"The books were judged {len(report.judged)} times, at the end over {last.sales:,} transactions and "
            f"{last.acknowledged:,} acknowledged appends: {held or 'nothing could be read'}."
        )
    return "\n".join([*lines, *report.complaints])


def page_text(report: Report) -> str:
    """The section of docs/reliability.md."""
    return f"{summary(report)}\n\n{table(HEAD, cells(report.struck))}"


def cells(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    return [row.cells() for row in rows]


def as_json(report: Report) -> bytes:
    """For build/chaos.json."""
    return msgspec.json.format(msgspec.json.encode(report)) + b"\n"
