"""A message as values: TPDU, header, MTI and fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from iso8583.compiled import Value
from iso8583.errors import FormatError

DEFAULT_TPDU = bytes.fromhex("6000000000")
TPDU_ID = 0x60
"""First byte of every TPDU (terminal-protocol, Framing)."""
_MTIS = frozenset(map("".join, product("0", "12345678", "01234567", "012345")))


class Header(NamedTuple):
    """The 12 BCD digits before the MTI (terminal-protocol, Framing)."""

    application: str = "60"
    """60 magnetic stripe, 61 chip."""
    version: str = "31"
    terminal_state: str = "0"
    processing: str = "0"
    """In a reply a push from the host: 0 none, 1 parameters, 2 status, 3 sign on again, 4 CA keys, 5 IC parameters, 6 management, 7 stop list."""
    software: str = "000000"

    @property
    def digits(self) -> str:
        return "".join(self)

    @classmethod
    def parse(cls, digits: str) -> Header:
        """From 12 digits; FormatError otherwise."""
        if len(digits) != 12 or not (digits.isascii() and digits.isdigit()):
            raise FormatError("header", "is not 12 digits")
        return cls(digits[:2], digits[2:4], digits[4], digits[5], digits[6:])


DEFAULT_HEADER = Header()


@dataclass(slots=True)
class Message:
    """One message. `n`, `z`, `an` and `ans` fields are text with exactly the field's characters, `b` fields (52, 55, 59, 62, 64) are bytes."""

    mti: str
    fields: dict[int, Value] = field(default_factory=dict)
    tpdu: bytes = DEFAULT_TPDU
    header: Header = DEFAULT_HEADER

    def text(self, number: int) -> str:
        """A text field, or the empty string when it is absent."""
        value = self.fields.get(number, "")
        return value if type(value) is str else ""

    def data(self, number: int) -> bytes:
        """A binary field, or no bytes when it is absent."""
        value = self.fields.get(number, b"")
        return value if type(value) is bytes else b""

    def __repr__(self) -> str:  # the default would print card data
        from iso8583.dump import masked_line  # noqa: PLC0415 - the dump knows messages, not the other way round

        return masked_line(self)


def swapped(tpdu: bytes) -> bytes:
    """The TPDU of an answer: destination and source change places.

    >>> swapped(bytes.fromhex("6005250000")).hex()
    '6000000525'
    """
    return tpdu[:1] + tpdu[3:5] + tpdu[1:3]


def check_mti(mti: str) -> None:
    """FormatError unless `mti` has the shape of ISO 8583:1987, clause 4.1: version 0, class, function, origin."""
    if mti not in _MTIS:
        raise FormatError("mti", "is not a message type of ISO 8583:1987")


@lru_cache(maxsize=256)
def reply_mti(mti: str) -> str:
    """The request's MTI + 10; FormatError when `mti` is not a request's.

    >>> reply_mti("0200"), reply_mti("0320")
    ('0210', '0330')
    """
    if len(mti) != 4 or mti[2] not in "0246":
        raise FormatError("mti", "is not a request's")
    return f"{mti[:2]}{int(mti[2]) + 1}{mti[3]}"


@lru_cache(maxsize=256)
def _pushing(header: Header, processing: str) -> Header:
    return header._replace(processing=processing)


def reply_to(request: Message, fields: dict[int, Value], *, processing: str = "0") -> Message:
    """An answer to `request` with these fields; `processing` is the host's push (header)."""
    return Message(
        mti=reply_mti(request.mti),
        fields=fields,
        tpdu=swapped(request.tpdu),
        header=_pushing(request.header, processing),
    )
