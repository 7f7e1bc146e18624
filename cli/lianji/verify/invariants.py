"""The invariants, one function each. Adding one is one entry in INVARIANTS."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from contracts.response_codes import DUPLICATE
from contracts.states import State
from lianji.verify.books import Booked
from lianji.verify.evidence import Evidence
from lianji.verify.journals import Path
from lianji.verify.report import Finding, Violation

_NOTHING = Booked()


def _unless_damaged(check: Callable[[Evidence], Finding]) -> Callable[[Evidence], Finding]:
    """A log that ends in the middle tells half a story, which would be full of false alarms: I7 says what is wrong."""

    def checked(evidence: Evidence) -> Finding:
        if not evidence.damage:
            return check(evidence)
        finding = Finding(name=check(evidence).name)
        log, reason = evidence.damage[0]
        finding.violate(log, "not checked: the log cannot be read to its end", reason=reason)
        return finding

    return checked


def postings_balance(evidence: Evidence) -> Finding:
    finding = Finding(name="every posting of the settlement ledger sums to zero, per currency and in all")
    finding.checked = evidence.books.count_entries()
    for subject, what in evidence.books.unbalanced():
        finding.violate(subject, what)
    return finding


def approvals_count_once(evidence: Evidence) -> Finding:
    """The terminal's word first, then every approval in the journal, whether a terminal of ours saw it or not."""
    finding = Finding(
        name="an approval that was not reversed is charged once and settled exactly once, by the same amount"
    )
    for seen in evidence.seen:
        if not seen.approved or seen.waits:
            continue
        finding.checked += 1
        path = evidence.journals.paths.get(seen.id)
        if path is None or not path.stands or path.amount_minor != seen.amount_minor:
            finding.violate(
                seen.id,
                "the terminal saw an approval that the journal does not hold",
                terminal=f"approved {seen.amount_minor}",
                journal=path.steps if path else "nothing",
                rrn=seen.rrn,
            )
    for id_, path in evidence.journals.paths.items():
        if path.stands:
            finding.checked += 1
            _stands_once(finding, evidence, id_, path)
    return finding


def _stands_once(finding: Finding, evidence: Evidence, id_: str, path: Path) -> None:
    charged = evidence.ledgers.net(id_, path.institution)
    booked = evidence.booked.get(id_, _NOTHING)
    if charged != path.amount_minor or not booked.is_due(path.due, path.amount_minor):
        finding.violate(
            id_,
            "stands approved, and is not charged and booked exactly once",
            amount=path.amount_minor,
            issuer=charged,
            settlement=booked.text(),
            moved=booked.moved_minor,
            journal=path.steps,
            rrn=path.rrn,
        )


def nothing_without_approval(evidence: Evidence) -> Finding:
    """The terminal's word against the journal; then every bank and settlement against the journal."""
    finding = Finding(name="what was declined, timed out or reversed has no net effect on the cardholder")
    _denied_at_terminal(finding, evidence)
    for (id_, institution), charge in evidence.ledgers.charges.items():
        finding.checked += 1
        path = evidence.journals.paths.get(id_)
        stands = path is not None and path.stands and path.institution == institution
        if charge.net_minor and not stands:
            finding.violate(
                id_,
                "the cardholder is charged for what does not stand approved",
                issuer=f"{institution} {charge.net_minor}",
                journal=path.steps if path else "nothing",
                rrn=path.rrn if path else "",
            )
    paths = evidence.journals.paths
    for id_ in chain(paths, (id_ for id_ in evidence.booked if id_ not in paths)):
        path = paths.get(id_)
        if path is not None and path.stands:
            continue
        finding.checked += 1
        due, amount_minor = (path.due, path.amount_minor) if path is not None else ((0, 0, 0, 0), 0)
        booked = evidence.booked.get(id_, _NOTHING)
        if not booked.is_due(due, amount_minor):
            finding.violate(
                id_,
                "settlement has booked what does not stand approved, or has not undone it",
                settlement=booked.text(),
                moved=booked.moved_minor,
                amount=amount_minor,
                journal=path.steps if path else "nothing",
                rrn=path.rrn if path else "",
            )
    return finding


