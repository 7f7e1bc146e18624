"""What has been measured, as build/bench.json keeps it: the part of each command, each renewed by itself."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import BenchError
from bench.figures import Figures, medians
from bench.load import Load
from bench.rounds import Runs

REPORT = Path("build/bench.json")
DECIMALS = 3

PATH, PATH_UNTRACED = "path", "path, untraced"
CHAIN = "bare chain"
PORTED, PORTED_UNTRACED = "FastStream", "FastStream, untraced"


class Run(msgspec.Struct, kw_only=True):
    """How it was measured."""

    rounds: int
    duration_s: float
    """Of one run of one side."""
    concurrency: int
    cpus: int
    python: str


class SideReport(msgspec.Struct, kw_only=True):
    """One side; every figure is the median of the rounds."""

    alone: Figures
    """One at a time."""
    loaded: Figures
    """With many in flight."""
    at_rates: dict[str, Figures] = {}
    """Open loop, by sends a second."""
    memory_mib: dict[str, float] = {}
    """Resident after all rounds, by process."""


class PathReport(msgspec.Struct, kw_only=True):
    """The path and what it is compared with."""

    run: Run
    sides: dict[str, SideReport]
    owner_bytes: float
    """What the switch has grown by, per transaction of an open batch."""
    owner_transactions: int
    """How many of those there were."""


class SizeReport(msgspec.Struct, kw_only=True):
    """A stack with a history."""

    transactions: int
    """In its journals when it was started."""
    kept: int
    """Of those, in the owners' memory: of open batches, and of each terminal's last closed one."""
    replay_start_s: float
    """From the command to the first swipe that could be taken, everything replayed from the first record."""
    replay_ms: float
    """The longest replay of a log in that start, as its owner says it."""
    start_s: float
    """The same start with the snapshots that a drained stack leaves."""
    switch_mib: float
    """Resident: the owners of the journals, after that start."""
    bank_mib: float
    """And the owner of the ledgers."""
    alone: Figures
    loaded: Figures


class JournalReport(msgspec.Struct, kw_only=True):
    """The path by the length of its journals."""

    run: Run
    sizes: list[SizeReport]


class Measured(msgspec.Struct, kw_only=True):
    """All that there is."""

    path: PathReport | None = None
    journal: JournalReport | None = None


def this_run(*, rounds: int, duration_s: float, concurrency: int) -> Run:
    return Run(
        rounds=rounds,
        duration_s=duration_s,
        concurrency=concurrency,
        cpus=os.cpu_count() or 1,
        python=platform.python_version(),
    )


def side_report(name: str, runs: Runs, memory_mib: Mapping[str, float]) -> SideReport:
    """The medians of one side; the closed loops are told apart by how many were in flight."""
    closed = sorted((load for load in runs if not load.rate), key=lambda load: load.concurrency)
    rates = [load for load in runs if load.rate]
    return SideReport(
        alone=_of(runs, closed[0], name),
        loaded=_of(runs, closed[-1], name),
        at_rates={f"{load.rate:g}": _of(runs, load, name) for load in rates},
        memory_mib=dict(memory_mib),
    )


def _of(runs: Runs, load: Load, name: str) -> Figures:
    return medians(runs[load][name])


def read(path: Path = REPORT) -> Measured:
    """What was measured so far; BenchError when the file cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Measured)
    except FileNotFoundError:
        return Measured()
    except msgspec.MsgspecError as error:
        raise BenchError(f"{path}: {error}; remove it and measure again") from None


def write(measured: Measured, path: Path = REPORT) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(as_json(measured))


def as_json(value: object) -> bytes:
    """JSON for people too: indented, and no more decimals than mean something."""
    return msgspec.json.format(msgspec.json.encode(_rounded(msgspec.to_builtins(value))), indent=1) + b"\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, Mapping):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_rounded(item) for item in value]
    return value
