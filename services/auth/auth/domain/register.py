"""What the switch knows of merchants, terminals, banks and stopped cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from contracts.kinds import Kind
from contracts.pan import Pan

ALL_KINDS = frozenset(Kind)
TRANSFER_KINDS = frozenset({Kind.CARD_CHECK, Kind.TRANSFER, Kind.BALANCE})
"""Of a transfer terminal (转账终端)."""
CONSUMPTION_KINDS = ALL_KINDS - {Kind.CARD_CHECK, Kind.TRANSFER}
"""Of every other one (消费终端)."""


class MerchantEntry(NamedTuple):
    open: bool
    limit_minor: int
    """Per transaction."""
    completion_percent: int = 115
    """How much of a pre-authorization may be completed."""
    floor_minor: int | None = None
    """The most that an offline sale may be worth; None: as much as any other."""
    refused: frozenset[tuple[str, Kind]] = frozenset()
    """Which banks' cards may not do what here."""


class TerminalEntry(NamedTuple):
    merchant: str
    open: bool
    kinds: frozenset[Kind] = ALL_KINDS
    """What may be done there: what its merchant may, as far as such a terminal can."""


class StandInTerms(NamedTuple):
    """For how much the switch stands in for one bank (auth.domain.stand_in). It stands in for sales alone."""

    floor_minor: int
    """The most that one may be worth."""
    card_minor: int
    """What those of one card may come to of which the bank has yet to be told; each shard counts for itself."""
    card_most: int
    """How many they may be."""


class Register(NamedTuple):
    """Look-ups only; the same answers for as long as a decision takes."""

    merchants: Mapping[str, MerchantEntry]
    terminals: Mapping[str, TerminalEntry]
    terminals_of: Mapping[str, tuple[str, ...]]
    """By merchant (`terminals_by_merchant`)."""
    institution_for: Callable[[Pan], str]
    """The owner of the BIN, empty when there is none."""
    stop_reason: Callable[[Pan], str]
    """The response code of a stopped card (04, 41, 43 …), empty when it is not on the list."""
    institutions: tuple[str, ...]
    currency: str
    stand_in: Mapping[str, StandInTerms] = MappingProxyType({})
    """For how much the switch approves in the stead of which banks, when it cannot reach them."""


def terminals_by_merchant(terminals: Mapping[str, TerminalEntry]) -> dict[str, tuple[str, ...]]:
    """
    >>> terminals_by_merchant({"T1": TerminalEntry("M", True), "T2": TerminalEntry("M", True)})
    {'M': ('T1', 'T2')}
    """
    found: dict[str, list[str]] = {}
    for number, entry in terminals.items():
        found.setdefault(entry.merchant, []).append(number)
    return {merchant: tuple(numbers) for merchant, numbers in found.items()}
