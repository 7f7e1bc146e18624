"""I14: the slips of receipts. Each was held against the journal while it was read (lianji.verify.slips)."""

from __future__ import annotations

from lianji.verify.evidence import Evidence, note
from lianji.verify.paths import PRINTS
from lianji.verify.report import Finding


def slips_match(evidence: Evidence, finding: Finding) -> None:
    facts = evidence.facts
    if not evidence.has_slips:
        finding.unchecked.append("the slips' database was not given")
        return
    finding.checked = facts.count("SELECT COUNT(*) FROM slips")
    for row in facts.query("SELECT id, differs FROM slips WHERE differs <> ''"):
        note(evidence, finding, row["id"], f"its slip is not what the journal says: {row['differs']}")
    for row in facts.query(
        f"SELECT t.id FROM transactions t LEFT JOIN slips p ON p.id = t.id WHERE t.approved AND {PRINTS} AND p.id IS NULL"
    ):
        note(evidence, finding, row["id"], "was approved and has no slip")
    for row in facts.query(f"SELECT t.id FROM slips p JOIN transactions t ON t.id = p.id WHERE NOT ({PRINTS})"):
        note(evidence, finding, row["id"], "has a slip, and nothing prints of its kind")
    for row in facts.query("SELECT id, COUNT(*) AS slips FROM slips GROUP BY id HAVING COUNT(*) > 1"):
        note(evidence, finding, row["id"], f"has {row['slips']} slips")
