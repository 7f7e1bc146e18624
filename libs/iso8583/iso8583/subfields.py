"""What stands inside fields 44, 48, 60, 61, 62 and 63 (terminal-protocol, Field formats and Security)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from iso8583.errors import FormatError


def _digits(field: str, text: str, width: int) -> str:
    if len(text) != width or not (text.isascii() and text.isdigit()):
        raise FormatError(field, f"is not {width} digits")
    return text


class Field60(NamedTuple):
    """Field 60: subfields in order; the later ones may be absent, none may be cut short.

    >>> Field60.parse("00000519003").network_code
    '003'
    """

    message_type: str
    """60.1, n2."""
    batch: str
    """60.2, n6."""
    network_code: str = ""
    """60.3, n3."""
    reader_capability: str = ""
    """60.4, n1."""
    ic_condition: str = ""
    """60.5, n1."""
    partial_approval: str = ""
    """60.6, n1."""
    account_type: str = ""
    """60.7, n3."""
    reserved: str = ""
    """Digits behind 60.7, kept as they came, at most 2."""

    @staticmethod
    def parse(text: str) -> Field60:
        """From a field's digits; FormatError names the subfield that is missing or cut short."""
        return _field60(text)

    def pack(self) -> str:
        return "".join(self)


_WIDTHS_60 = (2, 6, 3, 1, 1, 1, 3)


@lru_cache(maxsize=4096)  # it tells a terminal's kind of message and its batch, so it comes again and again
def _field60(text: str) -> Field60:
    values, at = [], 0
    for index, width in enumerate(_WIDTHS_60, start=1):
        if at == len(text) and index > 2:
            break
        values.append(_digits(f"60.{index}", text[at : at + width], width))
        at += width
    rest = text[at:]
    if len(rest) > 2 or not (rest == "" or (rest.isascii() and rest.isdigit())):
        raise FormatError("60", "has more digits than the profile")
    return Field60(*values)._replace(reserved=rest)


class Totals48(NamedTuple):
    """Field 48 of a 0500 and its answer: 62 digits, domestic cards then foreign ones. Amounts in minor units.

    Results: 0 in the request, then 1 balanced, 2 not balanced, 3 error.
    """

    debit_minor: int = 0
    debit_count: int = 0
    credit_minor: int = 0
    credit_count: int = 0
    result: str = "0"
    foreign_debit_minor: int = 0
    foreign_debit_count: int = 0
    foreign_credit_minor: int = 0
    foreign_credit_count: int = 0
    foreign_result: str = "0"

    @classmethod
    def parse(cls, text: str) -> Totals48:
        """From 62 digits, or FormatError."""
        _digits("48", text, 62)
        domestic, foreign = _totals(text[:31]), _totals(text[31:])
        return cls(*domestic, *foreign)

    def pack(self) -> str:
        """62 digits, or FormatError when an amount, a count or a result does not fit."""
        widths = (12, 3, 12, 3, 1) * 2
        text = "".join(f"{value:0>{width}}" for value, width in zip(self, widths, strict=True))
        return _digits("48", text, 62)


def _totals(text: str) -> tuple[int, int, int, int, str]:
    return int(text[:12]), int(text[12:15]), int(text[15:27]), int(text[27:30]), text[30]


class Original61(NamedTuple):
    """Field 61: the transaction that a void, refund or completion is about."""

    batch: str
    stan: str
    date: str
    """MMDD."""
    authorization_mode: str = ""
    """n2, absent or together with the institution."""
    authorizing_institution: str = ""
    """n11."""

    @classmethod
    def parse(cls, text: str) -> Original61:
        """From 16 or 29 digits, or FormatError."""
        _digits("61", text, 29 if len(text) > 16 else 16)
        return cls(text[:6], text[6:12], text[12:16], text[16:18], text[18:])

    def pack(self) -> str:
        return "".join(self)


class DownloadedKey(NamedTuple):
    """One key of a sign-on reply: encrypted under the terminal master key, with its check value."""

    cryptogram: bytes
    """8 or 16 bytes; a single-length key in a 16-byte place is followed by 8 zero bytes."""
    check_value: bytes
    """First 4 bytes of the key's encryption of 8 zero bytes."""


class Keys62(NamedTuple):
    """Field 62 of a sign-on reply: PIN key, MAC key and, in the longest form, track key."""

    pin: DownloadedKey
    mac: DownloadedKey
    track: DownloadedKey | None = None

    @classmethod
    def parse(cls, data: bytes) -> Keys62:
        """From 24, 40 or 60 bytes (sign-on 001, 003, 004), or FormatError."""
        width = {24: 8, 40: 16, 60: 16}.get(len(data))
        if width is None:
            raise FormatError("62", "is not 24, 40 or 60 bytes")
        step = width + 4
        keys = [DownloadedKey(data[at : at + width], data[at + width : at + step]) for at in range(0, len(data), step)]
        return cls(*keys)

    def pack(self) -> bytes:
        """24, 40 or 60 bytes, or FormatError when the keys do not make one of these."""
        keys = [key for key in self if key is not None]
        data = b"".join(key.cryptogram + key.check_value for key in keys)
        if Keys62.parse(data) != self:
            raise FormatError("62", "its keys are not all of one length")
        return data


class Institutions44(NamedTuple):
    """Field 44: issuer and acquirer, each 11 characters filled with spaces on the right."""

    issuer: str
    acquirer: str

    @classmethod
    def parse(cls, text: str) -> Institutions44:
        if len(text) < 11:
            raise FormatError("44", "is too short for an issuer")
        return cls(text[:11].rstrip(), text[11:22].rstrip())

    def pack(self) -> str:
        if max(len(self.issuer), len(self.acquirer)) > 11:
            raise FormatError("44", "an institution is longer than 11 characters")
        return f"{self.issuer:<11}{self.acquirer:<11}"


class Texts63(NamedTuple):
    """Field 63 of an answer: the card organisation, then texts by issuer, network, acquirer and for the terminal."""

    organisation: str
    issuer: str = ""
    network: str = ""
    acquirer: str = ""
    terminal: str = ""

    @classmethod
    def parse(cls, text: str) -> Texts63:
        if len(text) < 3:
            raise FormatError("63", "is too short for an organisation")
        parts = (text[:3], text[3:23], text[23:43], text[43:63], text[63:123])
        return cls(*(part.rstrip() for part in parts))

    def pack(self) -> str:
        """Filled with spaces between the parts, none behind the last."""
        parts = [f"{part:<{width}}" for part, width in zip(self, (3, 20, 20, 20, 60), strict=True)]
        if [len(part) for part in parts] != [3, 20, 20, 20, 60]:
            raise FormatError("63", "a text is longer than its place")
        return "".join(parts).rstrip().ljust(3)
