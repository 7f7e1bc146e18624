"""The card verification value of the stripe (CVV) and the PIN verification value (PVV)."""

from __future__ import annotations

from security_module.des import DesKey
from security_module.errors import CardDataError

_NO_LETTERS = str.maketrans("", "", "abcdef")
_LETTERS_LESS_10 = str.maketrans("abcdef", "012345", "0123456789")


def check_digits(text: str, length: range, name: str) -> str:
    if len(text) not in length or not (text.isascii() and text.isdigit()):
        raise CardDataError(f"{name}: not {length.start} to {length.stop - 1} digits")
    return text


def decimalise(block: bytes, count: int) -> str:
    """The digits of the block's hex form in their order, then its letters less 10, the first `count` of them."""
    text = block.hex()
    digits = text.translate(_NO_LETTERS)
    return digits[:count] if len(digits) >= count else (digits + text.translate(_LETTERS_LESS_10))[:count]


def cvv(key: DesKey, pan: str, expiry: str, service_code: str) -> str:
    """3 digits over PAN, expiry (YYMM) and service code under a double-length key; CardDataError when one is not digits."""
    check_digits(pan, range(12, 20), "pan")
    check_digits(expiry, range(4, 5), "expiry")
    check_digits(service_code, range(3, 4), "service code")
    data = bytes.fromhex((pan + expiry + service_code).ljust(32, "0"))
    first = key.left().encrypt(data[:8])
    second = int.from_bytes(first, "big") ^ int.from_bytes(data[8:], "big")
    return decimalise(key.encrypt(second.to_bytes(8, "big")), 3)


def pvv(key: DesKey, pan: str, pin: str, pvki: str) -> str:
    """4 digits over the 11 PAN digits before the check digit, PVKI and the PIN's first 4 digits; CardDataError when one is not digits."""
    check_digits(pan, range(12, 20), "pan")
    check_digits(pin, range(4, 13), "pin")
    check_digits(pvki, range(1, 2), "pvki")
    return decimalise(key.encrypt(bytes.fromhex(pan[-12:-1] + pvki + pin[:4])), 4)
