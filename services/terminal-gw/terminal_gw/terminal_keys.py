"""The keys that a terminal's message is under, whatever the terminal's scheme (docs/adr/0015).

MK/SK: those of its session, which `sessions` keeps. DUKPT: those that derive from a base key and the serial number (KSN) that the message
itself brings in field 59, so that there is nothing to keep and nothing to ask for.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import world
from contracts import response_codes as rc
from iso8583 import Field53, Field59, FormatError, Message
from security_module import (
    Direction,
    DukptKey,
    Key,
    MessageAuthentication,
    PinFormat,
    SerialNumberError,
    WrappedKey,
    terminal_of,
)
from terminal_gw.answers import Refusal
from terminal_gw.keyring import Keyring
from world import Terminal

_CONTROLS = {
    PinFormat.ISO_0: Field53("2", "6").pack(),
    PinFormat.ISO_3: Field53("3", "6").pack(),
    PinFormat.ISO_4: Field53("4", "4").pack(),
}
"""Field 53 of a terminal with this PIN format."""
_SINGLE_DES = {PinFormat.ISO_0: Field53("2", "0").pack(), PinFormat.ISO_3: Field53("3", "0").pack()}
"""The same where a sign-on has brought single-length keys; those may say 3DES too, as which single DES is done."""
_SINGLE_LENGTH = 8


class MessageKeys(Protocol):
    """Of one message: a Session's, or TransactionKeys."""

    @property
    def mac(self) -> Key:
        """Made field 64 of the request."""

    @property
    def answer_mac(self) -> Key:
        """Makes field 64 of the answer."""

    @property
    def pin(self) -> Key:
        """Is what the PIN block is under."""


class TransactionKeys(NamedTuple):
    """Of one DUKPT transaction, by name: they are derived inside the security module."""

    mac: DukptKey
    answer_mac: DukptKey
    pin: DukptKey


def authenticated(
    module: MessageAuthentication, keyring: Keyring, terminal: Terminal, message: Message, block: bytes
) -> TransactionKeys | Refusal:
    """The keys of a DUKPT terminal's message whose field 64 is right over `block`.

    A refusal tells nobody to sign on again: a sign-on brings no keys here. Whether the counter has been seen is not asked (docs/adr/0015).
    """
    keys = _named(keyring, terminal, message)
    if isinstance(keys, Refusal):
        return keys
    try:
        right = module.verify_mac(keys.mac, block, message.data(64), terminal.mac_algorithm)
    except SerialNumberError:
        return Refusal(rc.FORMAT_ERROR, "59.DF01", "has a transaction counter that no terminal uses")
    return keys if right else Refusal(rc.MAC_ERROR, "64", "is not this message's MAC")


def _named(keyring: Keyring, terminal: Terminal, message: Message) -> TransactionKeys | Refusal:
    """The keys that the message's serial number names, when it is the terminal's own."""
    if 59 not in message.fields:
        return Refusal(rc.FORMAT_ERROR, "59", "is missing: this terminal's keys derive from its serial number")
    try:
        ksn = Field59.parse(message.data(59)).ksn
    except FormatError as error:
        return Refusal.of(error)
    own = world.initial_serial_number(terminal)
    if len(ksn) != len(own):
        return Refusal(rc.FORMAT_ERROR, "59.DF01", f"is not of {len(own)} bytes, as the terminal's scheme has it")
    if terminal_of(ksn) != terminal_of(own):
        return Refusal(rc.MAC_ERROR, "59.DF01", "is not a serial number of this terminal")
    base = keyring.base(terminal.scheme.cipher)
    request = DukptKey(base=base, ksn=ksn)
    return TransactionKeys(
        mac=request, answer_mac=DukptKey(base=base, ksn=ksn, direction=Direction.RESPONSE), pin=request
    )


def pin_block(message: Message, terminal: Terminal, keys: MessageKeys) -> bytes | Refusal:
    """The PIN block of a message that has one, 8 or 16 bytes, when fields 53, 52 and 59 say what the terminal is registered for."""
    if message.text(53) != _CONTROLS[terminal.pin_format] and not _is_single_des(message, terminal, keys.pin):
        return _contradiction(message, terminal)
    if terminal.pin_format is PinFormat.ISO_4:
        block = Field59.parse(message.data(59)).pin_block
        return block or Refusal(rc.FORMAT_ERROR, "59.DF02", "is missing: a block of format 4 has no room in field 52")
    if 52 not in message.fields:
        return Refusal(rc.FORMAT_ERROR, "59.DF02", "is for PIN format 4, which this terminal is not registered for")
    return message.data(52)


def _is_single_des(message: Message, terminal: Terminal, key: Key) -> bool:
    return (
        isinstance(key, WrappedKey)
        and key.length == _SINGLE_LENGTH
        and message.text(53) == _SINGLE_DES.get(terminal.pin_format)
    )


def _contradiction(message: Message, terminal: Terminal) -> Refusal:
    try:
        Field53.parse(message.text(53))
    except FormatError as error:
        return Refusal.of(error)
    wanted = _CONTROLS[terminal.pin_format].rstrip("0")
    return Refusal(rc.FORMAT_ERROR, "53", f"does not begin with {wanted}, as this terminal is registered")
