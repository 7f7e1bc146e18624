"""What becomes of a transaction on which journal, banks and terminals differ after a loss. Pure; the first rule that fits decides.

The rules are those by which the stack always decides. Who was told "approved", and was charged for it, has bought something: it is
recorded again, under the number on the slip, and settles once. Whoever was charged and never told so gets it back. What a terminal alone
asserts is never settled by a machine: it is named, for a person.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from contracts.response_codes import APPROVED
from contracts.states import State
from lianji.recovery.charges import Charge
from lianji.recovery.paths import Path, is_given_out
from lianji.recovery.witnesses import Seen


class Action(StrEnum):
    """What is done."""

    RECORD_AGAIN = "recorded again"
    """Intent and outcome as the terminal saw them."""
    OUTCOME = "outcome recorded again"
    """The terminal's answer, behind an intent that lost its own."""
    REVERSE = "reversed"
    """The bank is told until it acknowledges; the terminal need not do anything."""
    POST_AGAIN = "posted again at the bank"
    GIVE_BACK_AGAIN = "given back again at the bank"
    FOR_A_PERSON = "left to a person"
    """Nothing is changed."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction from all sides."""

    id: str
    path: Path | None = None
    seen: Seen | None = None
    charges: dict[str, Charge] = {}
    """By institution; only those that know it."""

    @property
    def state(self) -> State | None:
        return self.path.state if self.path is not None else None

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
    def charged_by(self) -> list[str]:
        """Institutions where the cardholder is out of money."""
        return [institution for institution, charge in self.charges.items() if charge.net_minor]

    @property
    def charged_right(self) -> bool:
        """By one institution, by the amount that the terminal saw."""
        by = self.charged_by
        return len(by) == 1 and self.seen is not None and self.charges[by[0]].net_minor == self.seen.amount_minor

    @property
    def posted_right(self) -> bool:
        """The terminal had an approval, and one bank posted it by that amount, whatever became of it since."""
        posted = [charge.posted for charge in self.charges.values() if charge.posted is not None]
        seen = self.seen
        if seen is None or seen.response_code != APPROVED or not is_given_out(seen.rrn):
            return False
        return len(posted) == 1 and posted[0].amount_minor == seen.amount_minor

    @property
    def given_back(self) -> bool:
        return any(charge.reversed for charge in self.charges.values())

    def lacks_reversal(self) -> list[str]:
        """Institutions that have acknowledged a reversal, by the journal, and whose ledger does not hold it."""
        if self.path is None:
            return []
        return [i for i in self.path.acknowledged if i not in self.charges or not self.charges[i].reversed]


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
        "the terminal saw it approved and the bank has charged it; the journal has lost it",
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
        lambda c: c.path is None and bool(c.charged_by),
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
        lambda c: c.state in _STANDS and not c.charged_by,
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
