"""A key that was never stored: named by the base key it derives from and the serial number that a terminal sends with its message (DUKPT)."""

from __future__ import annotations

from enum import Enum, StrEnum, auto

import msgspec

from security_module.errors import SerialNumberError
from security_module.keys import WrappedKey


class Direction(StrEnum):
    """Which way a message goes that a MAC key is for. Host and terminal derive the same key for it."""

    REQUEST = "request"
    """From the terminal; under TDES also the one key for both ways, where a host does not tell them apart."""
    RESPONSE = "response"
    """To the terminal."""


class DukptKey(msgspec.Struct, frozen=True, kw_only=True):
    """The key of one transaction, derived inside the module when it is used. Which cipher it is for is what its use asks for."""

    base: WrappedKey
    """A BASE_DERIVATION key (the host), or the DUKPT_INITIAL key that a terminal was given."""
    ksn: bytes
    """Key serial number: 10 bytes of TDES DUKPT, the last 21 bits the counter; 12 of AES DUKPT, the last 32."""
    direction: Direction = Direction.REQUEST
    """Of MAC keys only."""


class Use(Enum):
    """What a working key is derived for."""

    PIN = auto()
    MAC_REQUEST = auto()
    MAC_RESPONSE = auto()


def counter_of(ksn: bytes, *, length: int, bits: int, most: int) -> int:
    """The transaction counter of a `length`-byte KSN, its last `bits` bits; SerialNumberError when it is 0 or has more than `most` ones,
    which a terminal skips, so that no key is more than `most` derivations away."""
    check_length(ksn, length)
    counter = int.from_bytes(ksn, "big") & ((1 << bits) - 1)
    if not counter or counter.bit_count() > most:
        raise SerialNumberError("ksn: a transaction counter that no terminal uses")
    return counter


def counter_after(counter: int, *, bits: int, most: int) -> int:
    """The next counter that a terminal uses: the smallest above `counter` with at most `most` ones; SerialNumberError when none is left."""
    following = counter + 1
    while following.bit_count() > most:
        following += following & -following  # all up to there have these ones, and more
    if following >> bits:
        raise SerialNumberError("ksn: every transaction counter is used up; the terminal needs a new initial key")
    return following


def check_length(ksn: bytes, length: int) -> None:
    """SerialNumberError unless the KSN has `length` bytes."""
    if len(ksn) != length:
        raise SerialNumberError(f"ksn: {len(ksn)} bytes, {length} are wanted")


def lineage(ksn: bytes, counter: int) -> list[bytes]:
    """The KSN and those whose keys its key derives from, one after the other: each has one more of the counter's lowest ones cleared.

    >>> [one.hex() for one in lineage(bytes.fromhex("AA0B"), 0x0B)]
    ['aa0b', 'aa0a', 'aa08']
    """
    number, line = int.from_bytes(ksn, "big"), []
    while counter:
        line.append(number.to_bytes(len(ksn), "big"))
        lowest = counter & -counter
        number, counter = number - lowest, counter - lowest
    return line
