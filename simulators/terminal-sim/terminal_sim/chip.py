"""The chip of a card: a state machine with keys of its own, and a memory that no power cut takes (EMV 4.3 Book 2 and 3).

It counts each transaction before it says anything, makes its cryptograms, believes its bank by the bank's cryptogram alone, and does what
the bank orders when the order's code is right. Of the commands there are those that the terminal of this project uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import msgspec

from contracts.pan import Track2
from contracts.response_codes import APPROVALS
from iso8583 import chip as tags_of
from security_module import CryptogramVersion, cryptogram, cryptogram_data
from security_module.des import DesKey

MOST_COUNTER = 0xFFFF
"""A chip that has counted so far is used up."""
PIN_TRIES = 3
PROFILE = bytes.fromhex("7C00")
"""Application interchange profile (tag 82)."""
_KEY_INDEX = 1
_NOT_ASKED = 2
"""Kind of the second cryptogram in the card's verification results, before there is one."""
_BLOCK, _UNBLOCK_PIN = bytes.fromhex("841E000004"), bytes.fromhex("8424000004")
"""Commands with the length of their code."""
_APPROVES = 0x80
"""Card status update, second byte: the issuer approves (C10)."""


class ChipMemory(msgspec.Struct, kw_only=True):
    """What a chip remembers."""

    counter: int = 0
    """ATC: the last transaction's. It never goes back."""
    blocked: bool = False
    """By its bank: it takes part in nothing any more."""
    pin_tries_left: int = PIN_TRIES


class Keeping(Protocol):
    """Where the memory is kept. `write` returns when it stands there."""

    def write(self, memory: ChipMemory) -> None: ...


class Written(NamedTuple):
    """What the card factory has written into a chip."""

    track: Track2
    """Track 2 equivalent (tag 57)."""
    sequence: str
    """PAN sequence number, 2 digits (tag 5F34)."""
    application: bytes
    version: CryptogramVersion
    cryptogram_key: DesKey
    script_key: DesKey
    pin: str

    def __repr__(self) -> str:  # the default would print the PIN
        return f"Written({self.track.pan})"


class Made(NamedTuple):
    """What GENERATE AC gives: tags 9F27, 9F36, 9F26 and 9F10."""

    tags: dict[str, bytes]

    @property
    def kind(self) -> int:
        """iso8583.chip: ARQC, TC or AAC."""
        return tags_of.cryptogram_kind(self.tags)


class Chip:
    """One card's. Its calls come in the order of a transaction: `begin`, `first`, and where that was an ARQC `second`, then `command`s."""

    def __init__(self, written: Written, memory: ChipMemory, keeping: Keeping) -> None:
        self.written = written
        self.memory = memory
        self._keeping = keeping
        self._asked: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"Chip({self.written.track.pan})"

    def begin(self) -> str:
        """Why it takes part in no transaction, or nothing: then it has counted this one."""
        if self.memory.blocked:
            return "its bank has blocked the chip"
        if self.memory.counter >= MOST_COUNTER:
            return "the chip is used up"
        self.memory.counter += 1
        self._keeping.write(self.memory)
        return ""

    def verify_pin(self, pin: str) -> bool:
        """Off line, as a terminal without a line would ask: counted before it is looked at."""
        if self.memory.pin_tries_left <= 0:
            return False
        self.memory.pin_tries_left -= 1
        self._keeping.write(self.memory)
        if pin != self.written.pin:
            return False
        self.memory.pin_tries_left = PIN_TRIES
        self._keeping.write(self.memory)
        return True

    def first(self, terminal: Mapping[str, bytes], kind: int) -> Made:
        """The first cryptogram over the terminal's values, of the kind that the terminal asks for."""
        made = self._made(terminal, kind, first=kind, second=_NOT_ASKED << 6)
        self._asked = {**terminal, **made.tags}
        return made

    def second(self, authentication: bytes) -> Made:
        """The second one: a TC where the bank says yes and its cryptogram over that is right, else an AAC. `authentication`: tag 91."""
        kind = tags_of.TC if self._approved(authentication) else tags_of.AAC
        return self._made(self._asked, kind, first=tags_of.ARQC, second=kind)

    def command(self, command: bytes) -> bool:
        """An order of the bank's; whether it was obeyed: its code is right, and the chip knows it."""
        head, code = command[:-4], command[-4:]
        right = cryptogram.script_code(self.written.script_key, self._asked["9F26"], self._asked["9F36"], head)
        if code != right or head not in (_BLOCK, _UNBLOCK_PIN):
            return False
        if head == _BLOCK:
            self.memory.blocked = True
        else:
            self.memory.pin_tries_left = PIN_TRIES
        self._keeping.write(self.memory)
        return True

    def _made(self, terminal: Mapping[str, bytes], kind: int, *, first: int, second: int) -> Made:
        counter = self.memory.counter.to_bytes(2, "big")
        results = bytes([second | first >> 2, 0, 0])
        tags = {
            **terminal,
            "82": PROFILE,
            "9F36": counter,
            "9F10": bytes([6, _KEY_INDEX, self.written.version, len(results), *results]),
        }
        made = cryptogram.application_cryptogram(self._key(counter), self.written.version, cryptogram_data(tags))
        return Made({"9F27": bytes([kind]), "9F36": counter, "9F26": made, "9F10": tags["9F10"], "82": PROFILE})

    def _approved(self, authentication: bytes) -> bool:
        version = self.written.version
        size = 8 if version is CryptogramVersion.CVN_10 else 4
        arpc, word = authentication[:size], authentication[size:]
        if len(word) != (2 if version is CryptogramVersion.CVN_10 else 4):
            return False
        key = self._key(self._asked["9F36"])
        if cryptogram.response_cryptogram(key, version, self._asked["9F26"], word, b"") != arpc:
            return False
        if version is CryptogramVersion.CVN_10:
            return word.decode("ascii", "replace") in APPROVALS
        return bool(word[1] & _APPROVES)

    def _key(self, counter: bytes) -> DesKey:
        card = self.written.cryptogram_key
        return card if self.written.version is CryptogramVersion.CVN_10 else cryptogram.session_key(card, counter)
