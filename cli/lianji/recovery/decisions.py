"""What becomes of a transaction on which journal, banks and terminals differ after a loss. Pure; the first rule that fits decides.

The rules are those by which the stack always decides. Who was told "approved", and was charged for it, has bought something: it is
recorded again, under the number on the slip, and settles once. Whoever was charged and never told so gets it back. What a terminal alone
asserts is never settled by a machine: it is named, for a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from contracts.kinds import CLAIMS, KINDS, Effect, Kind
from contracts.states import State
from lianji.rates import billed
from lianji.recovery.charges import NONE, Charge
from lianji.recovery.paths import Path, is_given_out
from lianji.recovery.witnesses import Seen


class Action(StrEnum):
    """What is done."""

    RECORD_AGAIN = "recorded again"
    """Intent and outcome as the terminal saw them."""
    OUTCOME = "outcome recorded again"
    """The terminal's answer, behind an intent that lost its own."""
    APPROVE = "approved in its bank's stead"
    REVERSE = "reversed"
    """The bank is told until it acknowledges; the terminal need not do anything."""
    POST_AGAIN = "posted again at the bank"
    GIVE_BACK_AGAIN = "given back again at the bank"
    FOR_A_PERSON = "left to a person"
    """Nothing is changed."""


class Due(NamedTuple):
    """What one posting must say, by what its kind does to money."""

    amount_minor: int
    held_minor: int
    releases: bool
    asked_minor: int = 0
    """Of what gives back in another currency: `amount_minor` is then what the whole of it would come to, and not what is due for a part."""

    def fits(self, charge: Charge) -> bool:
        posted = charge.posted
        if posted is None or (self.held_minor, self.releases) != (posted.held_minor, bool(posted.releases)):
            return False
        # What a part comes to is the bank's reckoning, in the order of its ledger: `verify` makes it again.
        said = posted.asked_minor
        return posted.amount_minor == self.amount_minor if not said else said == self.asked_minor


def due(kind: Kind, minor: int, rate_millionths: int | None = None, *, incoming: bool = False) -> Due:
    """Of an approval of so much in the terminals' currency; `incoming`: of the bank that is given."""
    facts, claim, worth_minor = KINDS[kind], CLAIMS.get(kind), billed(minor, rate_millionths)
    if incoming:
        return Due(-worth_minor, 0, False)
    ends = claim is not None and all(KINDS[original].effect is Effect.HOLDS for original in claim.originals)
    asked_minor = minor if facts.effect is Effect.RETURNS and rate_millionths is not None else 0
    held_minor = worth_minor if facts.effect is Effect.HOLDS else 0
    return Due(worth_minor * facts.charge, held_minor, ends, asked_minor)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction from all sides."""

    id: str
    path: Path | None = None
    seen: Seen | None = None
    charges: dict[str, Charge] = {}
    """By institution; only those that know it."""
    given: dict[str, Charge] = {}
    """Of a transfer: its second half, alike."""
    rates: Mapping[str, int] = {}
    """Institution → what it bills for a million of the terminals' minor units, where that is not as much."""

    @property
    def kind(self) -> Kind:
        """As its terminal knows it, or as far as its banks can tell."""
        if self.seen is not None:
            return self.seen.kind
        if self.given:
            return Kind.TRANSFER
        return Kind.PRE_AUTH if any(charge.held_minor for charge in self.charges.values()) else Kind.SALE

    @property
    def state(self) -> State | None:
        return self.path.state if self.path is not None else None

    @property
    def refused(self) -> bool:
        return any(charge.refused for charge in self.charges.values())

    @property
    def is_advice(self) -> bool:
        return self.path is not None and KINDS[self.path.began.kind].advice

    @property
    def approved(self) -> bool:
        """The terminal saw an approval that it has not taken back."""
        return self.seen is not None and self.seen.approved

    @property
    def declined(self) -> bool:
        return self.seen is not None and self.seen.declined

    @property
    def undone(self) -> bool:
        return self.seen is not None and self.seen.undone

    @property
    def comes_again(self) -> bool:
        return self.seen is not None and self.seen.comes_again

    @property
    def charged_by(self) -> list[str]:
        """Institutions where an account is not as if this had never been."""
        return [name for half in (self.charges, self.given) for name, charge in half.items() if charge.moves]

    @property
    def charged_right(self) -> bool:
        """By one institution as the terminal saw it, of a transfer by one for each half."""
        standing = [charge for half in (self.charges, self.given) for charge in half.values() if charge.posted]
        return self._posted_as_seen() and all(charge.stands for charge in standing)

    @property
    def posted_right(self) -> bool:
        """The terminal had an approval, and it was posted so, whatever became of it since."""
        seen = self.seen
        return seen is not None and seen.told_approved and is_given_out(seen.rrn) and self._posted_as_seen()

    def _posted_as_seen(self) -> bool:
        seen = self.seen
        if seen is None:
            return False
        first = {name: charge for name, charge in self.charges.items() if charge.posted is not None}
        second = {name: charge for name, charge in self.given.items() if charge.posted is not None}
        if len(first) != 1 or len(second) != int(KINDS[seen.kind].effect is Effect.MOVES):
            return False
        return all(
            due(seen.kind, seen.worth_minor, self.rates.get(name), incoming=incoming).fits(charge)
            for half, incoming in ((first, False), (second, True))
            for name, charge in half.items()
        )

    @property
    def given_back(self) -> bool:
        return any(charge.reversed for half in (self.charges, self.given) for charge in half.values())

    def lacks_posting(self) -> list[tuple[str, bool]]:
        """Institutions that must have posted it by the journal, and whose ledger does not hold that; True: its second half. A bank that has yet
        to be told must not."""
        path = self.path
        if path is None or not path.institution or path.owed:
            return []
        halves = [(path.institution, False)]
        if path.target_institution:
            halves.append((path.target_institution, True))
        return [
            (name, incoming)
            for name, incoming in halves
            if (self.given if incoming else self.charges).get(name, NONE).posted is None
        ]

    def lacks_reversal(self) -> list[str]:
        """Institutions that have acknowledged a reversal, by the journal, and whose ledger does not hold all of it."""
        if self.path is None:
            return []
        return [name for name in self.path.acknowledged if not self.undone_at(name)]

    def undone_at(self, institution: str) -> bool:
        """Whether its ledger holds the reversal."""
        halves = [half[institution] for half in (self.charges, self.given) if institution in half]
        return any(charge.reversed for charge in halves) and not any(charge.stands for charge in halves)


