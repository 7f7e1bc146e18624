"""Field 55: what a chip says in a request, and what its issuer says back (EMV 4.3 Book 3 annex A; terminal-protocol, Field formats).

The request's table is what terminals of this profile send. What is not in it does not go on, and what identifies a card has no place there:
field 2 and 35 say which card it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from iso8583 import tlv
from iso8583.errors import FormatError

FIELD = "55"


class Tag(NamedTuple):
    """One row."""

    name: str
    sizes: range
    """Bytes of its value."""
    mandatory: bool = False
    bcd: bool = False
    """Decimal digits, two a byte."""


def _exactly(size: int) -> range:
    return range(size, size + 1)


AMOUNT, CURRENCY, TRANSACTION_TYPE, CRYPTOGRAM, INFORMATION = "9F02", "5F2A", "9C", "9F26", "9F27"
COUNTER, RESULTS, ISSUER_DATA, APPLICATION = "9F36", "95", "9F10", "84"
AUTHENTICATION, SCRIPT_BEFORE, SCRIPT_AFTER = "91", "71", "72"
COMMAND, SCRIPT_ID = "86", "9F18"

REQUEST: dict[str, Tag] = {
    CRYPTOGRAM: Tag("application cryptogram", _exactly(8), True),
    INFORMATION: Tag("cryptogram information data", _exactly(1), True),
    ISSUER_DATA: Tag("issuer application data", range(7, 33), True),
    "9F37": Tag("unpredictable number", _exactly(4), True),
    COUNTER: Tag("application transaction counter", _exactly(2), True),
    RESULTS: Tag("terminal verification results", _exactly(5), True),
    "9A": Tag("transaction date", _exactly(3), True, True),
    TRANSACTION_TYPE: Tag("transaction type", _exactly(1), True, True),
    AMOUNT: Tag("amount, authorised", _exactly(6), True, True),
    CURRENCY: Tag("currency", _exactly(2), True, True),
    "82": Tag("application interchange profile", _exactly(2), True),
    "9F1A": Tag("country of the terminal", _exactly(2), True, True),
    "9F03": Tag("amount, other", _exactly(6), True, True),
    "9F33": Tag("terminal capabilities", _exactly(3)),
    "9F34": Tag("cardholder verification results", _exactly(3)),
    "9F35": Tag("terminal type", _exactly(1)),
    "9F1E": Tag("serial number of the reader", _exactly(8)),
    APPLICATION: Tag("application identifier", range(5, 17), True),
    "9F09": Tag("application version", _exactly(2)),
    "9F41": Tag("transaction sequence counter", range(2, 5), False, True),
}
"""What goes on."""
CARD_DATA = frozenset({"56", "57", "5A", "5F20", "5F24", "9F0B", "9F1F", "9F20", "9F6B"})
"""Tracks, card number, cardholder's name, expiry: refused by name, so that nobody comes to rely on sending them."""

SCRIPT_RESULTS = "DF31"
_SCRIPT_SIZE, _MOST_SCRIPTS = 5, 4
_SCRIPT_STATES = 3
SCRIPT_NOTICE: dict[str, Tag] = {
    SCRIPT_RESULTS: Tag("script results", range(_SCRIPT_SIZE, _SCRIPT_SIZE * _MOST_SCRIPTS + 1, _SCRIPT_SIZE), True),
    COUNTER: Tag("application transaction counter", _exactly(2), True),
    RESULTS: Tag("terminal verification results", _exactly(5), True),
    **{tag: row._replace(mandatory=False) for tag, row in REQUEST.items() if tag not in (COUNTER, RESULTS)},
}
"""Of a notice of script results (0620): those of the request may stand beside them."""

ARQC, TC, AAC = 0x80, 0x40, 0x00
"""Kind of a cryptogram: the two high bits of tag 9F27. To go online; approved; declined."""
_KIND_BITS = 0xC0


def cryptogram_kind(tags: Mapping[str, bytes]) -> int:
    """ARQC, TC or AAC."""
    return tags[INFORMATION][0] & _KIND_BITS


