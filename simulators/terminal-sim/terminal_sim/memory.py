"""A terminal's persistent memory: one append-only file of JSON lines, `<data-dir>/terminals/<tid>.jsonl`.

Each append is one `os.write`, so that it survives the death of the simulator whole or not at all; there is no fsync but for a new
master key, a power cut may take the last lines. The file is locked while a terminal is open, and folded into one line when it is opened.

    MemoryFileError
    └── TerminalBusyError    another process has the terminal
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from terminal_sim.changes import apply
from terminal_sim.entries import Entry, MasterKept, Snapshot
from terminal_sim.record import TerminalRecord, new_record

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)


class MemoryFileError(Exception):
    """A terminal's file cannot be read; the text names the file and the line."""


class TerminalBusyError(MemoryFileError):
    """Another process has this terminal."""


def memory_path(data_dir: str | Path, tid: str) -> Path:
    return Path(data_dir) / "terminals" / f"{tid}.jsonl"


def read_memory(path: str | Path) -> TerminalRecord:
    """What the terminal of this file knows, also while it is in use. MemoryFileError when a line cannot be read."""
    path = Path(path)
    return _fold(path, path.read_bytes(), path.stem)[0]


class TerminalMemory:
    """An open memory. `record` is what the file adds up to; `append` writes what the terminal has already applied to it."""

    def __init__(self, path: Path, descriptor: int, record: TerminalRecord) -> None:
        self.path = path
        self.record = record
        self._descriptor = descriptor

    @classmethod
    def open(cls, data_dir: str | Path, tid: str) -> TerminalMemory:
        """Opens or creates, locks, and compacts. TerminalBusyError, MemoryFileError, OSError."""
        path = memory_path(data_dir, tid)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(path, tid)
        try:
            data = path.read_bytes()
            record, lines = _fold(path, data, tid)
            if lines != 1 or not data.endswith(b"\n"):  # behind a torn line the next entry could not be read
                descriptor = _compacted(path, descriptor, record)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, record)

    def append(self, entries: Sequence[Entry]) -> None:
        """Writes the entries in one go; OSError when the file does not take them whole.

        A new master key is on the disk before the terminal goes on: it is going to name it, and then the host forgets the former one.
        """
        if entries:
            _write(self._descriptor, _lines(entries))
        if any(isinstance(entry, MasterKept) for entry in entries):
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Gives the terminal back."""
        os.close(self._descriptor)


def _lines(entries: Iterable[Entry]) -> bytes:
    return b"".join(_encoder.encode(entry) + b"\n" for entry in entries)


def _write(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    if written != len(data):
        raise OSError(f"terminal memory: {written} of {len(data)} bytes written; is the disk full?")


def _fold(path: Path, data: bytes, tid: str) -> tuple[TerminalRecord, int]:
    """The record and the number of lines, the torn one included; 0 for an empty file."""
    record = new_record(tid)
    *whole, torn = data.split(b"\n")
    for number, line in enumerate(whole, 1):
        try:
            record = apply(record, _decoder.decode(line))
        except msgspec.DecodeError as error:
            raise MemoryFileError(f"{path}: line {number} cannot be read: {error}") from error
    # A last line without its end was being written when the simulator died: what it says had not happened yet.
    return record, len(whole) + bool(torn)


def _locked(path: Path, tid: str) -> int:
    """A descriptor of the file that stands at `path` now, locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise TerminalBusyError(f"terminal {tid} is in use by another process") from error
        if _stands_at(path, descriptor):
            return descriptor
        os.close(descriptor)  # compacted by another process between our open and our lock


def _stands_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _compacted(path: Path, former: int, record: TerminalRecord) -> int:
    """Puts a one-line file in the place of the former one; the new one is locked before it stands there."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write(descriptor, _lines([Snapshot(record=record)]))
        os.fsync(descriptor)  # before it takes the place of one that held everything
        fresh.replace(path)
    except BaseException:
        os.close(descriptor)
        raise
    os.close(former)
    return descriptor
