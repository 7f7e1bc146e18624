"""Cards that were reported: what the bank writes down, and what of it the switch has yet to hear (contracts.stop_list)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from contracts import response_codes as rc
from contracts.ledger import CardReported, ReportTold
from contracts.reports import Report
from contracts.stop_list import ReportQuestion, ReportReply

if TYPE_CHECKING:
    from issuer_sim.domain.accounts import State

STATUSES = {Report.LOST: "lost", Report.STOLEN: "stolen", Report.CAPTURE: "capture", Report.FOUND: "active"}
"""What an account's status becomes."""


class Reported(msgspec.Struct, array_like=True):
    """The last report of one account or prefix."""

    entry: int
    revision: int
    report: Report
    account: str = ""
    prefix: str = ""
    told: bool = False


class Reports(msgspec.Struct):
    """`report` and `tell` are its only writers."""

    of: dict[str, Reported] = {}
    """Account or prefix → its last report. No account's number is all digits."""
    entries: int = 0
    """The last number given to an account or a prefix."""
    untold: dict[str, int] = {}
    """Those of them that the switch has not acknowledged yet → revision, in order."""

    def report(self, record: CardReported) -> None:
        key = record.account or record.prefix
        self.of[key] = Reported(record.entry, record.revision, record.report, record.account, record.prefix)
        self.entries = max(self.entries, record.entry)
        self.untold[key] = record.revision

    def tell(self, record: ReportTold) -> None:
        """A later report of the same entry is not told by it."""
        for key, revision in self.untold.items():
            if revision == record.revision and self.of[key].entry == record.entry:
                del self.untold[key]
                self.of[key].told = True
                return

    def waiting(self) -> Iterator[Reported]:
        return (self.of[key] for key in self.untold)


class ReportDecision(NamedTuple):
    records: tuple[CardReported, ...]
    reply: ReportReply


def decide_report(
    state: State, asked: ReportQuestion, bins: tuple[str, ...], *, at_ms: int, trace: str = ""
) -> ReportDecision:
    """Writes a report down, unless it says what is known. `bins`: the beginnings of the bank's own card numbers."""
    key = asked.account or asked.prefix
    own = asked.account in state.accounts if asked.account else asked.prefix.startswith(bins)
    if not own or (asked.account and asked.prefix):
        return _answered(rc.INVALID_CARD_NUMBER)
    known = state.reports.of.get(key)
    if known is not None and known.report is asked.report:
        return _answered(rc.APPROVED)
    account = state.accounts.get(asked.account)
    if asked.report is Report.FOUND and known is None:
        # An account that was opened with a status of its own has not been reported, and the switch has nothing to take off its list.
        return _answered(rc.INVALID_RELATED_TRANSACTION)
    if account is not None and known is None and account.status != STATUSES[Report.FOUND]:
        return _answered(rc.INVALID_RELATED_TRANSACTION)
    record = CardReported(
        report=asked.report,
        entry=known.entry if known is not None else state.reports.entries + 1,
        revision=known.revision + 1 if known is not None else 1,
        account=asked.account,
        prefix=asked.prefix,
        at_ms=at_ms,
        trace=trace,
    )
    return ReportDecision((record,), ReportReply(response_code=rc.APPROVED))


def _answered(code: str) -> ReportDecision:
    return ReportDecision((), ReportReply(response_code=code))
