"""Card data types that cannot be printed by accident.

A full primary account number (PAN) or track lives in messages on core NATS and in memory, nowhere else. `str`, `repr` and
formatting of these types give the masked form; the clear value must be asked for by name. Only the codec
of `contracts.codec` writes the clear value, and only structs that never go into a stream hold these types.
"""

from __future__ import annotations

import msgspec

from contracts import bounds


def luhn_valid(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B: the check digit of a card number.

    >>> luhn_valid("4111111111111111"), luhn_valid("4111111111111112")
    (True, False)
    """
    total = 0
    for index, char in enumerate(reversed(digits)):
        value = ord(char) - 48
        if index % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def luhn_check_digit(partial: str) -> str:
    """The digit that makes `partial` + digit pass the Luhn check."""
    return next(d for d in "0123456789" if luhn_valid(partial + d))


class Secret:
    """Text whose clear value must be asked for with `clear()`; everything that prints shows a mask."""

    __slots__ = ("_clear",)

    def __init__(self, clear: str) -> None:
        self._clear = clear

    def clear(self) -> str:
        return self._clear

    def masked(self) -> str:
        return "****"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.masked()})"

    def __str__(self) -> str:
        return self.masked()

    def __format__(self, spec: str) -> str:
        return format(self.masked(), spec)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._clear == self._clear

    def __hash__(self) -> int:
        return hash(self._clear)

    def __reduce__(self) -> str:
        raise TypeError(f"{type(self).__name__} is not pickled: card data is not stored")


class Pan(Secret):
    """A primary account number, 12 to 19 digits; shows as first 6 and last 4 (PCI DSS 3.4.1).

    >>> Pan("6212345678901265")
    Pan(621234******1265)
    """

    __slots__ = ()

    @property
    def first6(self) -> str:
        return self._clear[:6] if len(self._clear) >= 12 else ""

    @property
    def last4(self) -> str:
        return self._clear[-4:] if len(self._clear) >= 12 else ""

    def masked(self) -> str:
        if len(self._clear) < 12:  # too short to keep both ends: a mask must not fail open
            return "****"
        return self.first6 + "*" * (len(self._clear) - 10) + self.last4


class Track2(Secret):
    """Track 2 equivalent data, separator `D`: PAN `D` expiry (YYMM) service code (3) discretionary data (ISO/IEC 7813)."""

    __slots__ = ()

    @property
    def pan(self) -> Pan:
        return Pan(self._clear.partition("D")[0])

    @property
    def expiry(self) -> str:
        return self._clear.partition("D")[2][:4]

    @property
    def service_code(self) -> str:
        return self._clear.partition("D")[2][4:7]

    @property
    def discretionary(self) -> str:
        return self._clear.partition("D")[2][7:]


class MaskedCard(msgspec.Struct, frozen=True, kw_only=True):
    """What may be stored of a card: both ends, and a keyed hash to find it again (HMAC-SHA256 under the data key, hex, 32 digits)."""

    first6: bounds.First6
    last4: bounds.Last4
    length: bounds.PanLength
    digest: bounds.Digest

    def __str__(self) -> str:
        return self.first6 + "*" * (self.length - 10) + self.last4
