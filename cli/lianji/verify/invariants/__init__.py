"""The invariants, each one entry in one table: its name, its text, the function that checks it.

A function gets the evidence and a finding to fill: how many cases it has looked at, and each that is broken, with the story of the
transaction where it is about one. Most are a query over the facts (lianji.verify.facts). The next kind of transaction adds its query to
the invariants that it concerns, or an entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lianji.verify.evidence import Evidence
from lianji.verify.invariants import accounts, answers, batches, card_data, logs, money, projections, slips, terms
from lianji.verify.report import Finding

Check = Callable[[Evidence, Finding], None]


class Invariant(NamedTuple):
    """What must hold, and who finds out."""

    text: str
    check: Check
    any_log: bool = False
    """It means something, too, when a log cannot be read to its end; the others would only give false alarms."""


INVARIANTS: dict[str, Invariant] = {
    "I1": Invariant(
        "every posting of the settlement ledger sums to zero, per currency and in all",
        money.postings_balance,
        any_log=True,
    ),
    "I2": Invariant(
        "each account: opening, postings and open holds make what is available, which nothing but a notice or a reversal takes below its limit",
        accounts.accounts_add_up,
    ),
    "I3": Invariant(
        "an approval that was not reversed is charged, given, held or released once, and what takes or returns is settled exactly once, by the same amount",
        money.approvals_count_once,
    ),
    "I4": Invariant(
        "what was approved and reversed is undone once, holds and halves too: before its batch's close never settled, after it compensated exactly once",
        money.reversals_undo_once,
    ),
    "I5": Invariant(
        "what was declined, timed out or reversed has no net effect on any account",
        money.nothing_without_approval,
    ),
    "I6": Invariant(
        "no intent outlives its batch; no open intent, no queued reversal and no hold its term",
        terms.nothing_outlives_its_term,
    ),
    "I7": Invariant(
        "every path is legal, every claim has its original and its room, every log's hash chain is whole and has no gap",
        logs.paths_are_legal,
        any_log=True,
    ),
    "I8": Invariant(
        "a closed batch's totals are the same at terminal, host, bank and settlement (no fee and no payout exists yet)",
        batches.totals_agree,
    ),
    "I9": Invariant(
        "all answers to one identity are identical, and say what the journal says",
        answers.answers_are_identical,
    ),
    "I10": Invariant(
        "no intent without an outcome, no reversal and no advice that a bank has not acknowledged",
        terms.nothing_is_left_open,
    ),
    "I11": Invariant(
        "slips and settlement ledger made again from zero equal the live ones, row for row",
        projections.rebuilt_equal_live,
    ),
    "I12": Invariant(
        "no card number, track, PIN block or PIN in any stream, table, log, trace or file",
        card_data.no_card_data,
        any_log=True,
    ),
    "I13": Invariant(
        "every append that somebody was told of is there, with the same sequence and content",
        logs.acknowledged_appends_stand,
        any_log=True,
    ),
    "I14": Invariant(
        "every approval of a kind that prints has one slip, and both its copies say what the journal says",
        slips.slips_match,
    ),
}
"""What `lianji verify` checks, by the names that the project's invariants go by."""


def check(evidence: Evidence) -> dict[str, Finding]:
    """Every invariant's finding, by its name."""
    return {name: _found(invariant, evidence) for name, invariant in INVARIANTS.items()}


def _found(invariant: Invariant, evidence: Evidence) -> Finding:
    finding = Finding(name=invariant.text)
    if evidence.damage and not invariant.any_log:
        log, reason = evidence.damage[0]
        finding.violate(log, "not checked: the log cannot be read to its end", reason=reason)
    else:
        invariant.check(evidence, finding)
    return finding