def _denied_at_terminal(finding: Finding, evidence: Evidence) -> None:
    for seen in evidence.seen:
        told = seen.response_code
        # 94 speaks of another transaction that has this one's number.
        if seen.waits or seen.approved or told == DUPLICATE:
            continue
        finding.checked += 1
        path = evidence.journals.paths.get(seen.id)
        if path is not None and path.stands:
            saw = "reversed" if seen.reversed else f"declined {told}" if told else "without an answer"
            finding.violate(seen.id, f"the terminal saw it {saw}", journal=path.steps, rrn=path.rrn)


def paths_are_legal(evidence: Evidence) -> Finding:
    finding = Finding(name="every path is legal, every log's hash chain is whole and has no gap")
    finding.checked = evidence.journals.records + evidence.ledgers.records
    for log, reason in evidence.damage:
        finding.violate(log, reason)
    rows: chain[Violation] = chain(evidence.journals.violations, evidence.ledgers.violations)
    for row in rows:
        finding.violate(row.subject, row.what, **row.evidence)
    return finding


def answers_are_identical(evidence: Evidence) -> Finding:
    finding = Finding(name="all answers to one identity are identical, and say what the journal says")
    for seen in evidence.seen:
        if not seen.answers:
            continue
        finding.checked += 1
        if seen.different_answers > 1:
            finding.violate(seen.id, "was answered differently", answers=seen.different_answers, rrn=seen.rrn)
        path = evidence.journals.paths.get(seen.id)
        told = seen.response_code
        if path is None or not path.response_code or told in ("", DUPLICATE):
            continue
        if (told, seen.rrn) != (path.response_code, path.rrn):
            finding.violate(
                seen.id,
                "was told otherwise than the journal says",
                terminal=f"{told} RRN {seen.rrn}",
                journal=f"{path.response_code} RRN {path.rrn}",
            )
    return finding


def nothing_is_left_open(evidence: Evidence) -> Finding:
    """By the journal; and what it says a bank has acknowledged, the bank's ledger must hold."""
    finding = Finding(name="no intent without an outcome, no reversal that a bank has not acknowledged")
    finding.checked = len(evidence.journals.paths)
    for id_, path in evidence.journals.unfinished():
        what = "has no outcome" if path.state is State.INTENT else "waits for its bank to acknowledge the reversal"
        finding.violate(id_, what, journal=path.steps, waits_for=",".join(path.waiting), rrn=path.rrn)
    for institution, ids in evidence.journals.acknowledged.items():
        for id_ in ids:
            if not evidence.ledgers.reversed(id_, institution):
                path = evidence.journals.paths[id_]
                finding.violate(
                    id_,
                    f"{institution} acknowledged a reversal that its ledger does not hold",
                    journal=path.steps,
                    rrn=path.rrn,
                )
    return finding


def no_card_data(evidence: Evidence) -> Finding:
    """What `lianji scan` finds is a violation each, with where it stands; the evidence is masked."""
    finding = Finding(name="no card number, track, PIN block or PIN in any stream, table, log, trace or file")
    if evidence.scanned is None:
        return finding
    finding.checked = evidence.scanned.items
    for find in evidence.scanned.finds:
        finding.violate(find.place, f"holds a {find.kind}", form=find.form, value=find.value)
    finding.broken = evidence.scanned.found  # more than are kept
    return finding


INVARIANTS: dict[str, Callable[[Evidence], Finding]] = {
    "I1": postings_balance,
    "I3": _unless_damaged(approvals_count_once),
    "I5": _unless_damaged(nothing_without_approval),
    "I7": paths_are_legal,
    "I9": _unless_damaged(answers_are_identical),
    "I10": _unless_damaged(nothing_is_left_open),
    "I12": no_card_data,
}
"""What `lianji verify` checks, by the names that the project's invariants go by."""


def check(evidence: Evidence) -> dict[str, Finding]:
    """Every invariant's finding, by its name."""
    return {name: invariant(evidence) for name, invariant in INVARIANTS.items()}
