"""CPU time of running processes, from the scheduler's own account."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def cpu_ns(pid: int) -> int:
    """Nanoseconds that the live threads of a process have spent on a CPU (/proc/<pid>/task/*/schedstat, first field).

    0 for a process that is gone. A thread that ended takes its account with it: the processes measured here keep theirs.
    """
    total = 0
    for account in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(account.read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):  # ended between the listing and the reading
            continue
    return total


class CpuMeter:
    """The CPU that a set of processes spends from now on."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._before = {name: cpu_ns(pid) for name, pid in self._pids.items()}

    def spent_us(self) -> dict[str, float]:
        """Microseconds per process since the meter was made."""
        return {name: (cpu_ns(pid) - self._before[name]) / 1000 for name, pid in self._pids.items()}
