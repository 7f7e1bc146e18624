"""I8 of a batch that was closed by its details: what host and terminal agree about is settled, and all else has an end of its own."""

from __future__ import annotations

from contracts.breaks import Break
from lianji.verify.evidence import Evidence
from lianji.verify.report import Finding

_NOWHERE = f"""
SELECT u.*, t.rrn, t.steps, t.approved, t.undone, t.amount_minor AS host_minor, k.difference FROM uploaded u
LEFT JOIN transactions t ON t.id = u.terminal || ':' || u.batch || ':' || u.stan
LEFT JOIN breaks k ON k.terminal = u.terminal AND k.batch = u.batch AND k.stan = u.stan
WHERE k.difference IS NULL AND NOT COALESCE(t.approved AND t.amount_minor = u.amount_minor, 0)
   OR k.difference = '{Break.TERMINAL_ONLY.value}' AND COALESCE(t.settled, 0)
   OR k.difference = '{Break.AMOUNT_DIFFERS.value}' AND NOT COALESCE(t.settled AND t.amount_minor = k.host_minor, 0)
"""
"""Details whose end is not the right one."""

_KEPT = f"""
SELECT b.terminal, b.batch, t.stan, t.rrn, t.steps FROM batches b
JOIN transactions t ON t.terminal = b.terminal AND t.batch = b.batch AND t.settled
LEFT JOIN uploaded u ON u.terminal = t.terminal AND u.batch = t.batch AND u.stan = t.stan
LEFT JOIN breaks k ON k.terminal = t.terminal AND k.batch = t.batch AND k.stan = t.stan
WHERE b.uploaded AND u.stan IS NULL AND COALESCE(k.difference, '') <> '{Break.HOST_ONLY.value}'
"""
"""What was settled, though its terminal has not told of it."""

_STRAY = """
SELECT k.* FROM breaks k LEFT JOIN batches b ON b.terminal = k.terminal AND b.batch = k.batch WHERE NOT COALESCE(b.uploaded, 0)
"""


def uploads_are_resolved(evidence: Evidence, finding: Finding) -> None:
    """Each detail is settled by its amount, or a break; nothing else of such a batch is settled but what the host alone had to keep."""
    facts = evidence.facts
    finding.checked += facts.count("SELECT COUNT(*) FROM uploaded")
    for row in facts.query(_NOWHERE):
        told = {"rrn": row["rrn"] or "", "journal": row["steps"] or "", "terminal": row["amount_minor"]}
        what = "an uploaded transaction is neither settled by its amount nor a break"
        if row["difference"]:
            what = f"a break ({row['difference']}) has another end than its own"
        finding.violate(_subject(row), what, **told)
    for row in facts.query(_KEPT):
        what = "settled, though its terminal did not upload it"
        finding.violate(_subject(row), what, rrn=row["rrn"], journal=row["steps"])
    for row in facts.query(_STRAY):
        finding.violate(_subject(row), f"a break ({row['difference']}) of a batch that no upload has closed")


def _subject(row: object) -> str:
    terminal, batch, stan = (str(row[name]) for name in ("terminal", "batch", "stan"))  # type: ignore[index]
    return f"{terminal}:{batch}:{stan}"
