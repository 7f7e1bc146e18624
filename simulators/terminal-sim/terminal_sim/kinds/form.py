"""What may be said of a kind, beside contracts.kinds.KINDS: how its request differs from the base (terminal-protocol, Which fields)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from contracts.pan import Pan
from contracts.terms import Balance, InstalmentPlan, InstalmentTerms
from iso8583 import Message, Value


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer brings beside field 39, 37 and 38."""

    balance: Balance | None = None
    terms: InstalmentTerms | None = None


NOTHING_MORE = Extras()


class Form(NamedTuple):
    """A kind's request and answer."""

    amount: bool = True
    """Field 4."""
    rrn: bool = False
    """Field 37 must name the original, beside 61 and, where it is known, 38."""
    authorization: bool = False
    """Field 38 must."""
    partial: bool = False
    """60.6 may say that less is taken (10)."""
    offline: bool = False
    """The terminal approves alone; its request is a notice that waits for the next time on line."""
    stoppable: bool = True
    """The terminal looks into its stop list first. Not for a notice of what an approval has covered already."""
    fixed: Mapping[int, Value] = {}
    """Fields that are always the same."""
    write: Callable[[InstalmentPlan | None, Pan | None], Mapping[int, Value]] | None = None
    """Field 62, of the plan or the target card."""
    read: Callable[[Message, int], Extras] | None = None
    """What an approval of so many minor units brings; FormatError when it cannot be read."""
