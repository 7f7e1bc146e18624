"""The state of one institution's ledger, and how each record of its log changes it.

`apply` is the only thing that changes a state. It is total: a record is a fact, whatever the rules say today, so replaying
a log always gives the state that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from contracts import slices
from contracts.identity import identity_of
from contracts.ledger import Archived, LedgerEpochStarted, LedgerRecord, Posting, Refusal, ReversalPosting
from contracts.money import CNY
from contracts.response_codes import APPROVED, RESPONSE_CODES
from issuer_sim.domain import archive

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


class State(msgspec.Struct, tag="issuer-2"):
    """One institution: its accounts by number, its transactions by id, and the counter behind its authorization codes.

    The tag changes with the layout: a snapshot of another layout is then no snapshot, and the log is replayed.
    """

    accounts: dict[str, Account] = {}
    transactions: dict[str, Transaction] = {}
    batches: dict[str, dict[str, list[str]]] = {}
    """Terminal → batch → the ids above, in order."""
    archived: dict[str, str] = {}
    """Terminal → the first batch of which everything is kept; of those before, approvals that stand are in the archive."""
    archive: dict[str, dict[str, bytes]] = {}
    """Terminal → batch → rows (archive)."""
    approvals: int = 0
    epoch: int = 0

    def account(self, number: str) -> Account:
        """The account; one that a record names and nobody opened is opened with nothing, so that `apply` stays total."""
        account = self.accounts.get(number)
        if account is None:
            account = self.accounts[number] = Account(number)
        return account

    def put(self, id_: str, transaction: Transaction) -> None:
        """Adds what is known of an id that is new."""
        self.transactions[id_] = transaction
        self.index(id_)

    def index(self, id_: str) -> None:
        terminal, batch, _ = identity_of(id_)
        self.batches.setdefault(terminal, {}).setdefault(batch, []).append(id_)

    def is_archived(self, id_: str) -> bool:
        """Whether the id is of a batch of which not everything is kept, and nothing is kept of itself but perhaps a row."""
        terminal, batch, _ = identity_of(id_)
        return batch < self.archived.get(terminal, "") and id_ not in self.transactions

    def find(self, id_: str) -> Transaction | None:
        """What is known of an id: all of it, or of a final approval what it took from whom."""
        known = self.transactions.get(id_)
        if known is not None or not self.is_archived(id_):
            return known
        terminal, batch, stan = identity_of(id_)
        for row in archive.unpack(self.archive.get(terminal, {}).get(batch, b"")):
            if f"{row.stan:06d}" == stan:
                return Transaction(list(self.accounts)[row.account], row.amount_minor, APPROVED)
        return None


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
            state.put(record.id, Transaction(account.number, record.amount_minor, APPROVED, record.authorization_code))
        case Refusal():
            if record.wrong_pin:
                state.account(record.account).wrong_pins += 1
            transaction = Transaction(record.account, 0, record.response_code)
            _share(state, transaction)
            state.put(record.id, transaction)
        case ReversalPosting():
            _reverse(state, record)
        case Archived():
            _archive(state, record)
        case LedgerEpochStarted():
            state.epoch = record.epoch


def _reverse(state: State, record: ReversalPosting) -> None:
    transaction = state.transactions.get(record.id)
    if transaction is None:
        transaction = state.find(record.id) or Transaction(record.account)
        state.put(record.id, transaction)
        _drop_row(state, record.id)
    transaction.reversed = True
    transaction.amount_minor -= record.amount_minor
    if record.amount_minor:
        state.account(record.account).balance_minor += record.amount_minor


def _archive(state: State, record: Archived) -> None:
    """What is reversed stays as it is, so that it is never given back again; what was refused took nothing, and goes."""
    places = {number: place for place, number in enumerate(state.accounts)}
    batches = state.batches.get(record.terminal, {})
    for batch in [batch for batch in batches if batch < record.kept_from]:
        rows, kept = [], []
        for id_ in batches.pop(batch):
            transaction, stan = state.transactions[id_], identity_of(id_)[2]
            if transaction.reversed or not archive.fits(stan, transaction.amount_minor):
                kept.append(id_)
                continue
            if transaction.amount_minor:
                rows.append(archive.Row(int(stan), places[transaction.account], transaction.amount_minor))
            del state.transactions[id_]
        if rows:
            before = state.archive.setdefault(record.terminal, {}).get(batch, b"")
            state.archive[record.terminal][batch] = before + archive.pack(rows)
        if kept:
            batches[batch] = kept
    if not batches:
        state.batches.pop(record.terminal, None)
    state.archived[record.terminal] = record.kept_from


def _drop_row(state: State, id_: str) -> None:
    terminal, batch, stan = identity_of(id_)
    rows = state.archive.get(terminal, {}).get(batch)
    if rows is not None:
        state.archive[terminal][batch] = archive.pack(row for row in archive.unpack(rows) if f"{row.stan:06d}" != stan)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)
_transactions = msgspec.msgpack.Decoder(dict[str, Transaction])


def dump(state: State) -> bytes:
    """The state as a snapshot holds it."""
    rest = msgspec.structs.replace(state, transactions={}, batches={})
    parts = (_encoder.encode(part) for part in slices.slices(state.transactions))
    return slices.join([_encoder.encode(rest), *parts])


def load(snapshot: bytes) -> State:
    """The state that `dump` wrote; raises msgspec.DecodeError when the bytes are no snapshot."""
    *_, state = load_in_parts(snapshot)
    return state


def load_in_parts(snapshot: bytes) -> Iterator[State]:
    """The state that `dump` wrote, growing: the last is the whole. Raises msgspec.DecodeError when the bytes are no snapshot."""
    parts = slices.split(snapshot)
    state = _decoder.decode(next(parts, b""))
    yield state
    for part in parts:
        transactions = _transactions.decode(part)
        for id_, transaction in transactions.items():
            _share(state, transaction)
            state.put(id_, transaction)
        yield state


def _share(state: State, transaction: Transaction) -> None:
    """Texts that a million transactions have in common are kept once."""
    account = state.accounts.get(transaction.account)
    if account is not None:
        transaction.account = account.number
    known = RESPONSE_CODES.get(transaction.response_code)
    if known is not None:
        transaction.response_code = known.code
