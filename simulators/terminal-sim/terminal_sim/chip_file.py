"""The memory of a simulated chip on disk: `<data-dir>/chips/<card>.json`, by the card's name and never its number.

A chip is in one reader at a time: its file is locked while it is there. What is written has reached the disk before the chip says anything,
so that its counter does not go back when the power goes. It may stand there further ahead than the chip is: then a chip that has not come out
of its reader in order leaves numbers out, as real ones do, and few of its transactions wait for the disk. (A data directory that is thrown
away gives new chips, to new banks.)

    ChipFileError
    └── ChipBusyError    the card is in another reader
"""

from __future__ import annotations

import fcntl
import os
from copy import copy
from pathlib import Path

import msgspec
from msgspec import structs

import world
from security_module import CryptogramVersion
from terminal_sim.chip import MOST_COUNTER, Chip, ChipMemory, Written

_decode = msgspec.json.Decoder(ChipMemory).decode


class ChipFileError(Exception):
    """A chip's file cannot be read; the text names it."""


class ChipBusyError(ChipFileError):
    """The card is in another reader."""


class ChipFile:
    """One chip in one reader, until `close`."""

    def __init__(self, path: Path, lock: int, ahead: int) -> None:
        self._path = path
        self._lock = lock
        self._ahead = ahead
        self._stands = self._last = ChipMemory()
        """What stands on disk, and what the chip remembers."""

    @classmethod
    def insert(cls, data_dir: str | Path, name: str, written: Written, *, ahead: int = 0) -> tuple[Chip, ChipFile]:
        """The chip of the card called so, as it was when it was last used. Its counter may stand so far `ahead` on disk.

        ChipBusyError, ChipFileError, OSError.
        """
        path = Path(data_dir) / "chips" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            memory = _decode(path.read_bytes()) if path.exists() else ChipMemory()
        except BlockingIOError:
            os.close(lock)
            raise ChipBusyError(f"card: {name} is in another reader") from None
        except msgspec.DecodeError as error:
            os.close(lock)
            raise ChipFileError(f"{path}: cannot be read: {error}") from None
        file = cls(path, lock, ahead)
        file._stands = file._last = copy(memory)
        return Chip(written, memory, file), file

    def write(self, memory: ChipMemory) -> None:
        """Returns when the memory stands on disk, or one that differs in a counter that is further on."""
        self._last = copy(memory)
        if self._ahead and memory.counter <= self._stands.counter and _but_for_the_counter(memory, self._stands):
            return
        self._put(structs.replace(memory, counter=min(memory.counter + self._ahead, MOST_COUNTER)))

    def _put(self, memory: ChipMemory) -> None:
        fresh = self._path.with_suffix(".new")
        with open(fresh, "wb") as out:
            out.write(msgspec.json.encode(memory))
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(self._path)
        self._stands = memory

    def close(self) -> None:
        """Out of the reader."""
        try:
            if self._stands != self._last:
                self._put(self._last)
        finally:
            os.close(self._lock)


def _but_for_the_counter(memory: ChipMemory, other: ChipMemory) -> bool:
    return structs.replace(memory, counter=other.counter) == other


def written(card: world.Card) -> Written:
    """A card of the world as its factory has written it."""
    institution = world.built_in().institution(card.issuer)
    version = CryptogramVersion(institution.cryptogram_version if institution is not None else CryptogramVersion.CVN_18)
    keys = world.chip_keys(card, version)
    return Written(
        track=world.track2_equivalent(card),
        sequence=world.SEQUENCE,
        application=world.application(card),
        version=version,
        cryptogram_key=keys.cryptogram,
        script_key=keys.script,
        pin=card.pin,
    )
