"""The state of one institution's ledger, and how each record of its log changes it.

`apply` is the only thing that changes a state. It is total: a record is a fact, whatever the rules say today, so replaying
a log always gives the state that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from contracts import slices
from contracts.ledger import LedgerEpochStarted, LedgerRecord, Posting, Refusal, ReversalPosting
from contracts.money import CNY
from contracts.response_codes import APPROVED, RESPONSE_CODES

ACTIVE = "active"


class Account(msgspec.Struct, array_like=True, gc=False):
    """One account. `balance_minor` may fall to minus the credit limit; a debit account's limit is 0."""

    number: str
    currency: str = CNY
    opening_minor: int = 0
    credit_limit_minor: int = 0
    balance_minor: int = 0
    wrong_pins: int = 0
    """Wrong PINs since the last sale that was approved with the right one."""
    status: str = ACTIVE

    @property
    def available_minor(self) -> int:
        return self.balance_minor + self.credit_limit_minor


class Transaction(msgspec.Struct, array_like=True, gc=False):
    """What is known of one transaction id. Holds no container that could point back, so the collector skips it."""

    account: str
    amount_minor: int = 0
    """What it holds now: 0 for a refusal and once reversed."""
    response_code: str = ""
    """What was answered; empty for a tombstone, which never was asked for."""
    authorization_code: str = ""
    reversed: bool = False


class State(msgspec.Struct, tag="issuer-1"):
    """One institution: its accounts by number, its transactions by id, and the counter behind its authorization codes.

    The tag changes with the layout: a snapshot of another layout is then no snapshot, and the log is replayed.
    """

    accounts: dict[str, Account] = {}
    transactions: dict[str, Transaction] = {}
    approvals: int = 0
    epoch: int = 0

    def account(self, number: str) -> Account:
        """The account; one that a record names and nobody opened is opened with nothing, so that `apply` stays total."""
        account = self.accounts.get(number)
        if account is None:
            account = self.accounts[number] = Account(number)
        return account


def open_accounts(openings: Iterable[Account]) -> State:
    """The state before the first record. The accounts given stay as they are."""
    return State(accounts={a.number: msgspec.structs.replace(a, balance_minor=a.opening_minor) for a in openings})


def apply(state: State, record: LedgerRecord) -> None:
    """Change `state` as `record` says."""
    match record:
        case Posting():
            account = state.account(record.account)
            account.balance_minor -= record.amount_minor
            if record.right_pin:
                account.wrong_pins = 0
            state.approvals += 1
            state.transactions[record.id] = Transaction(
                account.number, record.amount_minor, APPROVED, record.authorization_code
            )
        case Refusal():
            if record.wrong_pin:
                state.account(record.account).wrong_pins += 1
            transaction = state.transactions[record.id] = Transaction(record.account, 0, record.response_code)
            _share(state, transaction)
        case ReversalPosting():
            transaction = state.transactions.setdefault(record.id, Transaction(record.account))
            transaction.reversed = True
            transaction.amount_minor -= record.amount_minor
            if record.amount_minor:
                state.account(record.account).balance_minor += record.amount_minor
        case LedgerEpochStarted():
            state.epoch = record.epoch


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)
_transactions = msgspec.msgpack.Decoder(dict[str, Transaction])


def dump(state: State) -> bytes:
    """The state as a snapshot holds it."""
    rest = msgspec.structs.replace(state, transactions={})
    parts = (_encoder.encode(part) for part in slices.slices(state.transactions))
    return slices.join([_encoder.encode(rest), *parts])


def load(snapshot: bytes) -> Iterator[State]:
    """The state that `dump` wrote, growing: the last is the whole. Raises msgspec.DecodeError when the bytes are no snapshot."""
    parts = slices.split(snapshot)
    state = _decoder.decode(next(parts, b""))
    yield state
    for part in parts:
        transactions = _transactions.decode(part)
        for transaction in transactions.values():
            _share(state, transaction)
        state.transactions.update(transactions)
        yield state


def _share(state: State, transaction: Transaction) -> None:
    """Texts that a million transactions have in common are kept once."""
    account = state.accounts.get(transaction.account)
    if account is not None:
        transaction.account = account.number
    known = RESPONSE_CODES.get(transaction.response_code)
    if known is not None:
        transaction.response_code = known.code
