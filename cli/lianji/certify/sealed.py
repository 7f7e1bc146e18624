"""Messages as a certification sends them: ready to go, changed before their MAC or behind it; and the seal that a terminal of a profile has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from iso8583 import MAC_SIZE, FormatError, Message, Totals48, Value, encode
from lianji.certify.profile import TerminalEntry
from lianji.certify.verdict import Failed, expect, require
from security_module import Algorithm
from terminal_sim.dukpt_seal import DukptSeal
from terminal_sim.record import Transaction
from terminal_sim.seal import Seal, SessionSeal
from world import KeyScheme

BALANCED, UNBALANCED, NOT_OPEN = "1", "2", "3"
"""Results of a settlement (field 48, digit 31)."""

Fields = Mapping[int, Value | None]
"""What is put into a message before its MAC is made, or taken out of it (None)."""


class Exchange(NamedTuple):
    """What went to and fro, for the report."""

    request: Message | None
    answer: Message | None


class Sealed(NamedTuple):
    """A message that is ready to go."""

    message: Message
    body: bytes
    of: Transaction | None = None
    """The transaction that it makes, or undoes."""


def seal_for(entry: TerminalEntry) -> Seal:
    """What the terminal does with its key; it keeps nothing, so its local key is a new one."""
    local = os.urandom(32)
    if entry.scheme is KeyScheme.SESSION:
        return SessionSeal(local, bytes.fromhex(entry.tmk), entry.mac, entry.pin_format)
    return DukptSeal(
        local,
        bytes.fromhex(entry.ik),
        bytes.fromhex(entry.ksn),
        cipher=Algorithm.AES if entry.scheme is KeyScheme.DUKPT_AES else Algorithm.TDES,
        algorithm=entry.mac,
        pin_format=entry.pin_format,
    )


def plain(message: Message, change: Fields | None = None) -> Sealed:
    """A message without a MAC."""
    message = changed(message, change)
    return Sealed(message, encode(message))


def changed(message: Message, change: Fields | None) -> Message:
    """A copy with other fields."""
    fields = {number: value for number, value in {**message.fields, **(change or {})}.items() if value is not None}
    return Message(message.mti, fields, message.tpdu, message.header)


def tampered(sealed: Sealed, change: Fields) -> Sealed:
    """Other fields under the same MAC."""
    message = changed(sealed.message, {**change, 64: sealed.body[-MAC_SIZE:]})
    return Sealed(message, encode(message), sealed.of)


def refused_bare(answer: Message, code: str) -> None:
    """Failed unless this is how a message is answered whose own MAC was not right: a MAC on that could be handed to its terminal for another answer."""
    expect("39 (response code)", wanted=code, got=answer.text(39))
    require(64 not in answer.fields, "64: a MAC on the answer to a message that has no right one")


def result_of(answer: Message) -> Totals48:
    """Field 48 of a 0510; Failed when it cannot be read."""
    require(39 not in answer.fields, f"39: a settlement is answered by its field 48, and not with {answer.text(39)}")
    try:
        return Totals48.parse(answer.text(48))
    except FormatError as error:
        raise Failed(str(error)) from None