def parse_request(data: bytes) -> dict[str, bytes]:
    """The tags of a request's field 55 that go on, in the table's order; FormatError names the tag that is missing, damaged or out of place."""
    found = _checked(data, REQUEST)
    if found[INFORMATION][0] & _KIND_BITS == _KIND_BITS:
        raise FormatError(f"{FIELD}.{INFORMATION}", f"{REQUEST[INFORMATION].name}: is no kind of cryptogram")
    return {tag: found[tag] for tag in REQUEST if tag in found}


def _checked(data: bytes, table: Mapping[str, Tag]) -> dict[str, bytes]:
    """Every tag that is there, those of the table as it wants them."""
    found = tlv.parse(data, FIELD)
    for tag in found:
        if tag in CARD_DATA:
            raise FormatError(f"{FIELD}.{tag}", "is card data and has no place in it")
    for tag, row in table.items():
        value = found.get(tag)
        if value is None:
            if row.mandatory:
                raise FormatError(f"{FIELD}.{tag}", f"{row.name}: is missing")
            continue
        if len(value) not in row.sizes:
            raise FormatError(f"{FIELD}.{tag}", f"{row.name}: its length {len(value)} is not {_said(row.sizes)}")
        if row.bcd and not value.hex().isdecimal():
            raise FormatError(f"{FIELD}.{tag}", f"{row.name}: is not digits")
    return found


def _said(sizes: range) -> str:
    if sizes.step > 1:
        return ", ".join(map(str, sizes[:-1])) + f" or {sizes[-1]}"
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"


class ScriptNotice(NamedTuple):
    """What field 55 of a 0620 says."""

    counter: int
    """Of the chip's transaction whose answer brought the scripts (9F36)."""
    results: tuple[int, ...]
    """By script: the first byte of its 5 in DF31."""

    @classmethod
    def parse(cls, data: bytes) -> ScriptNotice:
        """From a field's bytes; FormatError names the tag."""
        found = _checked(data, SCRIPT_NOTICE)
        results = tuple(found[SCRIPT_RESULTS][::_SCRIPT_SIZE])
        if any(result >> 4 >= _SCRIPT_STATES for result in results):
            raise FormatError(f"{FIELD}.{SCRIPT_RESULTS}", "script results: the first digit of each is 0, 1 or 2")
        counter = int.from_bytes(found[COUNTER], "big")
        if not counter:
            raise FormatError(f"{FIELD}.{COUNTER}", "application transaction counter: is 0, which no transaction has")
        return cls(counter, results)


def script_results(done: int, commands: int) -> bytes:
    """DF31 of one script of so many commands of which the first `done` were obeyed; scripts have no identifier here (tag 9F18).

    >>> script_results(1, 1).hex(), script_results(0, 1).hex()
    ('2000000000', '1100000000')
    """
    first = 0x20 if done == commands else 0x10 | min(done + 1, 0x0F)
    return bytes([first]) + bytes(_SCRIPT_SIZE - 1)


class Answer55(NamedTuple):
    """Field 55 of an answer."""

    authentication: bytes = b""
    """Tag 91: the issuer's cryptogram, and what it was made over."""
    scripts: tuple[bytes, ...] = ()
    """The commands of template 72, in order: for the chip once the transaction is decided."""

    @classmethod
    def parse(cls, data: bytes) -> Answer55:
        """From a field's bytes; FormatError names the tag."""
        authentication, commands = b"", []
        for tag, value in tlv.elements(data, FIELD):
            if tag == AUTHENTICATION:
                authentication = value
            elif tag in (SCRIPT_BEFORE, SCRIPT_AFTER):
                commands += [inner.value for inner in tlv.elements(value, f"{FIELD}.{tag}") if inner.tag == COMMAND]
        return cls(authentication, tuple(commands))

    def pack(self) -> bytes:
        """The bytes; nothing when it says nothing."""
        packed = tlv.element(AUTHENTICATION, self.authentication) if self.authentication else b""
        if self.scripts:
            packed += tlv.element(SCRIPT_AFTER, b"".join(tlv.element(COMMAND, command) for command in self.scripts))
        return packed