class Rule(NamedTuple):
    """One row: when it fits, what is done, and why, as the operator reads it."""

    fits: Callable[[Case], bool]
    action: Action
    why: str


_STANDS = (State.APPROVED, State.SETTLED)

RULES: tuple[Rule, ...] = (
    Rule(
        lambda c: c.path is None and c.approved and c.charged_right,
        Action.RECORD_AGAIN,
        "the terminal saw it approved and the bank has booked it; the journal has lost it",
    ),
    Rule(
        # It may have been closed in between, and then the close counts it.
        lambda c: c.path is None and c.undone and c.posted_right,
        Action.RECORD_AGAIN,
        "the terminal saw it approved and has reversed it since; the journal has lost both",
    ),
    Rule(
        lambda c: c.path is None and c.approved,
        Action.FOR_A_PERSON,
        "the terminal saw it approved, and no bank has charged this amount",
    ),
    Rule(
        lambda c: c.path is None and bool(c.charged_by) and not c.comes_again,
        Action.REVERSE,
        "a bank has charged what no terminal holds an approval for",
    ),
    Rule(
        lambda c: c.path is None and c.declined and c.seen is not None and is_given_out(c.seen.rrn),
        Action.RECORD_AGAIN,
        "the terminal saw it declined under this number; the journal has lost it",
    ),
    Rule(
        lambda c: c.state is State.INTENT and c.approved and c.charged_right,
        Action.OUTCOME,
        "the terminal saw it approved and the bank has charged it; the journal has lost the outcome",
    ),
    Rule(
        lambda c: c.state is State.INTENT and c.undone and c.posted_right,
        Action.OUTCOME,
        "the terminal saw it approved and has reversed it since; the journal has lost both",
    ),
    Rule(
        lambda c: c.state is State.INTENT and c.declined and not c.charged_by,
        Action.OUTCOME,
        "the terminal saw it declined; the journal has lost the outcome",
    ),
    Rule(
        lambda c: c.state is State.INTENT and c.is_advice and not c.declined and not c.refused,
        Action.APPROVE,
        "a notice tells of what has happened: its bank is told until it acknowledges",
    ),
    Rule(
        lambda c: c.state is State.INTENT and c.approved,
        Action.FOR_A_PERSON,
        "the terminal saw it approved, and the bank has not charged this amount",
    ),
    Rule(
        lambda c: c.state is State.INTENT,
        Action.REVERSE,
        "nobody knows its outcome",
    ),
    Rule(
        lambda c: c.state in _STANDS and c.undone,
        Action.REVERSE,
        "the terminal has reversed it; the journal has lost that",
    ),
    Rule(
        lambda c: c.state in _STANDS and c.given_back and c.approved,
        Action.FOR_A_PERSON,
        "the bank has given it back, and the terminal holds an approval",
    ),
    Rule(
        lambda c: c.state in _STANDS and c.given_back,
        Action.REVERSE,
        "the bank has given it back; the journal has lost the reversal",
    ),
    Rule(
        lambda c: c.state in _STANDS and bool(c.lacks_posting()),
        Action.POST_AGAIN,
        "it stands approved; the bank's ledger has lost the posting",
    ),
    Rule(
        lambda c: bool(c.lacks_reversal()),
        Action.GIVE_BACK_AGAIN,
        "the bank had acknowledged the reversal; its ledger has lost it",
    ),
    Rule(
        lambda c: c.state is State.DECLINED and (c.approved or bool(c.charged_by)),
        Action.FOR_A_PERSON,
        "the journal has it declined, and terminal or bank approved",
    ),
)


def decide(case: Case) -> Rule | None:
    """The rule for a case; None when all sides agree, or a message that is on its way will make them."""
    return next((rule for rule in RULES if rule.fits(case)), None)
