"""I6, I10: what must have ended."""

from __future__ import annotations

from contracts.states import State
from lianji.verify.evidence import Evidence, note
from lianji.verify.paths import UNFINISHED
from lianji.verify.report import Finding

TERM_MS = 120_000
"""How long an intent may wait for its outcome, and a reversal for its bank, once all faults have healed. The switch waits 10 s for a
bank and tells it of a reversal at least every 2 s; the rest is for a lease to run out, a replay, and a queue to empty."""


def nothing_outlives_its_term(evidence: Evidence, finding: Finding) -> None:
    """Ages are told by the journal's own clock, the latest time that its shard has written, and not by ours."""
    finding.checked = evidence.facts.count("SELECT COUNT(*) FROM transactions")
    finding.take(evidence.journals.overdue)
    for row in evidence.facts.query(
        f"SELECT id, shard, state, MAX(begun_ms, undone_ms) AS since_ms FROM transactions WHERE {UNFINISHED}"
    ):
        age_ms = evidence.journals.newest_ms[row["shard"]] - row["since_ms"]
        if age_ms > TERM_MS:
            what = "intent" if row["state"] == State.INTENT else "reversal"
            note(evidence, finding, row["id"], f"an open {what} of {age_ms // 1000} s")


def nothing_is_left_open(evidence: Evidence, finding: Finding) -> None:
    """By the journal; and what it says a bank has acknowledged, the bank's ledger must hold."""
    facts = evidence.facts
    finding.checked = facts.count("SELECT COUNT(*) FROM transactions")
    for row in facts.query(f"SELECT id, state, waiting FROM transactions WHERE {UNFINISHED}"):
        intent = row["state"] == State.INTENT
        what = "has no outcome" if intent else "waits for its bank to acknowledge the reversal"
        note(evidence, finding, row["id"], what, waits_for=row["waiting"])
    for row in facts.query(
        "SELECT a.id, a.institution FROM acknowledged a LEFT JOIN charges c ON c.id = a.id AND c.institution = a.institution "
        "WHERE COALESCE(c.reversals, 0) = 0"
    ):
        what = f"{row['institution']} acknowledged a reversal that its ledger does not hold"
        note(evidence, finding, row["id"], what)
