"""What has happened to one account of a bank: its ledger's records, and what the account held after each."""

from __future__ import annotations

import msgspec

from contracts.kinds import Kind
from contracts.ledger import (
    CardReported,
    HoldExpired,
    LedgerRecord,
    Posting,
    Refusal,
    ReversalPosting,
    ScriptResults,
    record_decoder,
)
from contracts.response_codes import APPROVED, PARTIAL_APPROVAL
from contracts.terms import InstalmentTerms
from lianji.records import Progress, every_record
from runtime.log import LogStore

OBEYED, DISOBEYED = "chip obeyed", "chip did not obey"
"""Its bank's orders, all of them."""
REVERSAL, EXPIRY, REPORT = "reversal", "hold expired", "reported"
"""What a line can be beside a kind of transaction."""
UNKNOWN = "transaction"
"""Of a ledger that did not say kinds yet, or a refusal, which never does."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One record, and the account behind it. Amounts are minor units of the account's currency."""

    at_ms: int
    what: str
    """A kind (contracts.kinds), or REVERSAL, EXPIRY, REPORT, OBEYED, DISOBEYED, UNKNOWN."""
    id: str
    """Of the transaction; of a report what was reported."""
    amount_minor: int
    """What has left the account; below zero: what has come."""
    balance_minor: int
    held_minor: int
    """All that is set aside now."""
    response_code: str = APPROVED
    authorization_code: str = ""
    original: str = ""
    instalment: InstalmentTerms | None = None


class Account(msgspec.Struct, kw_only=True):
    """Opened with so much, and moved since."""

    number: str
    currency: str
    opening_minor: int
    credit_limit_minor: int
    balance_minor: int = 0
    held_minor: int = 0
    lines: list[Line] = []

    def __post_init__(self) -> None:
        self.balance_minor = self.opening_minor

    @property
    def available_minor(self) -> int:
        return self.balance_minor + self.credit_limit_minor - self.held_minor

    def take(self, record: LedgerRecord) -> None:
        """The next record of the ledger; those of other accounts are nothing."""
        match record:
            case Posting() if record.account == self.number:
                self.held_minor += record.held_minor - record.released_minor
                self._line(
                    record,
                    record.kind.value if record.kind is not None else UNKNOWN,
                    record.id,
                    record.amount_minor,
                    response_code=PARTIAL_APPROVAL if record.part_of_minor else APPROVED,
                    authorization_code=record.authorization_code,
                    original=record.original,
                    instalment=record.instalment,
                )
            case Refusal() if record.account == self.number:
                self._line(record, UNKNOWN, record.id, 0, response_code=record.response_code)
            case ReversalPosting() if record.account == self.number:
                self.held_minor += record.restored_minor - record.held_minor
                self._line(record, REVERSAL, record.id, -record.amount_minor, original=record.id)
            case HoldExpired() if record.account == self.number:
                self.held_minor -= record.held_minor
                self._line(record, EXPIRY, record.id, 0)
            case ScriptResults() if record.account == self.number:
                obeyed = set(record.results[::2]) == {"2"}
                self._line(record, OBEYED if obeyed else DISOBEYED, record.id, 0, original=record.id)
            case CardReported() if record.account == self.number:
                self._line(record, REPORT, record.report.value, 0)

    def _line(
        self,
        record: Posting | Refusal | ReversalPosting | HoldExpired | ScriptResults | CardReported,
        what: str,
        id_: str,
        amount_minor: int,
        *,
        response_code: str = APPROVED,
        authorization_code: str = "",
        original: str = "",
        instalment: InstalmentTerms | None = None,
    ) -> None:
        self.balance_minor -= amount_minor
        self.lines.append(
            Line(
                at_ms=record.at_ms,
                what=what,
                id=id_,
                amount_minor=amount_minor,
                balance_minor=self.balance_minor,
                held_minor=self.held_minor,
                response_code=response_code,
                authorization_code=authorization_code,
                original=original,
                instalment=instalment,
            )
        )


async def read(account: Account, store: LogStore, progress: Progress) -> Account:
    """The account as of the ledger's end; raises LogDamaged and the store's errors."""
    async for record in every_record([store], record_decoder.decode, progress):
        account.take(record)
    return account


def is_plan(line: Line) -> bool:
    """An instalment sale whose terms the ledger holds."""
    return line.what == Kind.INSTALMENT.value and line.instalment is not None
