"""ISO 9564-1 format 0: the clear PIN block. Nothing here leaves the module."""

from __future__ import annotations

from security_module.errors import PinFormatError

_LENGTHS = range(4, 13)
_FILL = "F" * 16


def _account(pan: str) -> int:
    """`0000` and the 12 digits before the check digit, as a number (ISO 9564-1, 9.3.2.2)."""
    if not (12 <= len(pan) <= 19 and pan.isascii() and pan.isdigit()):
        raise PinFormatError("pan: not 12 to 19 digits")
    return int(pan[-13:-1], 16)


def build(pin: str, pan: str) -> bytes:
    """The 8 bytes `0`, length, PIN, `F…`, combined with the account; PinFormatError unless the PIN has 4 to 12 digits.

    >>> build("123456", "123456789012345678").hex().upper()
    '061253DFFEDCBA98'
    """
    if len(pin) not in _LENGTHS or not (pin.isascii() and pin.isdigit()):
        raise PinFormatError("pin: not 4 to 12 digits")
    field = int(f"0{len(pin):X}{pin}{_FILL}"[:16], 16)
    return (field ^ _account(pan)).to_bytes(8, "big")


def parse(block: bytes, pan: str) -> str:
    """The PIN of a clear block; PinFormatError when it holds none for this PAN.

    >>> parse(bytes.fromhex("061253DFFEDCBA98"), "123456789012345678")
    '123456'
    """
    if len(block) != 8:
        raise PinFormatError(f"PIN block: {len(block)} bytes, format 0 has 8")
    text = f"{int.from_bytes(block, 'big') ^ _account(pan):016X}"
    length = int(text[1], 16)
    pin = text[2 : 2 + length]
    if text[0] != "0" or length not in _LENGTHS or not pin.isdigit() or text[2 + length :] != _FILL[2 + length :]:
        raise PinFormatError("PIN block: does not hold a PIN for this card")
    return pin
