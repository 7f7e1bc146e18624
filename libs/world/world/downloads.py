"""What terminals can download: their parameters, the keys of the card scheme, the parameters of its applications.

A record is a whole: how many of them go into a message is the gateway's business. The record formats stand in docs/terminal-protocol.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from contracts.kinds import Kind
from iso8583 import tlv
from world.ca_keys import CA_KEYS, RID
from world.model import Merchant, Terminal

SHIPPED = 1
"""The version of everything that a terminal has when it is new."""
PILOT = frozenset({"10000017"})
"""Terminals on which a new version is tried before the others get it."""


class Download(StrEnum):
    """What is downloaded; the value is the network code (60.3) that asks for it."""

    PARAMETERS = "360"
    CA_KEYS = "370"
    IC_PARAMETERS = "380"


class Offer(NamedTuple):
    """What a terminal may download now."""

    version: int
    records: tuple[bytes, ...]


PARAMETERS: Mapping[str, str] = {
    "11": "seconds that an answer is waited for, n2",
    "12": "tries to dial, n1",
    "13": "telephone number to dial, n..14",
    "14": "the second one",
    "15": "the third one",
    "16": "telephone number of the management system",
    "19": "cards may be keyed, 0 or 1",
    "21": "merchant's name, GB 18030",
    "22": "tries of a reversal, n1",
    "26": "transactions that are switched on, 0 or 1 in the order of contracts.kinds.Kind",
    "27": "floor limit in minor units, n12: up to it a chip may approve by itself",
}
"""Tag → what it sets."""


def offer(
    terminal: Terminal, merchant: Merchant, kind: Download, *, floors: Mapping[str, int] = MappingProxyType({})
) -> Offer:
    """What this terminal is to have. `floors`: by merchant, its floor limit in minor units where the switch has a rule for it."""
    version = 2 if terminal.tid in PILOT else SHIPPED
    match kind:
        case Download.PARAMETERS:
            return Offer(version, _parameters(terminal, merchant, floors.get(merchant.mid)))
        case Download.CA_KEYS:
            return Offer(version, tuple(key.record() for key in CA_KEYS))
        case Download.IC_PARAMETERS:
            return Offer(version, _IC_PARAMETERS)


def _parameters(terminal: Terminal, merchant: Merchant, floor_minor: int | None) -> tuple[bytes, ...]:
    shipped_floor_minor = 100_00 if terminal.tid in PILOT else 0
    values = {
        "11": b"20",
        "12": b"3",
        "13": b"05710004822",
        "14": b"05710004823",
        "15": b"",
        "16": b"05710004800",
        "19": b"1" if merchant.keyed else b"0",
        "21": merchant.name.encode("gb18030"),
        "22": b"3",
        "26": b"".join(b"1" if kind in merchant.kinds else b"0" for kind in Kind),
        "27": b"%012d" % (shipped_floor_minor if floor_minor is None else floor_minor),
    }
    return tuple(tag.encode() + value for tag, value in values.items())


def _application(suffix: str, *, floor_minor: int, cvm_minor: int) -> bytes:
    """One application's parameters (EMV Book 4, 12; the tags from DF11 on are those of terminals in this market)."""
    return tlv.pack(
        {
            "9F06": RID + bytes.fromhex(suffix),
            "DF01": b"\x00",  # its beginning is enough
            "9F08": bytes.fromhex("0020"),
            "DF11": bytes.fromhex("D84000A800"),  # TAC default
            "DF12": bytes.fromhex("D84004F800"),  # TAC online
            "DF13": bytes.fromhex("0010000000"),  # TAC denial
            "9F1B": floor_minor.to_bytes(4, "big"),
            "DF15": bytes.fromhex("00000100"),  # random selection: threshold, most and target per cent
            "DF16": b"\x50",
            "DF17": b"\x20",
            "DF14": bytes.fromhex("9F3704"),  # default DDOL
            "DF18": b"\x01",  # online PIN
            "DF19": bytes.fromhex(f"{floor_minor:012d}"),
            "DF20": bytes.fromhex("000000100000"),
            "DF21": bytes.fromhex(f"{cvm_minor:012d}"),
        }
    )


_IC_PARAMETERS = (
    _application("0101", floor_minor=0, cvm_minor=100_000),
    _application("0102", floor_minor=10_000, cvm_minor=100_000),
)
