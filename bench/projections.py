"""Whether receipts and settlement have followed the journals to their ends."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.errors import BenchError
from bench.stack import PROJECTIONS

JOURNALS = "JOURNAL_"
PATIENCE_S = 1800.0
LOOK_EVERY_S = 0.25
TELL_EVERY_S = 10.0


def groups_behind(database: Path, journals: Mapping[str, int]) -> int:
    """Groups that a projection has yet to take; `journals` is the last sequence by shard, as the database names it."""
    if not database.exists():
        return sum(journals.values())
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT partition, sequence FROM checkpoints").fetchall()
    except sqlite3.OperationalError:  # its tables are not there yet
        rows = []
    finally:
        connection.close()
    taken = {str(partition): int(sequence) for partition, sequence in rows}
    return sum(max(last - taken.get(shard, 0), 0) for shard, last in journals.items())


def wait_until_level(data_dir: Path, stored: Mapping[str, int], tell: Callable[[str], None]) -> None:
    """Returns when both hold what `stored` (last sequence by stream) says; BenchError when that takes longer than is sane."""
    journals = {stream[len(JOURNALS) :]: last for stream, last in stored.items() if stream.startswith(JOURNALS)}
    began_s = told_s = time.monotonic()
    while True:
        behind = {name: groups_behind(data_dir / f"{name}.db", journals) for name in PROJECTIONS}
        if not any(behind.values()):
            return
        now_s = time.monotonic()
        if now_s - began_s > PATIENCE_S:
            raise BenchError(f"{data_dir}: after {PATIENCE_S:g} s the projections are still behind: {behind}")
        if now_s - told_s > TELL_EVERY_S:
            tell("waiting for " + ", ".join(f"{name}, {groups:,} groups behind" for name, groups in behind.items()))
            told_s = now_s
        time.sleep(LOOK_EVERY_S)
