"""I6, I10: what must have ended."""

from __future__ import annotations

from contracts.states import State
from lianji.verify.evidence import Evidence, note
from lianji.verify.paths import UNFINISHED
from lianji.verify.report import Finding

TERM_MS = 120_000
"""How long an intent may wait for its outcome, and a reversal for its bank, once all faults have healed. The switch waits 10 s for a
bank and tells it of a reversal at least every 2 s; the rest is for a lease to run out, a replay, and a queue to empty. A bank, too, has
that long to end a hold whose term is over."""

_REVERSAL = "waits for its bank to acknowledge the reversal"
_OPEN = {
    State.INTENT: "has no outcome",
    State.REVERSING: _REVERSAL,
    State.REVERSED: _REVERSAL,
    State.DECLINED: _REVERSAL,
}
_ADVICE = "was approved in its bank's stead, and waits for the bank to acknowledge the advice"


def nothing_outlives_its_term(evidence: Evidence, finding: Finding) -> None:
    """Ages are told by the journal's own clock, the latest time that its shard has written, and not by ours."""
    finding.checked = evidence.facts.count("SELECT COUNT(*) FROM transactions")
    finding.take(evidence.journals.overdue)
    for row in evidence.facts.query(
        f"SELECT id, shard, state, MAX(begun_ms, undone_ms) AS since_ms FROM transactions WHERE {UNFINISHED}"
    ):
        age_ms = evidence.journals.newest_ms[row["shard"]] - row["since_ms"]
        if age_ms > TERM_MS:
            what = {State.INTENT: "intent", State.APPROVED: "advice", State.SETTLED: "advice"}
            note(evidence, finding, row["id"], f"an open {what.get(row['state'], 'reversal')} of {age_ms // 1000} s")
    _holds(evidence, finding)


def _holds(evidence: Evidence, finding: Finding) -> None:
    """By the latest time that the bank's own ledger holds."""
    finding.checked += evidence.facts.count("SELECT COUNT(*) FROM charges WHERE hold_minor <> 0")
    for institution, newest_ms in evidence.ledgers.newest_ms.items():
        for row in evidence.facts.query(
            "SELECT id, held_minor, expires_ms FROM charges WHERE held_minor <> 0 AND institution = ? AND expires_ms < ?",
            institution,
            newest_ms - TERM_MS,
        ):
            over_s = (newest_ms - row["expires_ms"]) // 1000
            note(evidence, finding, row["id"], f"a hold that is {over_s} s older than its term", held=row["held_minor"])


def nothing_is_left_open(evidence: Evidence, finding: Finding) -> None:
    """By the journal; and what it says a bank has acknowledged, the bank's ledger must hold."""
    facts = evidence.facts
    finding.checked = facts.count("SELECT COUNT(*) FROM transactions")
    for row in facts.query(f"SELECT id, state, waiting FROM transactions WHERE {UNFINISHED}"):
        note(evidence, finding, row["id"], _OPEN.get(row["state"], _ADVICE), waits_for=row["waiting"])
    for row in facts.query(
        "SELECT a.id, a.institution FROM acknowledged a WHERE NOT EXISTS "
        "(SELECT 1 FROM charges c WHERE c.id = a.id AND c.institution = a.institution AND c.reversals)"
    ):
        what = f"{row['institution']} acknowledged a reversal that its ledger does not hold"
        note(evidence, finding, row["id"], what)
