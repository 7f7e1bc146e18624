"""What makes a kind of transaction different from the plain one at the gateway: what is read of its request, what its answer says."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from contracts.authorization import AuthorizeReply, Original
from contracts.kinds import Kind
from contracts.pan import Pan
from contracts.terms import InstalmentPlan
from iso8583 import Field60, Message, Value
from terminal_gw.chips import Chip
from terminal_gw.domain.card import CardReader, read_card


class Particulars(NamedTuple):
    """What a request says beyond the base fields (AuthorizeRequest, the same names)."""

    original: Original | None = None
    target: Pan | None = None
    instalment: InstalmentPlan | None = None
    takes_part: bool = False
    chip: Chip | None = None
    """Of whatever kind."""

    def content(self) -> str:
        """What a repetition must say alike, beside amount, card and processing code. It may hold a card number: it is for a digest."""
        if self.original is not None:
            original = self.original
            return "|".join((original.batch, original.stan, original.date, original.rrn, original.authorization_code))
        if self.target is not None:
            return self.target.clear()
        if self.instalment is not None:
            return f"{self.instalment.periods}|{self.instalment.fee_mode}|{self.instalment.goods}"
        return ""


PLAIN, TAKES_PART = Particulars(), Particulars(takes_part=True)

Reading: TypeAlias = Callable[[Message, Field60], Particulars]
"""Of a request whose mandatory fields are there; FormatError that names the field when one is damaged or contradicts another."""
Saying: TypeAlias = Callable[[AuthorizeReply, dict[int, Value]], None]
"""Puts the kind's own fields into an answer that has the base ones."""


def nothing_more(message: Message, sixty: Field60) -> Particulars:
    return PLAIN


def base_answer(reply: AuthorizeReply, fields: dict[int, Value]) -> None:
    """The base reply says it all."""


class Wire(NamedTuple):
    """One kind at the gateway."""

    kind: Kind
    read: Reading = nothing_more
    say: Saying = base_answer
    read_card: CardReader = read_card
