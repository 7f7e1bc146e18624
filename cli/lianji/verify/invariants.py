"""The invariants, one function each. Adding one is one entry in INVARIANTS."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from contracts.response_codes import APPROVED
from contracts.states import State
from lianji.verify.books import Booked
from lianji.verify.evidence import Evidence
from lianji.verify.journals import Path
from lianji.verify.report import Finding, Violation

_STANDS = (State.APPROVED, State.SETTLED)
_NOTHING = Booked()


def postings_balance(evidence: Evidence) -> Finding:
    finding = Finding(name="every posting of the settlement ledger sums to zero, per currency and in all")
    finding.checked = evidence.books.count_entries()
    for subject, currency, total in evidence.books.unbalanced():
        finding.violate(subject, "does not sum to zero", currency=currency, sum=total)
    return finding


def approvals_count_once(evidence: Evidence) -> Finding:
    """The terminal's word first, then every approval in the journal, whether a terminal of ours saw it or not."""
    finding = Finding(
        name="an approval that was not reversed is charged once and settled exactly once, by the same amount"
    )
    for seen in evidence.seen:
        if not seen.transaction.counts or seen.waits:
            continue
        finding.checked += 1
        path = evidence.journals.paths.get(seen.id)
        if path is None or path.state not in _STANDS or path.amount_minor != seen.transaction.amount_minor:
            finding.violate(
                seen.id,
                "the terminal saw an approval that the journal does not hold",
                terminal=f"approved {seen.transaction.amount_minor}",
                journal=path.steps if path else "nothing",
                rrn=seen.transaction.rrn,
            )
    for id_, path in evidence.journals.paths.items():
        if path.state in _STANDS:
            finding.checked += 1
            _stands_once(finding, evidence, id_, path)
    return finding


def _stands_once(finding: Finding, evidence: Evidence, id_: str, path: Path) -> None:
    charged = evidence.ledgers.net(id_, path.institution)
    booked = evidence.booked.get(id_, _NOTHING)
    settled = int(path.state is State.SETTLED)
    right = (
        charged == path.amount_minor
        and (booked.capture, booked.reversal, booked.compensation) == (1, 0, 0)
        and booked.captured_minor == path.amount_minor
        and booked.settlement == settled
        and booked.settled_minor == settled * path.amount_minor
    )
    if not right:
        finding.violate(
            id_,
            "stands approved, and is not charged and booked exactly once",
            amount=path.amount_minor,
            issuer=charged,
            settlement=booked.text(),
            journal=path.steps,
            rrn=path.rrn,
            trace=path.trace,
        )


def nothing_without_approval(evidence: Evidence) -> Finding:
    finding = Finding(name="what was declined, timed out or reversed has no net effect on the cardholder")
    for seen in evidence.seen:
        answered = seen.transaction.response_code
        if seen.waits or seen.transaction.counts or not (answered or seen.transaction.reversed):
            continue
        finding.checked += 1
        path = evidence.journals.paths.get(seen.id)
        if path is not None and path.state in _STANDS:
            told = "reversed" if seen.transaction.reversed else f"declined {answered}"
            finding.violate(seen.id, f"the terminal saw it {told}", journal=path.steps, rrn=path.rrn, trace=path.trace)
    for (id_, institution), charge in evidence.ledgers.charges.items():
        finding.checked += 1
        path = evidence.journals.paths.get(id_)
        stands = path is not None and path.state in _STANDS and path.institution == institution
        if charge.net_minor and not stands:
            finding.violate(
                id_,
                "the cardholder is charged for what does not stand approved",
                issuer=f"{institution} {charge.net_minor}",
                journal=path.steps if path else "nothing",
                rrn=path.rrn if path else "",
            )
    for id_, booked in evidence.booked.items():
        finding.checked += 1
        path = evidence.journals.paths.get(id_)
        if path is not None and path.state in _STANDS:
            continue
        if booked.capture - booked.reversal - booked.compensation or booked.settlement != booked.compensation:
            finding.violate(
                id_,
                "settlement has booked what does not stand approved",
                settlement=booked.text(),
                journal=path.steps if path else "nothing",
            )
    return finding


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
        digests = seen.transaction.answer_digests
        if not digests:
            continue
        finding.checked += 1
        if len(set(digests)) > 1:
            finding.violate(seen.id, "was answered differently", answers=len(set(digests)), rrn=seen.transaction.rrn)
        path = evidence.journals.paths.get(seen.id)
        told = seen.transaction.response_code
        if path is not None and told and path.response_code and told != path.response_code and told == APPROVED:
            finding.violate(seen.id, f"was told {told}, the journal says {path.response_code}", journal=path.steps)
    return finding


def nothing_is_left_open(evidence: Evidence) -> Finding:
    finding = Finding(name="no intent without an outcome, no reversal that a bank has not acknowledged")
    finding.checked = len(evidence.journals.paths)
    for id_, path in evidence.journals.unfinished():
        what = "has no outcome" if path.state is State.INTENT else "waits for its bank to acknowledge the reversal"
        finding.violate(id_, what, journal=path.steps, waits_for=",".join(path.waiting), rrn=path.rrn, trace=path.trace)
    return finding


INVARIANTS: dict[str, Callable[[Evidence], Finding]] = {
    "I1": postings_balance,
    "I3": approvals_count_once,
    "I5": nothing_without_approval,
    "I7": paths_are_legal,
    "I9": answers_are_identical,
    "I10": nothing_is_left_open,
}
"""By the names of docs/reliability: what `lianji verify` checks."""
