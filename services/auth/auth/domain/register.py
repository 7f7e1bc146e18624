"""What the switch knows of merchants, terminals, banks and stopped cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from contracts.pan import Pan


class MerchantEntry(NamedTuple):
    open: bool
    limit_minor: int
    """Per transaction."""


class TerminalEntry(NamedTuple):
    merchant: str
    open: bool


class Register(NamedTuple):
    """Look-ups only; the same answers for as long as a decision takes."""

    merchants: Mapping[str, MerchantEntry]
    terminals: Mapping[str, TerminalEntry]
    institution_for: Callable[[Pan], str]
    """The owner of the BIN, empty when there is none."""
    stop_reason: Callable[[Pan], str]
    """The response code of a stopped card (04, 41, 43 …), empty when it is not on the list."""
    institutions: tuple[str, ...]
    currency: str
