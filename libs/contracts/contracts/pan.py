"""Card data types that cannot be printed by accident.

A full primary account number (PAN), a track or a PIN block lives in messages on core NATS and in memory, nowhere else. `str`, `repr`
and formatting of these types give the masked form; the clear value must be asked for by name. An encoder that does not know them
refuses them, or writes the mask; `contracts.codec` alone writes the clear value, of the two messages that carry cards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import msgspec

from contracts import bounds

_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
"""Twice a digit, the digits of that added up."""


def luhn_valid(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B: the check digit of a card number.

    >>> luhn_valid("4111111111111111"), luhn_valid("4111111111111112")
    (True, False)
    """
    text = digits.encode()
    return (sum(text[::-2]) + sum(text[-2::-2].translate(_DOUBLED)) - ord("0") * len(text)) % 10 == 0


def luhn_check_digit(partial: str) -> str:
    """The digit that makes `partial` + digit pass the Luhn check."""
    return next(d for d in "0123456789" if luhn_valid(partial + d))


class Guarded:
    """What prints shows a mask, what copies gives the same object (a copy would be one more place in memory), what pickles is refused."""

    __slots__ = ()

    def masked(self) -> str:
        return "****"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.masked()})"

    def __str__(self) -> str:
        return self.masked()

    def __format__(self, spec: str) -> str:
        return format(self.masked(), spec)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> str:
        raise TypeError(f"{type(self).__name__} is not pickled: card data is not stored")


class Secret(Guarded):
    """Text whose clear value must be asked for with `clear()`. Encoders that do not know the type refuse it."""

    __slots__ = ("_clear",)

    def __init__(self, clear: str) -> None:
        _hold(self, clear)

    def clear(self) -> str:
        return _held(self)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _held(other) == _held(self)

    def __hash__(self) -> int:
        return hash(_held(self))


# The slot stays and its name goes: no attribute leads to the clear value, so what walks over an object's attributes (dir, __slots__,
# __getstate__) meets none, whatever library does it.
_slot: Any = Secret.__dict__["_clear"]
del Secret._clear  # type: ignore[attr-defined]
_hold: Callable[[Secret, str], None] = _slot.__set__
_held: Callable[[Secret], str] = _slot.__get__


class Pan(Secret):
    """A primary account number, 12 to 19 digits; shows as first 6 and last 4 (PCI DSS 3.4.1).

    >>> Pan("6212345678901265")
    Pan(621234******1265)
    """

    __slots__ = ()

    @property
    def first6(self) -> str:
        clear = _held(self)
        return clear[:6] if len(clear) >= 12 else ""

    @property
    def last4(self) -> str:
        clear = _held(self)
        return clear[-4:] if len(clear) >= 12 else ""

    def masked(self) -> str:
        length = len(_held(self))
        if length < 12:  # too short to keep both ends: a mask must not fail open
            return "****"
        return self.first6 + "*" * (length - 10) + self.last4


class Track2(Secret):
    """Track 2 equivalent data, separator `D`: PAN `D` expiry (YYMM) service code (3) discretionary data (ISO/IEC 7813)."""

    __slots__ = ()

    @property
    def pan(self) -> Pan:
        return Pan(_held(self).partition("D")[0])

    @property
    def expiry(self) -> str:
        return _held(self).partition("D")[2][:4]

    @property
    def service_code(self) -> str:
        return _held(self).partition("D")[2][4:7]

    def discretionary(self) -> str:
        """The rest, with the CVV in it: a method, so that nothing that walks over attributes meets it."""
        return _held(self).partition("D")[2][7:]


class PinBlock(Guarded, bytes):
    """An encrypted PIN block (ISO 9564-1): bytes to whoever works with it. Encoders that do not know the type refuse it."""

    __slots__ = ()


class MaskedCard(msgspec.Struct, frozen=True, kw_only=True):
    """What may be stored of a card: both ends, a keyed hash to find it again, and the number sealed."""

    first6: bounds.First6
    last4: bounds.Last4
    length: bounds.PanLength
    digest: bounds.Digest
    """HMAC-SHA256 of the number under version `key_version` of the data key, hex, 32 digits."""
    key_version: bounds.KeyVersion = 0
    """The data key's version that made `digest` and `sealed`; 0 in records older than versions, whose digest nothing finds."""
    sealed: bounds.SealedPan = b""
    """AES-256-GCM of the number's digits: nonce (12), as many bytes as digits, tag (16). It opens with `sealed_with` its transaction."""

    def __str__(self) -> str:
        return self.first6 + "*" * (self.length - 10) + self.last4


def sealed_with(transaction: str) -> bytes:
    """The associated data of a sealed card number: in the record of another transaction it does not open."""
    return f"pan of {transaction}".encode()
