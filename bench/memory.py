"""Resident memory of running processes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def rss_bytes(pid: int) -> int:
    """What of a process is in memory (/proc/<pid>/status, VmRSS); 0 for a process that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    sizes = (line.split() for line in lines if line.startswith("VmRSS:"))
    return next((int(kib) * 1024 for _, kib, _ in sizes), 0)


def rss_mib(pids: Mapping[str, int]) -> dict[str, float]:
    """MiB by process."""
    return {name: round(rss_bytes(pid) / 2**20, 1) for name, pid in pids.items()}
