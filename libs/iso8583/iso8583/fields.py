"""The field table of the CUP profile: one row per field, nothing else (terminal-protocol, Field formats).

Lengths are counted in the unit that the wire counts: digits for `n` and `z`, characters for `an` and `ans`, bytes for `b`.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Format(Enum):
    """What a field may hold, and how it is written."""

    N = "n"
    """Decimal digits, two to a byte (BCD)."""
    Z = "z"
    """Track data: digits and the separator `D`, two to a byte."""
    AN = "an"
    """ASCII letters and digits."""
    ANS = "ans"
    """Printable ASCII, the space included."""
    B = "b"
    """Bytes."""


class Length(Enum):
    """How a field says how long it is."""

    FIXED = "fixed"
    LLVAR = "LLVAR"
    """One BCD byte before the content."""
    LLLVAR = "LLLVAR"
    """Two BCD bytes before the content."""


class Align(Enum):
    """Where the zero goes when an odd number of digits fills whole bytes."""

    LEFT = "left"
    """Content first, the zero last."""
    RIGHT = "right"
    """The zero first, content last."""


class Shown(Enum):
    """How much of a field a dump may show."""

    CLEAR = "clear"
    PAN = "first 6 and last 4"
    NEVER = "never"


class Field(NamedTuple):
    """One row: what field `number` is called and how it stands on the wire."""

    number: int
    name: str
    format: Format
    kind: Length
    length: int
    """The length when fixed, else the most it may be."""
    minimum: int = 1
    align: Align = Align.LEFT
    shown: Shown = Shown.CLEAR

    @property
    def notation(self) -> str:
        """As specifications write it.

        >>> FIELDS[4].notation, FIELDS[32].notation
        ('n12', 'LLVAR n..11')
        """
        if self.kind is Length.FIXED:
            return f"{self.format.value}{self.length}"
        return f"{self.kind.value} {self.format.value}..{self.length}"


_N, _Z, _AN, _ANS, _B = Format.N, Format.Z, Format.AN, Format.ANS, Format.B
_FIXED, _LL, _LLL = Length.FIXED, Length.LLVAR, Length.LLLVAR

_ROWS = (
    Field(2, "primary account number", _N, _LL, 19, minimum=12, shown=Shown.PAN),
    Field(3, "processing code", _N, _FIXED, 6),
    Field(4, "amount", _N, _FIXED, 12),
    Field(11, "system trace audit number", _N, _FIXED, 6),
    Field(12, "local time", _N, _FIXED, 6),
    Field(13, "local date", _N, _FIXED, 4),
    Field(14, "expiry date", _N, _FIXED, 4, shown=Shown.NEVER),
    Field(15, "settlement date", _N, _FIXED, 4),
    Field(22, "point of service entry mode", _N, _FIXED, 3),
    Field(23, "card sequence number", _N, _FIXED, 3, align=Align.RIGHT),
    Field(25, "point of service condition code", _N, _FIXED, 2),
    Field(26, "PIN capture code", _N, _FIXED, 2),
    Field(32, "acquiring institution", _N, _LL, 11),
    Field(35, "track 2", _Z, _LL, 37, minimum=20, shown=Shown.NEVER),
    Field(36, "track 3", _Z, _LLL, 104, shown=Shown.NEVER),
    Field(37, "retrieval reference number", _AN, _FIXED, 12),
    Field(38, "authorization code", _AN, _FIXED, 6),
    Field(39, "response code", _AN, _FIXED, 2),
    Field(41, "terminal", _ANS, _FIXED, 8),
    Field(42, "merchant", _ANS, _FIXED, 15),
    Field(44, "issuer and acquirer", _ANS, _LL, 25),
    Field(48, "additional data: totals, details", _N, _LLL, 322, shown=Shown.NEVER),  # details hold card numbers
    Field(49, "currency", _AN, _FIXED, 3),
    Field(52, "PIN block", _B, _FIXED, 8, shown=Shown.NEVER),
    Field(53, "security control", _N, _FIXED, 16),
    Field(54, "balances", _ANS, _LLL, 120),
    Field(55, "chip data", _B, _LLL, 255, shown=Shown.NEVER),  # tags 57 and 5A are track 2 and card number
    Field(59, "key serial number and PIN block", _B, _LLL, 255, shown=Shown.NEVER),
    Field(60, "message type, batch, network code", _N, _LLL, 19),
    Field(61, "original transaction", _N, _LLL, 29),
    Field(62, "keys, instalment, target card", _B, _LLL, 999, shown=Shown.NEVER),
    Field(63, "operator, organisation and texts", _ANS, _LLL, 163),
    Field(64, "message authentication code", _B, _FIXED, 8, shown=Shown.NEVER),
)

FIELDS: dict[int, Field] = {row.number: row for row in _ROWS}
