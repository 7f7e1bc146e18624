"""What has happened to one account of a bank: its ledger's records, and what the account held after each."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from contracts.kinds import Kind
from contracts.ledger import CardReported, HoldExpired, LedgerRecord, Posting, Refusal, ReversalPosting, record_decoder
from contracts.response_codes import APPROVED, PARTIAL_APPROVAL
from contracts.terms import InstalmentTerms
from runtime.log import LogDamaged, LogStore, Position, read_groups

REVERSAL, EXPIRY, REPORT = "reversal", "hold expired", "reported"
"""What a line can be beside a kind of transaction."""
UNKNOWN = "transaction"
"""Of a ledger that did not say kinds yet, or a refusal, which never does."""
SAID_EVERY = 5_000


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One record, and the account behind it. Amounts are minor units of the account's currency."""

    at_ms: int
    what: str
    """A kind (contracts.kinds), or REVERSAL, EXPIRY, REPORT, UNKNOWN."""
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
            case CardReported() if record.account == self.number:
                self._line(record, REPORT, record.report.value, 0)

    def _line(
        self,
        record: Posting | Refusal | ReversalPosting | HoldExpired | CardReported,
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


async def read(account: Account, store: LogStore, progress: Callable[[str], None]) -> Account:
    """The account as of the ledger's end; raises LogDamaged and the store's errors."""
    last = await store.last_sequence()
    async for group in read_groups(store, Position(), last):
        for raw in group.group.records:
            try:
                account.take(record_decoder.decode(bytes(raw)))
            except msgspec.MsgspecError as error:
                what = type(error).__name__
                raise LogDamaged(f"{store.name}: sequence {group.sequence} holds no record ({what})") from None
        if group.sequence % SAID_EVERY == 0 or group.sequence == last:
            progress(f"{store.name}: {group.sequence:,} of {last:,} groups")
    return account


def is_plan(line: Line) -> bool:
    """An instalment sale whose terms the ledger holds."""
    return line.what == Kind.INSTALMENT.value and line.instalment is not None
