"""ISO 9564-1 format 4: the PIN block of 16 bytes under an AES key. The block is bound to the whole PAN between two encryptions."""

from __future__ import annotations

import os

from security_module.aes import AesKey
from security_module.errors import PinFormatError
from security_module.pin_block import PIN_LENGTHS, check_pan, check_pin, refused

_CONTROL = "4"
_FILL = "A" * 16


def _pin_field(pin: str) -> int:
    """`4`, length, PIN, `A…` to 8 bytes, 8 random bytes (ISO 9564-1, 9.3.6.2)."""
    check_pin(pin)
    return int(f"{_CONTROL}{len(pin):X}{pin}{_FILL}"[:16] + os.urandom(8).hex(), 16)


def _pan_field(pan: str) -> int:
    """The PAN's length less 12, the PAN, zeros to 16 bytes (ISO 9564-1, 9.3.6.3)."""
    check_pan(pan)
    return int(f"{len(pan) - 12:X}{pan}".ljust(32, "0"), 16)


def _mix(block: bytes, pan_field: int) -> bytes:
    return (int.from_bytes(block, "big") ^ pan_field).to_bytes(16, "big")


def seal(key: AesKey, pin: str, pan: str) -> bytes:
    """The encrypted block; PinFormatError unless the PIN has 4 to 12 digits and the PAN 12 to 19."""
    first = key.encrypt(_pin_field(pin).to_bytes(16, "big"))
    return key.encrypt(_mix(first, _pan_field(pan)))


def unseal(key: AesKey, block: bytes, pan: str) -> str:
    """The PIN; PinFormatError when the block holds none for this PAN under this key."""
    if len(block) != 16:
        raise PinFormatError(f"PIN block: {len(block)} bytes, format 4 has 16")
    clear = key.decrypt(_mix(key.decrypt(block), _pan_field(pan)))
    text = clear[:8].hex().upper()
    length = int(text[1], 16)
    pin = text[2 : 2 + length]
    if (
        text[0] != _CONTROL
        or length not in PIN_LENGTHS
        or not pin.isdigit()
        or text[2 + length :] != _FILL[2 + length :]
    ):
        raise refused()
    return pin
