"""I7, I13: the logs themselves."""

from __future__ import annotations

from contracts import subjects
from contracts.kinds import Effect
from lianji.verify.evidence import Evidence, note
from lianji.verify.report import Finding

_NO_RRN = "000000000000"
"""Field 37 of an answer about which nothing is journalled."""

_JOURNALS = subjects.journal(0).removesuffix("0")
"""How the names of the switch's logs begin."""

_BY_RECORD = {
    "intent": "t.begun_sequence = a.sequence",
    "outcome": "a.sequence IN (t.decided_sequence, t.late_sequence, t.undone_sequence)",  # no word from the bank: a reversal
    "decline": "t.decided_sequence = a.sequence",
    "reversing": "t.undone_sequence = a.sequence",
}
"""SQL: what the path of a span's record must say, by the span's word for it."""

_STOOD_ELSEWHERE = "EXISTS (SELECT 1 FROM restores r WHERE r.log = a.log AND a.sequence >= r.sequence AND a.at_ms BETWEEN 1 AND r.at_ms)"
"""SQL: it was acknowledged before a restore, behind what that could keep; the restored log holds its record elsewhere, and may be shorter."""


def paths_are_legal(evidence: Evidence, finding: Finding) -> None:
    finding.checked = evidence.journals.records + evidence.ledgers.records
    for log, reason in evidence.damage:
        finding.violate(log, reason)
    finding.take(evidence.journals.illegal)
    finding.take(evidence.ledgers.illegal)
    for row in evidence.facts.query(
        "SELECT c.id FROM charges c LEFT JOIN transactions t ON t.id = c.id "
        f"WHERE c.incoming AND COALESCE(t.effect, '') <> '{Effect.MOVES.value}'"
    ):
        note(evidence, finding, row["id"], "a bank has answered a second half of what is no transfer")


def acknowledged_appends_stand(evidence: Evidence, finding: Finding) -> None:
    """Answers leave when their append is acknowledged, so whoever was answered is a witness: terminals by the reference number, snapshots and
    acknowledgements that were written down by sequence and digest, spans by sequence and trace. A log that has lost its end is what this is
    about; of one that cannot be read to its end nobody can say."""
    finding.unchecked += [f"{log}: it cannot be read to its end" for log in sorted(evidence.unreadable)]
    finding.checked = evidence.facts.count(f"SELECT COUNT(*) FROM acks a WHERE {_readable(evidence)}")
    for row in evidence.facts.query(
        "SELECT a.log, a.sequence, a.witness, a.digest, g.digest AS stands FROM acks a "
        "LEFT JOIN groups g ON g.log = a.log AND g.sequence = a.sequence "
        f"WHERE (g.sequence IS NULL OR a.digest NOT IN ('', g.digest)) AND NOT {_STOOD_ELSEWHERE} AND {_readable(evidence)}"
    ):
        what = "holds another group" if row["stands"] else "is not there"
        subject = f"{row['log']} sequence {row['sequence']}"
        finding.violate(
            subject, f"was acknowledged and {what}", witness=row["witness"], told=row["digest"], stands=row["stands"]
        )
    _spans(evidence, finding)
    if not any(log.startswith(_JOURNALS) for log in evidence.unreadable):
        _terminals(evidence, finding)


def _readable(evidence: Evidence) -> str:
    """SQL: the acknowledgement is of a log that could be read to its end. The logs' names are the project's own."""
    return f"a.log NOT IN ({', '.join(repr(log) for log in sorted(evidence.unreadable))})"


def _terminals(evidence: Evidence, finding: Finding) -> None:
    facts = evidence.facts
    finding.checked += facts.count("SELECT COUNT(*) FROM seen WHERE rrn NOT IN ('', ?)", _NO_RRN)
    finding.checked += facts.count("SELECT COUNT(*) FROM terminal_batches")
    for row in facts.query(
        "SELECT s.id, s.rrn FROM seen s LEFT JOIN transactions t ON t.id = s.id WHERE s.rrn NOT IN ('', ?) AND t.id IS NULL",
        _NO_RRN,
    ):
        note(evidence, finding, row["id"], "its terminal was answered, and no journal holds it")
    for row in facts.query(
        "SELECT m.terminal, m.batch, m.rrn FROM terminal_batches m LEFT JOIN batches b ON b.terminal = m.terminal AND b.batch = m.batch "
        "WHERE b.rrn IS NULL OR b.rrn <> m.rrn"
    ):
        what = "its terminal was told that the batch is closed, and no journal holds that"
        finding.violate(f"{row['terminal']}:{row['batch']}", what, rrn=row["rrn"])


def _spans(evidence: Evidence, finding: Finding) -> None:
    evidence.facts.index("of_a_trace", "transactions", "trace", where="trace <> ''")
    for record, stands in _BY_RECORD.items():
        # A span whose trace no path began with is a reversal's own, or of a message that made no transaction. One of before a restore
        # tells where a record stood that now stands elsewhere.
        for row in evidence.facts.query(
            f"SELECT DISTINCT a.log, a.sequence, a.trace FROM acks a WHERE a.record = ? AND {_readable(evidence)} "
            "AND EXISTS (SELECT 1 FROM transactions t WHERE t.trace = a.trace AND t.trace <> '' AND NOT t.again) "
            f"AND NOT EXISTS (SELECT 1 FROM transactions t WHERE t.trace = a.trace AND t.trace <> '' AND {stands})",
            record,
        ):
            subject = f"{row['log']} sequence {row['sequence']}"
            finding.violate(subject, f"an acknowledged {record} is not there", trace=row["trace"], witness="span")
