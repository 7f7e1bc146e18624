"""What can be damaged and how. Adding a kind is one entry in DAMAGES.

Only used bytes count. In a log every byte of a block file is used: nothing is ever deleted there, and a record's checksum covers its
sequence, time, subject, headers and payload; its length and the checksum itself are what the rest is read by. A bucket's blocks hold
values that were put anew since, so damage there is aimed at the last record. A database has free pages, and SQLite keeps no checksums:
damage there is to what its structure hangs on, and a changed amount is for `lianji verify`. A stream's settings (meta.inf) are not in the
table: when they cannot be read, provisioning makes the stream anew over its messages, and all of them are there.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

LOG, SNAPSHOT, DATABASE = "log", "snapshot", "database"


class Struck(NamedTuple):
    """What was damaged: where it is, and in words."""

    name: str
    """The stream, or the database."""
    what: str


class Damage(NamedTuple):
    """One kind. `strike` damages a data directory at rest and says what it did."""

    name: str
    of: str
    """LOG: the service stops serving it. SNAPSHOT: it is skipped. DATABASE: it is set aside and made again."""
    strike: Callable[[random.Random, Path], Struck]


def _streams(data_dir: Path, *prefixes: str) -> list[Path]:
    root = data_dir / "broker" / "jetstream" / "jetstream" / "$G" / "streams"
    return sorted(path for path in root.iterdir() if path.name.startswith(prefixes))


def _a_log(chance: random.Random, data_dir: Path, prefix: str = "") -> Path:
    return chance.choice(_streams(data_dir, prefix) if prefix else _streams(data_dir, "JOURNAL_", "LEDGER_"))


def _blocks(stream: Path) -> list[Path]:
    return sorted((p for p in (stream / "msgs").glob("*.blk") if p.stat().st_size), key=lambda p: int(p.stem))


def _flip(chance: random.Random, path: Path, low: int, high: int) -> str:
    """One bit of a byte in [low, high)."""
    at, bit = chance.randrange(low, high), chance.randrange(8)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))
    return f"bit {bit} of byte {at:,} of {path.stat().st_size:,} in {path.name}"


def _flip_anywhere(prefix: str) -> Callable[[random.Random, Path], Struck]:
    def strike(chance: random.Random, data_dir: Path) -> Struck:
        stream = _a_log(chance, data_dir, prefix)
        block = chance.choice(_blocks(stream))
        return Struck(stream.name, _flip(chance, block, 0, block.stat().st_size))

    return strike


def _flip_newest(chance: random.Random, data_dir: Path) -> Struck:
    """In the last record: no chain reaches behind it."""
    stream = _a_log(chance, data_dir)
    block = _blocks(stream)[-1]
    size = block.stat().st_size
    return Struck(stream.name, _flip(chance, block, max(size - 64, 0), size))


def _truncate(chance: random.Random, data_dir: Path) -> Struck:
    stream = _a_log(chance, data_dir)
    block = _blocks(stream)[-1]
    size = block.stat().st_size
    left = chance.randrange(size)
    os.truncate(block, left)
    return Struck(stream.name, f"{size - left:,} of {size:,} bytes cut off {block.name}")


def _truncate_newest(chance: random.Random, data_dir: Path) -> Struck:
    """A few bytes: the broker drops the last record whole, and what is left is a whole chain."""
    stream = _a_log(chance, data_dir)
    block = _blocks(stream)[-1]
    cut = chance.randrange(1, 64)
    os.truncate(block, block.stat().st_size - cut)
    return Struck(stream.name, f"{cut} bytes cut off {block.name}")


def _block_gone(chance: random.Random, data_dir: Path) -> Struck:
    stream = _a_log(chance, data_dir)
    block = chance.choice(_blocks(stream))
    block.unlink()
    return Struck(stream.name, f"{block.name} is gone")


def _stream_gone(chance: random.Random, data_dir: Path) -> Struck:
    stream = _a_log(chance, data_dir)
    shutil.rmtree(stream)
    return Struck(stream.name, "the stream's directory is gone")


def _snapshot(chance: random.Random, data_dir: Path) -> Struck:
    stream = chance.choice([s for s in _streams(data_dir, "KV_SNAPSHOTS_") if _blocks(s)])
    block = _blocks(stream)[-1]
    size = block.stat().st_size
    return Struck(stream.name, _flip(chance, block, max(size - 200, 0), size))


def _a_database(chance: random.Random, data_dir: Path) -> Path:
    """One with everything in its file: what still stands in the log beside it would be read from there."""
    path = data_dir / chance.choice(("receipts.db", "settlement.db"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def _database_header(chance: random.Random, data_dir: Path) -> Struck:
    path = _a_database(chance, data_dir)
    return Struck(path.name, _flip(chance, path, 0, 16))


def _database_cut(chance: random.Random, data_dir: Path) -> Struck:
    path = _a_database(chance, data_dir)
    size = path.stat().st_size
    left = chance.randrange(4_096, size // 2)
    os.truncate(path, left)
    return Struck(path.name, f"{size - left:,} of {size:,} bytes cut off")


DAMAGES: tuple[Damage, ...] = (
    Damage("a bit of a journal", LOG, _flip_anywhere("JOURNAL_")),
    Damage("a bit of a ledger", LOG, _flip_anywhere("LEDGER_")),
    Damage("a bit of the newest record", LOG, _flip_newest),
    Damage("a log cut off anywhere", LOG, _truncate),
    Damage("the newest record cut off", LOG, _truncate_newest),
    Damage("a block file gone", LOG, _block_gone),
    Damage("a stream gone", LOG, _stream_gone),
    Damage("a bit of a snapshot or head", SNAPSHOT, _snapshot),
    Damage("a bit of a database's header", DATABASE, _database_header),
    Damage("a database cut off", DATABASE, _database_cut),
)
