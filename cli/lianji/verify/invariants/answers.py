"""I9: what terminals were told."""

from __future__ import annotations

from contracts.response_codes import DUPLICATE
from lianji.verify.evidence import Evidence, note
from lianji.verify.report import Finding


def answers_are_identical(evidence: Evidence, finding: Finding) -> None:
    facts = evidence.facts
    finding.checked = facts.count("SELECT COUNT(*) FROM seen WHERE answers")
    for row in facts.query("SELECT id, answers FROM seen WHERE different_answers > 1"):
        note(evidence, finding, row["id"], "was answered differently", answers=row["answers"])
    for row in facts.query(
        "SELECT s.id, s.authorization_code, t.authorization_code AS code FROM seen s JOIN transactions t ON t.id = s.id "
        "WHERE s.answers AND t.response_code <> '' AND s.response_code NOT IN ('', ?) "
        "AND (s.response_code <> t.response_code OR s.rrn <> t.rrn OR s.authorization_code <> t.authorization_code)",
        DUPLICATE,
    ):
        what = "was told otherwise than the journal says"
        codes = f"{row['authorization_code']}, journal {row['code']}"
        note(evidence, finding, row["id"], what, authorization_codes=codes)
