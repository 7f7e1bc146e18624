"""Which fields a message must have: one table, keyed by what tells the message apart (terminal-protocol, Which fields).

A request of money is told apart by MTI, processing code (3), condition code (25) and message type (60.1); management by MTI and
network code (60.3).
"""

from __future__ import annotations

from typing import NamedTuple

from iso8583.errors import FormatError
from iso8583.message import Message
from iso8583.protection import Field59
from iso8583.subfields import Field60


class Rule(NamedTuple):
    """What one kind of message needs."""

    name: str
    mandatory: tuple[int, ...]
    card: bool = False
    """Field 2 or 35 must say which card."""
    mac: bool = True


_BASE = (3, 4, 11, 22, 25, 41, 42, 49, 60, 64)
_BASE_REPLY = (3, 4, 11, 12, 13, 25, 32, 37, 39, 41, 42, 44, 49, 60, 63, 64)
_REVERSAL = (3, 4, 11, 22, 25, 39, 41, 42, 49, 60, 64)

# (MTI, field 3, field 25, 60.1) -> rule
FINANCIAL: dict[tuple[str, str, str, str], Rule] = {
    ("0200", "310000", "00", "01"): Rule("balance inquiry", (3, 11, 22, 25, 41, 42, 49, 60, 64), card=True),
    ("0200", "000000", "00", "22"): Rule("sale", _BASE, card=True),
    ("0200", "200000", "00", "23"): Rule("void of a sale", (*_BASE, 37, 61), card=True),
    ("0220", "200000", "00", "25"): Rule("refund", (*_BASE, 37, 61, 63), card=True),
    ("0100", "030000", "06", "10"): Rule("pre-authorization", _BASE, card=True),
    ("0100", "200000", "06", "11"): Rule("pre-authorization void", (*_BASE, 38, 61), card=True),
    ("0200", "000000", "06", "20"): Rule("completion, request", (*_BASE, 61), card=True),
    ("0220", "000000", "06", "24"): Rule("completion, advice", (*_BASE, 61), card=True),
    ("0200", "200000", "06", "21"): Rule("completion void", (*_BASE, 37, 61), card=True),
    ("0200", "000000", "64", "22"): Rule("instalment sale", (*_BASE, 62), card=True),
    ("0200", "200000", "64", "23"): Rule("instalment void", (*_BASE, 37, 61), card=True),
    ("0400", "000000", "00", "22"): Rule("reversal of a sale", _REVERSAL),
    ("0210", "000000", "00", "22"): Rule("sale, answer", _BASE_REPLY),
    ("0410", "000000", "00", "22"): Rule("reversal of a sale, answer", _BASE_REPLY),
}

# (MTI, 60.3) -> rule
MANAGEMENT: dict[tuple[str, str], Rule] = {
    ("0800", "001"): Rule("sign-on, single-length keys", (11, 41, 42, 60, 63), mac=False),
    ("0800", "003"): Rule("sign-on, double-length keys", (11, 41, 42, 60, 63), mac=False),
    ("0800", "004"): Rule("sign-on, with track key", (11, 41, 42, 60, 63), mac=False),
    ("0820", "002"): Rule("sign-off", (11, 41, 42, 60), mac=False),
    ("0820", "301"): Rule("echo", (41, 42, 60), mac=False),
    ("0500", "201"): Rule("batch settlement", (11, 41, 42, 48, 49, 60, 63), mac=False),
    ("0810", "001"): Rule("sign-on, answer", (11, 12, 13, 32, 37, 39, 41, 42, 60), mac=False),
    ("0810", "003"): Rule("sign-on, answer", (11, 12, 13, 32, 37, 39, 41, 42, 60), mac=False),
    ("0830", "002"): Rule("sign-off, answer", (11, 12, 13, 39, 41, 42, 60), mac=False),
    ("0830", "301"): Rule("echo, answer", (12, 13, 39, 41, 42, 60), mac=False),
    ("0510", "201"): Rule("batch settlement, answer", (11, 12, 13, 15, 32, 37, 41, 42, 48, 49, 60, 63), mac=False),
}

_FINANCIAL_MTIS = frozenset(key[0] for key in FINANCIAL)


def carries_mac(mti: str) -> bool:
    """08xx, 0500 and batch 0320 (and their answers) carry no MAC; everything else does."""
    return mti[:2] not in ("08", "05", "03")


def rule_for(message: Message) -> Rule | None:
    """The row of this message, or None when the profile has no such kind; FormatError when what tells kinds apart is missing."""
    mti = message.mti
    _require(message, (60,))
    sixty = Field60.parse(message.text(60))
    if mti in _FINANCIAL_MTIS:
        _require(message, (3, 25))
        return FINANCIAL.get((mti, message.text(3), message.text(25), sixty.message_type))
    return MANAGEMENT.get((mti, sixty.network_code))


def check_profile(message: Message) -> None:
    """FormatError that names the first missing or contradictory field.

    A kind without a row passes: it is unsupported, not malformed. A refusal (39 is not 00) passes: it says what it can.
    """
    rule = rule_for(message)
    refusal = message.mti[2:3] in ("1", "3") and message.text(39) not in ("", "00")
    if rule is None or refusal:
        return
    _require(message, rule.mandatory)
    if rule.card and not (2 in message.fields or 35 in message.fields):
        raise FormatError("2", f"{rule.name}: neither a card number nor a track says which card")
    blocks = (52 in message.fields) + _long_pin_block(message)
    if blocks and 53 not in message.fields:
        raise FormatError("53", f"{rule.name}: is missing beside a PIN block")
    if blocks > 1:
        raise FormatError("59.DF02", f"{rule.name}: is a second PIN block, beside field 52")
    if rule.card and (message.text(22)[2:] == "1") != blocks:
        raise FormatError("52", f"{rule.name}: contradicts what field 22 says about a PIN")


def _long_pin_block(message: Message) -> bool:
    """Whether field 59 brings the PIN block; FormatError when it cannot be read."""
    return 59 in message.fields and bool(Field59.parse(message.data(59)).pin_block)


def _require(message: Message, numbers: tuple[int, ...]) -> None:
    for number in numbers:
        if number not in message.fields:
            raise FormatError(str(number), "is missing")
