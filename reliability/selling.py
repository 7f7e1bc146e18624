"""Load from `lianji load` beside what a tool does: started, watched, and its report."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import msgspec

from bench.errors import BenchError
from bench.stack import lianji
from terminal_sim.tally import LoadReport

GRACE_S = 120.0
"""Beyond its duration: start, sign-on of its terminals, the last reversals."""


_SECOND = re.compile(r"^ *([\d.]+) s .* p50 ([\d.]+) ms", re.MULTILINE)
"""The line that `lianji load` writes each second."""


class Second(NamedTuple):
    """One second of a load."""

    elapsed_s: float
    p50_ms: float


def failed(report: LoadReport) -> int:
    """Sales that did not end as their cards deserve, and these are all good: declined, left without a usable answer, or never sent.

    A terminal that had to dial again before it sent anything (`refused`) has sold all the same, and is not among them.
    """
    return sum(report.declined.values()) + report.unknown + report.unsent


class Selling:
    """A run of `lianji load` at a rate. A context manager that is entered when it sells; `report` waits for its end."""

    def __init__(self, data_dir: Path, *, rate: float, duration_s: float, more: tuple[str, ...] = ()) -> None:
        command = lianji("load", "--json", "--data-dir", str(data_dir), "--rate", f"{rate:g}")
        self._command = [*command, "--duration", f"{duration_s:g}", *more]
        self._duration_s = duration_s
        self.seconds: list[Second] = []
        """What it has said of each second, once its report is there."""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Selling:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None  # noqa: S101 - it is started with its pipe
        if not self._process.stderr.readline():  # the first second's line
            self.__exit__(None, None, None)
            raise BenchError("lianji load: ended before it sold anything")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    @property
    def over(self) -> bool:
        """Whether it sells no more."""
        return self._process is None or self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The process of the terminals."""
        return self._process.pid if self._process is not None else 0

    def end(self) -> None:
        """Ends it before its time."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def report(self) -> LoadReport:
        """Waits for its end; raises BenchError when it has none that can be used."""
        assert self._process is not None  # noqa: S101 - asked while it is entered
        try:
            output, errors = self._process.communicate(timeout=self._duration_s + GRACE_S)
        except subprocess.TimeoutExpired:
            raise BenchError(f"lianji load: not done {GRACE_S:g} s after its duration") from None
        if self._process.returncode != 0:
            raise BenchError(f"lianji load: exit status {self._process.returncode}: {errors.strip()[-500:]}")
        self.seconds = [Second(float(s), float(p50)) for s, p50 in _SECOND.findall(errors)]
        return msgspec.json.decode(output.splitlines()[-1], type=LoadReport)
