"""I1, I3, I4, I5: what moved, on which word."""

from __future__ import annotations

from contracts.response_codes import DUPLICATE
from lianji.verify.books import AS_DUE
from lianji.verify.dues import CHARGES, HAS_EFFECT, NEVER_TOLD, STANDS_AS_DUE, UNDONE_AS_DUE, WITH_CHARGE
from lianji.verify.evidence import Evidence, note
from lianji.verify.paths import REVERSIBLE, STANDS
from lianji.verify.report import Finding
from lianji.verify.terminals import SAW_APPROVAL

_WITH_BOOKED = "FROM transactions t LEFT JOIN booked k ON k.id = t.id"


def postings_balance(evidence: Evidence, finding: Finding) -> None:
    finding.checked = evidence.books.count_entries()
    for subject, what in evidence.books.unbalanced():
        finding.violate(subject, what)


def approvals_count_once(evidence: Evidence, finding: Finding) -> None:
    """The terminal's word first, then every approval in the journal, whether a terminal of ours saw it or not. What was approved in a bank's stead
    is held against the bank once it has been told (I10 counts those that it has not)."""
    facts = evidence.facts
    finding.checked = facts.count(f"SELECT COUNT(*) FROM seen s WHERE {SAW_APPROVAL} AND NOT s.waits")
    finding.checked += facts.count(f"SELECT COUNT(*) FROM transactions t WHERE {STANDS}")
    for row in facts.query(
        f"SELECT s.id FROM seen s LEFT JOIN transactions t ON t.id = s.id WHERE {SAW_APPROVAL} AND NOT s.waits "
        f"AND (t.id IS NULL OR NOT {STANDS} OR t.amount_minor <> s.amount_minor)"
    ):
        what = "the terminal saw an approval that the journal does not hold"
        note(evidence, finding, row["id"], what)
    for row in facts.query(f"SELECT t.id {_WITH_BOOKED} WHERE {STANDS} AND NOT ({AS_DUE})"):
        note(evidence, finding, row["id"], "stands approved, and is not booked exactly once")
    for row in facts.query(
        f"SELECT d.id, d.incoming {WITH_CHARGE} WHERE d.stands AND d.told AND NOT ({STANDS_AS_DUE})"
    ):
        what = "is not given exactly once" if row["incoming"] else "is not charged, held or released exactly once"
        note(evidence, finding, row["id"], f"stands approved, and {what}")


def reversals_undo_once(evidence: Evidence, finding: Finding) -> None:
    """At the bank: posted once, undone once, all of it: money, holds, and holds that had been ended. In settlement: the entries that its way asks for and no others."""
    facts = evidence.facts
    finding.checked = facts.count("SELECT COUNT(*) FROM transactions WHERE undone")
    for row in facts.query(f"SELECT t.id {_WITH_BOOKED} WHERE t.undone AND NOT ({AS_DUE})"):
        what = "was reversed, and settlement has not undone it exactly once"
        note(evidence, finding, row["id"], what)
    for row in facts.query(
        f"SELECT DISTINCT d.id {WITH_CHARGE} WHERE d.undone AND d.state = 'reversed' "
        f"AND NOT ({UNDONE_AS_DUE}) AND NOT ({NEVER_TOLD})"
    ):
        what = "was reversed, and the bank has not undone it exactly once"
        note(evidence, finding, row["id"], what)


def nothing_without_approval(evidence: Evidence, finding: Finding) -> None:
    """The terminal's word against the journal; then every bank and settlement against the journal."""
    facts = evidence.facts
    # 94 speaks of another transaction that has this one's number.
    denied = f"NOT ({SAW_APPROVAL}) AND NOT s.waits AND s.response_code <> '{DUPLICATE}'"
    finding.checked = facts.count(f"SELECT COUNT(*) FROM seen s WHERE {denied}")
    finding.checked += facts.count("SELECT COUNT(*) FROM charges")
    finding.checked += facts.count("SELECT COUNT(*) FROM transactions WHERE NOT approved")
    # Who gets no answer to what cannot be reversed asks again, or never minds: that says nothing.
    said = f"(s.response_code <> '' OR {REVERSIBLE})"
    for row in facts.query(
        f"SELECT s.id FROM seen s JOIN transactions t ON t.id = s.id WHERE {denied} AND {said} AND {STANDS}"
    ):
        what = "the terminal saw no approval that stands, and the journal holds one"
        note(evidence, finding, row["id"], what)
    for row in facts.query(f"SELECT DISTINCT c.id {CHARGES} WHERE {HAS_EFFECT} AND NOT COALESCE(d.stands, 0)"):
        what = "the cardholder's account is moved by what does not stand approved"
        note(evidence, finding, row["id"], what)
    for row in facts.query(
        "SELECT k.id FROM booked k LEFT JOIN transactions t ON t.id = k.id WHERE COALESCE(t.approved, 0) = 0"
    ):
        what = "settlement has booked what was never approved"
        note(evidence, finding, row["id"], what)
