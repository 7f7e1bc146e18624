"""Which fields a message must have: one table, keyed by what tells the message apart (terminal-protocol, Which fields).

A request of money is told apart by MTI, processing code (3), condition code (25) and message type (60.1); management by MTI and
network code (60.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from iso8583.errors import FormatError
from iso8583.message import Message, reply_mti
from iso8583.protection import Field59
from iso8583.subfields import Field60


class Rule(NamedTuple):
    """What one kind of message needs."""

    name: str
    mandatory: tuple[int, ...]
    card: bool = False
    """Field 2 or 35 must say which card."""
    mac: bool = True
    absent: tuple[int, ...] = ()
    """What has no place in it."""


class _Kind(NamedTuple):
    """A transaction, as far as its fields differ from the base ones."""

    name: str
    mti: str
    processing_code: str
    condition_code: str
    message_type: str
    reversible: bool = True
    more: tuple[int, ...] = ()
    """Mandatory in its request, beside the base."""
    answered: tuple[int, ...] = ()
    """Mandatory in its answer, beside the base."""
    absent: tuple[int, ...] = ()
    """In request and answer."""


_BASE = (3, 4, 11, 22, 25, 41, 42, 49, 60, 64)
_BASE_REPLY = (3, 4, 11, 12, 13, 25, 32, 37, 39, 41, 42, 44, 49, 60, 63, 64)
_REVERSAL = (3, 4, 11, 22, 25, 39, 41, 42, 49, 60, 64)

_KINDS = (
    _Kind("balance inquiry", "0200", "310000", "00", "01", False, answered=(54,), absent=(4,)),
    _Kind("sale", "0200", "000000", "00", "22"),
    _Kind("void of a sale", "0200", "200000", "00", "23", more=(37, 61)),
    _Kind("refund", "0220", "200000", "00", "25", False, more=(37, 61, 63)),
    _Kind("pre-authorization", "0100", "030000", "06", "10"),
    _Kind("pre-authorization void", "0100", "200000", "06", "11", more=(38, 61)),
    _Kind("completion, request", "0200", "000000", "06", "20", more=(61,)),
    _Kind("completion, advice", "0220", "000000", "06", "24", False, more=(61,), absent=(52,)),
    _Kind("completion void", "0200", "200000", "06", "21", more=(37, 61)),
    _Kind("instalment sale", "0200", "000000", "64", "22", more=(62,), answered=(62,)),
    _Kind("instalment void", "0200", "200000", "64", "23", more=(37, 61)),
    _Kind("transfer", "0200", "400000", "66", "49", more=(62,)),
    _Kind("cardholder check", "0100", "330000", "00", "01", False, absent=(4,)),
    _Kind("offline sale", "0220", "000000", "00", "30", False, more=(2,), absent=(52,)),
)
"""terminal-protocol, Transactions; the offline sale is ours."""


def _rules(kind: _Kind) -> Iterator[tuple[tuple[str, str, str, str], Rule]]:
    """Of a kind's request and answer; of its reversal and that one's answer, where it has one."""
    told = kind.processing_code, kind.condition_code, kind.message_type

    def without(numbers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(number for number in numbers if number not in kind.absent)

    yield (kind.mti, *told), Rule(kind.name, (*without(_BASE), *kind.more), card=True, absent=kind.absent)
    answered = (*without(_BASE_REPLY), *kind.answered)
    yield (reply_mti(kind.mti), *told), Rule(f"{kind.name}, answer", answered, absent=kind.absent)
    if kind.reversible:
        name = f"reversal of {'an' if kind.name[0] in 'aeiou' else 'a'} {kind.name}"
        yield ("0400", *told), Rule(name, _REVERSAL)
        yield ("0410", *told), Rule(f"{name}, answer", _BASE_REPLY)


FINANCIAL: dict[tuple[str, str, str, str], Rule] = dict(row for kind in _KINDS for row in _rules(kind))
"""(MTI, field 3, field 25, 60.1) -> rule."""

# (MTI, 60.3) -> rule
MANAGEMENT: dict[tuple[str, str], Rule] = {
    ("0800", "001"): Rule("sign-on, single-length keys", (11, 41, 42, 60, 63), mac=False),
    ("0800", "003"): Rule("sign-on, double-length keys", (11, 41, 42, 60, 63), mac=False),
    ("0800", "004"): Rule("sign-on, with track key", (11, 41, 42, 60, 63), mac=False),
    ("0820", "002"): Rule("sign-off", (11, 41, 42, 60), mac=False),
    ("0820", "301"): Rule("echo", (41, 42, 60), mac=False),
    ("0820", "362"): Rule("status", (41, 42, 60), mac=False),
    ("0820", "393"): Rule("stop list query", (2, 11, 41, 42, 60), mac=False),
    ("0620", "951"): Rule("script results", (3, 11, 37, 41, 42, 49, 55, 60, 61, 64)),
    ("0630", "951"): Rule("script results, answer", (3, 11, 12, 13, 32, 37, 39, 41, 42, 49, 60, 64)),
    ("0500", "201"): Rule("batch settlement", (11, 41, 42, 48, 49, 60, 63), mac=False),
    ("0320", "201"): Rule("batch upload, details", (11, 41, 42, 48, 60), mac=False),
    ("0320", "203"): Rule("batch upload, chip details", (11, 41, 42, 48, 55, 60), mac=False),
    ("0320", "202"): Rule("batch upload, end of an unbalanced batch", (11, 41, 42, 48, 60), mac=False),
    ("0320", "207"): Rule("batch upload, end of a balanced batch", (11, 41, 42, 48, 60), mac=False),
    **{
        ("0330", code): Rule("batch upload, answer", (11, 12, 13, 32, 39, 41, 42, 60), mac=False)
        for code in ("201", "203", "202", "207")
    },
    **{
        (mti, code): Rule(f"download {code}{said}", (11, 41, 42, 60, *more), mac=False)
        for code in ("360", "361", "370", "371", "380", "381", "390", "391")
        for mti, said, more in (("0800", "", ()), ("0810", ", answer", (12, 13, 39, 62)))
    },
    ("0810", "001"): Rule("sign-on, answer", (11, 12, 13, 32, 37, 39, 41, 42, 60), mac=False),
    ("0810", "003"): Rule("sign-on, answer", (11, 12, 13, 32, 37, 39, 41, 42, 60), mac=False),
    ("0830", "002"): Rule("sign-off, answer", (11, 12, 13, 39, 41, 42, 60), mac=False),
    ("0830", "301"): Rule("echo, answer", (12, 13, 39, 41, 42, 60), mac=False),
    ("0830", "362"): Rule("status, answer", (12, 13, 39, 41, 42, 60), mac=False),
    ("0830", "393"): Rule("stop list query, answer", (11, 12, 13, 39, 41, 42, 60), mac=False),
    ("0510", "201"): Rule("batch settlement, answer", (11, 12, 13, 15, 32, 37, 41, 42, 48, 49, 60, 63), mac=False),
}

_FINANCIAL_MTIS = frozenset(key[0] for key in FINANCIAL)
_YES = ("", "00", "10", "11")
"""Field 39 of what is no refusal; 10 approves a part."""


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

    A kind without a row passes: it is unsupported, not malformed. A refusal (39 is no approval) passes: it says what it can.
    """
    rule = rule_for(message)
    refusal = message.mti[2:3] in ("1", "3") and message.text(39) not in _YES
    if rule is None or refusal:
        return
    _require(message, rule.mandatory)
    for number in rule.absent:
        if number in message.fields:
            raise FormatError(str(number), f"{rule.name}: has no place in it")
    if rule.card and not (2 in message.fields or 35 in message.fields):
        raise FormatError("2", f"{rule.name}: neither a card number nor a track says which card")
    blocks = (52 in message.fields) + _long_pin_block(message)
    if blocks and 52 in rule.absent:
        raise FormatError("59.DF02", f"{rule.name}: has no place in it")
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
