"""One count: sales at a rate, a process killed in the middle or none, quiet, and then every trace that the collector keeps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.errors import BenchError
from bench.stack import lianji
from lianji import stackfile
from lianji.tracing.check import Count, count
from lianji.tracing.files import TraceFiles

Say = Callable[[str], None]

PATIENCE_S = 60.0
"""With the projections and the last exports, after the last sale."""
LOAD_GRACE_S = 150.0
AROUND_KILL_NS = 3_000_000_000, 500_000_000
"""What a kill explains: traces that began this long before it (in hand, or ended and not exported, or not yet projected), or at it."""
MANY = 1_000_000


class Sales(msgspec.Struct):
    """The line that `lianji load --json` prints, as far as it matters here."""

    tx: int
    unknown: int
    refused: int


class Outcome(msgspec.Struct, kw_only=True):
    """What one count found."""

    killed: str
    """Empty: nobody."""
    sent: int
    """Sales that left their terminal: answered ones and those without a usable answer."""
    answered: int
    count: Count
    unexplained: int
    """Incomplete traces that a kill does not explain."""
    gone: int = 0
    """Sales answered by nobody whose trace is not there at all: the gateway that had them was killed, or they never reached it."""

    @property
    def complaints(self) -> list[str]:
        """What must not be. Without a kill: a number of traces other than the sales', a missing hop, an orphan."""
        said = []
        if self.count.swipes + self.gone < self.answered or self.count.swipes > self.sent:
            said.append(
                f"{self.answered} sales were answered and {self.sent} sent, and {self.count.swipes} have traces"
            )
        if self.unexplained:
            said.append(f"{self.unexplained} traces are incomplete, and no kill explains it")
        if self.killed == "collector" and (self.count.missing or self.count.orphans or self.count.headless):
            said.append("what a collector did not take waits in the services, so nothing may be missing")
        if not self.killed and not (self.count.clean and self.count.swipes == self.count.whole == self.sent):
            said.append("every sale must have a trace with every hop, and none an orphan")
        return said


def run(data_dir: Path, *, swipes: int, rate: float, kill: str = "") -> Outcome:
    """Sells at the stack that runs on `data_dir` and counts; raises BenchError."""
    began_ns = time.time_ns()
    load = subprocess.Popen(
        lianji(
            "load", "--json", "--data-dir", str(data_dir), "--rate", f"{rate:g}", "--duration", f"{swipes / rate:.9g}"
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    killed_ns = _kill_in_the_middle(load, data_dir, kill) if kill else 0
    sales = _sales(load, swipes / rate)
    sent = sales.tx + sales.unknown
    found = _counted(data_dir, began_ns, 0 if kill else sent)
    before_ns, after_ns = AROUND_KILL_NS
    explained = (killed_ns - before_ns, killed_ns + after_ns) if kill else (0, 0)
    return Outcome(
        killed=kill,
        sent=sent,
        answered=sales.tx,
        count=found,
        unexplained=sum(not explained[0] <= row.start_ns <= explained[1] for row in found.examples),
        gone=max(sales.tx + sales.unknown - found.swipes, 0) if kill else 0,
    )


def _kill_in_the_middle(load: subprocess.Popen[str], data_dir: Path, name: str) -> int:
    """kill -9 of a process of the stack once the load has reported, that is while it sells; Unix nanoseconds."""
    assert load.stderr is not None  # noqa: S101 - it is started with its pipe
    if not load.stderr.readline():
        raise BenchError("lianji load: ended before anything could be killed")
    os.kill(stackfile.running(data_dir).processes[name].pid, signal.SIGKILL)
    return time.time_ns()


def _sales(load: subprocess.Popen[str], duration_s: float) -> Sales:
    try:
        out, err = load.communicate(timeout=duration_s + LOAD_GRACE_S)
    except subprocess.TimeoutExpired:
        load.kill()
        load.communicate()
        raise BenchError(f"lianji load: not done {LOAD_GRACE_S:g} s after its duration") from None
    if load.returncode != 0:
        raise BenchError(f"lianji load: exit status {load.returncode}: {err.strip()[-500:]}")
    return msgspec.json.decode(out.splitlines()[-1], type=Sales)


def _counted(data_dir: Path, began_ns: int, wanted: int) -> Count:
    """The traces once all `wanted` swipes have every hop and nothing more comes; else what there is when the patience is used up."""
    give_up, former = time.monotonic() + PATIENCE_S, -1
    while True:
        time.sleep(1.0)  # an export, and what the projections linger
        found = count(TraceFiles(data_dir), began_ns, examples=MANY)
        settled = found.spans == former
        if (settled and (not wanted or found.whole >= wanted)) or time.monotonic() > give_up:
            return found
        former = found.spans


def as_json(outcomes: list[Outcome]) -> bytes:
    """For build/traces.json; of incomplete traces the first few."""
    rows = json.loads(msgspec.json.encode(outcomes))
    for row in rows:
        row["count"]["examples"] = row["count"]["examples"][:20]
    return msgspec.json.format(msgspec.json.encode(rows)) + b"\n"
