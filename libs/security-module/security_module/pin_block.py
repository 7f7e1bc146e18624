"""ISO 9564-1 formats 0 and 3: the clear PIN block of 8 bytes, for TDES keys. Nothing here leaves the module."""

from __future__ import annotations

import secrets
from enum import StrEnum

from security_module.errors import PinFormatError

PIN_LENGTHS = range(4, 13)
_FILL = "F" * 16
_RANDOM_FILL = "ABCDEF"


class PinFormat(StrEnum):
    """How a PIN stands in its block (ISO 9564-1:2017, clause 9.3)."""

    ISO_0 = "iso-0"
    """With the account; filled with F. TDES, 8 bytes."""
    ISO_3 = "iso-3"
    """With the account; filled at random, so that one PIN of one card gives many blocks. TDES, 8 bytes."""
    ISO_4 = "iso-4"
    """With the account and 8 random bytes. AES, 16 bytes (`pin_block_aes`)."""


_ISO_0 = PinFormat.ISO_0  # found once: a member of an Enum costs 100 ns to find by name
_CONTROL = {PinFormat.ISO_0: "0", PinFormat.ISO_3: "3"}


def check_pin(pin: str) -> None:
    """PinFormatError unless the PIN has 4 to 12 digits."""
    if len(pin) not in PIN_LENGTHS or not (pin.isascii() and pin.isdigit()):
        raise PinFormatError("pin: not 4 to 12 digits")


def check_pan(pan: str) -> None:
    """PinFormatError unless the PAN has 12 to 19 digits."""
    if not (12 <= len(pan) <= 19 and pan.isascii() and pan.isdigit()):
        raise PinFormatError("pan: not 12 to 19 digits")


def refused() -> PinFormatError:
    return PinFormatError("PIN block: does not hold a PIN for this card")


def _account(pan: str) -> int:
    """`0000` and the 12 digits before the check digit, as a number (ISO 9564-1, 9.3.2.2)."""
    check_pan(pan)
    return int(pan[-13:-1], 16)


def _random_fill() -> str:
    return "".join(secrets.choice(_RANDOM_FILL) for _ in range(10))


def build(pin: str, pan: str, pin_format: PinFormat = PinFormat.ISO_0) -> bytes:
    """The 8 bytes control digit, length, PIN, fill, combined with the account; PinFormatError unless the PIN has 4 to 12 digits.

    >>> build("123456", "123456789012345678").hex().upper()
    '061253DFFEDCBA98'
    """
    check_pin(pin)
    fill = _FILL if pin_format is _ISO_0 else _random_fill()
    field = int(f"{_CONTROL[pin_format]}{len(pin):X}{pin}{fill}"[:16], 16)
    return (field ^ _account(pan)).to_bytes(8, "big")


def parse(block: bytes, pan: str, pin_format: PinFormat = PinFormat.ISO_0) -> str:
    """The PIN of a clear block; PinFormatError when it holds none for this PAN.

    >>> parse(bytes.fromhex("061253DFFEDCBA98"), "123456789012345678")
    '123456'
    """
    if len(block) != 8:
        raise PinFormatError(f"PIN block: {len(block)} bytes, formats 0 and 3 have 8")
    text = f"{int.from_bytes(block, 'big') ^ _account(pan):016X}"
    length = int(text[1], 16)
    pin, fill = text[2 : 2 + length], text[2 + length :]
    filled = fill == _FILL[2 + length :] if pin_format is _ISO_0 else not fill.strip(_RANDOM_FILL)
    if text[0] != _CONTROL[pin_format] or length not in PIN_LENGTHS or not pin.isdigit() or not filled:
        raise refused()
    return pin
