"""I8: one closed batch as four parties count it."""

from __future__ import annotations

from lianji.verify.dues import CLEARED
from lianji.verify.evidence import Evidence
from lianji.verify.invariants.uploads import uploads_are_resolved
from lianji.verify.report import Finding

_TOTALS = ("debit_minor", "debit_count", "credit_minor", "credit_count")

_COUNTED = f"""
SELECT b.*, COALESCE(SUM(t.amount_minor * (t.charge = 1)), 0), COALESCE(SUM(t.charge = 1), 0),
       COALESCE(SUM(t.amount_minor * (t.charge = -1)), 0), COALESCE(SUM(t.charge = -1), 0),
       COALESCE(SUM({CLEARED}), 0) AS cleared_minor,
       COALESCE(SUM(k.settlement), 0) AS settlements
FROM batches b
LEFT JOIN transactions t ON t.terminal = b.terminal AND t.batch = b.batch AND t.settled
LEFT JOIN charges c ON c.id = t.id AND c.institution = t.institution AND NOT c.incoming
LEFT JOIN rates r ON r.institution = t.institution
LEFT JOIN booked k ON k.id = t.id
GROUP BY b.terminal, b.batch
"""
"""Each closed batch: its totals, what its settled transactions come to, what their banks have posted, and how many entries settled them."""


def totals_agree(evidence: Evidence, finding: Finding) -> None:
    """What a bank has given back after the close was cleared all the same: postings count, not what is left of them."""
    for row in evidence.facts.query(_COUNTED):
        finding.checked += 1
        totals, recounted = tuple(row[name] for name in _TOTALS), tuple(row)[-6:-2]
        told = {"host": _show(totals), "rrn": row["rrn"], "trace": row["trace"]}
        subject = f"{row['terminal']}:{row['batch']}"
        if recounted != totals:
            finding.violate(subject, "the host's totals are not its own transactions", counted=_show(recounted), **told)
        if row["cleared_minor"] != totals[0] - totals[2]:
            finding.violate(subject, "the banks have posted another sum", issuer=row["cleared_minor"], **told)
        if row["settlements"] != totals[1] + totals[3]:
            finding.violate(subject, "settlement has settled another number", settlement=row["settlements"], **told)
    _compare(evidence, finding, "terminal_batches", "the terminal")
    _compare(evidence, finding, "settlement_batches", "settlement")
    _unsettled(evidence, finding)
    uploads_are_resolved(evidence, finding)


def _compare(evidence: Evidence, finding: Finding, table: str, who: str) -> None:
    """A side's own totals of the batches that it calls closed. Those of a terminal whose details were uploaded did not agree with the host's."""
    closed = "WHERE m.closed" if table == "settlement_batches" else ""
    for row in evidence.facts.query(
        f"SELECT m.*, b.rrn AS host_rrn, b.trace, b.uploaded, {', '.join(f'b.{name} AS host_{name}' for name in _TOTALS)} "
        f"FROM {table} m LEFT JOIN batches b ON b.terminal = m.terminal AND b.batch = m.batch {closed}"
    ):
        finding.checked += 1
        subject, its = f"{row['terminal']}:{row['batch']}", tuple(row[name] for name in _TOTALS)
        if row["host_rrn"] is None:
            finding.violate(
                subject,
                f"{who} calls a batch closed that no journal closes",
                **{who.rsplit(maxsplit=1)[-1]: _show(its)},
            )
        elif table == "terminal_batches" and row["uploaded"]:
            continue
        elif its != (host := tuple(row[f"host_{name}"] for name in _TOTALS)):
            finding.violate(
                subject,
                f"{who} has other totals than the host",
                **{
                    who.rsplit(maxsplit=1)[-1]: _show(its),
                    "host": _show(host),
                    "rrn": row["host_rrn"],
                    "trace": row["trace"],
                },
            )


def _unsettled(evidence: Evidence, finding: Finding) -> None:
    for row in evidence.facts.query(
        "SELECT b.terminal, b.batch, b.rrn FROM batches b "
        "LEFT JOIN settlement_batches m ON m.terminal = b.terminal AND m.batch = b.batch WHERE NOT COALESCE(m.closed, 0)"
    ):
        finding.violate(f"{row['terminal']}:{row['batch']}", "settlement does not call it closed", rrn=row["rrn"])


def _show(totals: tuple[int, ...]) -> str:
    debit_minor, debit_count, credit_minor, credit_count = totals
    return f"{debit_count} debits of {debit_minor}, {credit_count} credits of {credit_minor}"
