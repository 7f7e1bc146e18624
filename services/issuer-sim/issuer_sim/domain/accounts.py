"""The state of one institution's ledger, and how each record of its log changes it.

`apply` is the only thing that changes a state. It is total: a record is a fact, whatever the rules say today, so replaying
a log always gives the state that wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import msgspec

from contracts import slices
from contracts.identity import identity_of
from contracts.ledger import (
    Archived,
    CardReported,
    HoldExpired,
    LedgerEpochStarted,
    LedgerRecord,
    Posting,
    Refusal,
    ReportTold,
    ReversalPosting,
    ScriptResults,
)
from contracts.money import CNY
from contracts.response_codes import APPROVED, PARTIAL_APPROVAL, RESPONSE_CODES
from issuer_sim.domain.archive import Archive, Memory, Pages, Row, fits
from issuer_sim.domain.holds import Hold, Holds
from issuer_sim.domain.reports import STATUSES, Reports
from issuer_sim.domain.returns import Returns
from issuer_sim.domain.terms import day_of

ACTIVE = "active"
COUNTERS_KEPT = 63
"""Of a chip, below the highest: how far back a sale that was approved off line can be told from a copy of it. They fit a number of a snapshot."""
_INCOMING = "+"
"""No id ends so (contracts.bounds.TransactionId)."""


def key_of(id_: str, *, incoming: bool) -> str:
    """Where a transaction stands in the state: the second half of a transfer apart from the first, whose id it has.

    >>> key_of("10000001:000001:000042", incoming=True)
    '10000001:000001:000042+'
    """
    return id_ + _INCOMING if incoming else id_


class Account(msgspec.Struct, array_like=True, gc=False):
    """One account. `balance_minor` may fall to minus the credit limit; a debit account's limit is 0.

    What may be spent never falls below minus `forced_minor`: only what asks nobody can take it below zero.
    """

    number: str
    currency: str = CNY
    opening_minor: int = 0
    credit_limit_minor: int = 0
    balance_minor: int = 0
    wrong_pins: int = 0
    """Wrong PINs since the last sale that was approved with the right one."""
    status: str = ACTIVE
    held_minor: int = 0
    """The sum of its open holds."""
    forced_minor: int = 0
    """The sum of what was booked whatever it held: notices, and reversals that take back what had come or hold again what had been spent."""
    day: int = 0
    """The last day of the bank's on which something was asked of it and approved (terms.day_of), and what and how often that was. A notice
    does not count, nor does what a hold has been counted for; what is reversed has been counted all the same."""
    day_minor: int = 0
    day_count: int = 0
    counter: int = 0
    """The highest transaction counter (ATC) with which its card's chip has proved itself, or which an acquirer has told of an offline sale."""
    counters: int = 0
    """Which of those just below it have been used: bit 0 is that of `counter` - 1."""

    @property
    def available_minor(self) -> int:
        return self.balance_minor + self.credit_limit_minor - self.held_minor

    def has_used(self, counter: int) -> bool:
        """Whether the chip has proved itself with this counter, or may have: of what is too far back nobody knows.

        >>> account = Account("A1"); account.use(7); account.use(5)
        >>> [account.has_used(counter) for counter in (5, 6, 7, 8)]
        [True, False, True, False]
        """
        back = self.counter - counter - 1
        return back >= COUNTERS_KEPT or back == -1 or (back >= 0 and bool(self.counters >> back & 1))

    def may_have_counted(self, counter: int) -> bool:
        """Whether a counter that no cryptogram proves is taken for the chip's: one that is far above what the chip has proved would bar the chip
        itself for ever."""
        return counter <= self.counter + COUNTERS_KEPT

    def use(self, counter: int) -> None:
        step = counter - self.counter
        if step > 0:
            former = self.counters << 1 | (self.counter > 0)
            self.counters = former << min(step, COUNTERS_KEPT + 1) - 1 & (1 << COUNTERS_KEPT) - 1
            self.counter = counter
        elif step < 0 and -step <= COUNTERS_KEPT:
            self.counters |= 1 << -step - 1

    def count(self, at_ms: int, minor: int) -> None:
        day = day_of(at_ms)
        if day != self.day:
            self.day, self.day_minor, self.day_count = day, 0, 0
        self.day_minor += minor
        self.day_count += 1


class Transaction(msgspec.Struct, array_like=True, gc=False):
    """What is known of one transaction id. Holds no container that could point back, so the collector skips it."""

    account: str
    amount_minor: int = 0
    """What it has taken and not given back: 0 for a refusal and once reversed, below zero for a credit."""
    response_code: str = ""
    """What was answered; 10: `amount_minor` is the part that was approved; empty for a tombstone, which never was asked for."""
    authorization_code: str = ""
    reversed: bool = False
    told: bool = False
    """What its chip has made of the bank's orders is written down."""


class State(msgspec.Struct, tag="issuer-7"):
    """One institution: its accounts by number, its transactions by id, and the counter behind its authorization codes.

    The tag changes with the layout: a snapshot of another layout is then no snapshot, and the log is replayed.
    """

    accounts: dict[str, Account] = {}
    transactions: dict[str, Transaction] = {}
    """By key (`key_of`)."""
    holds: Holds = msgspec.field(default_factory=Holds)
    batches: dict[str, dict[str, list[str]]] = {}
    """Terminal → batch → the keys above, in order."""
    archived: dict[str, str] = {}
    """Terminal → the first batch of which everything is kept; of those before, approvals that stand are in the archive."""
    archive: Archive = msgspec.field(default_factory=Archive)
    approvals: int = 0
    epoch: int = 0
    reports: Reports = msgspec.field(default_factory=Reports)
    returns: Returns = msgspec.field(default_factory=Returns)

    def account(self, number: str) -> Account:
        """The account; one that a record names and nobody opened is opened with nothing, so that `apply` stays total."""
        account = self.accounts.get(number)
        if account is None:
            account = self.accounts[number] = Account(number)
        return account

    def put(self, key: str, transaction: Transaction) -> None:
        """Adds what is known of a transaction that is new."""
        self.transactions[key] = transaction
        self.index(key)

    def index(self, key: str) -> None:
        terminal, batch, _ = identity_of(key)
        self.batches.setdefault(terminal, {}).setdefault(batch, []).append(key)

    def known(self, id_: str, *, incoming: bool = False) -> Transaction | None:
        """What has been answered to this question, or bars it: a first half that is reversed bars the second, which never was asked for."""
        known = self.transactions.get(key_of(id_, incoming=incoming))
        if known is None and incoming:
            first = self.transactions.get(id_)
            return first if first is not None and first.reversed else None
        return known

    def is_archived(self, key: str) -> bool:
        """Whether it is of a batch of which not everything is kept, and nothing is kept of itself but perhaps a row."""
        terminal, batch, _ = identity_of(key)
        return batch < self.archived.get(terminal, "") and key not in self.transactions

    def find(self, key: str) -> Transaction | None:
        """What is known under a key: all of it, or of a final approval what it took from whom."""
        known = self.transactions.get(key)
        if known is not None or not self.is_archived(key):
            return known
        row = self.archive.find(*_row_of(key), incoming=key.endswith(_INCOMING))
        return None if row is None else Transaction(list(self.accounts)[row.account], row.amount_minor, APPROVED)


def open_accounts(openings: Iterable[Account], pages: Callable[[], Pages] = Memory) -> State:
    """The state before the first record. The accounts given stay as they are."""
    accounts = {a.number: msgspec.structs.replace(a, balance_minor=a.opening_minor) for a in openings}
    return State(accounts=accounts, archive=Archive(pages()))


def apply(state: State, record: LedgerRecord) -> None:
    """Change `state` as `record` says."""
    match record:
        case Posting():
            _post(state, record)
        case Refusal():
            _refuse(state, record)
        case ReversalPosting():
            _reverse(state, record)
        case HoldExpired():
            state.holds.expire(record.account, record.id)
            state.account(record.account).held_minor -= record.held_minor
        case ScriptResults():
            if (known := state.transactions.get(record.id)) is not None:
                known.told = True
        case Archived():
            _archive(state, record)
        case CardReported():
            state.reports.report(record)
            if record.account:
                state.account(record.account).status = STATUSES[record.report]
        case ReportTold():
            state.reports.tell(record)
        case LedgerEpochStarted():
            state.epoch = record.epoch


def _post(state: State, record: Posting) -> None:
    account = state.account(record.account)
    account.balance_minor -= record.amount_minor
    if record.right_pin:
        account.wrong_pins = 0
    if record.counter:
        account.use(record.counter)
    state.approvals += 1
    if record.held_minor:
        account.held_minor += record.held_minor
        state.holds.put(account.number, record.id, Hold(record.held_minor, record.expires_ms))
    if record.releases:
        account.held_minor -= record.released_minor
        state.holds.release(account.number, record.releases, record.id)
    if record.original and not record.incoming:
        state.returns.give(record)
    asked_minor = record.amount_minor + record.held_minor
    if record.forced:
        account.forced_minor += max(0, asked_minor - record.released_minor)
    elif asked_minor > 0 and not record.releases:
        account.count(record.at_ms, asked_minor)
    code = PARTIAL_APPROVAL if record.part_of_minor else APPROVED
    transaction = Transaction(account.number, record.amount_minor, code, record.authorization_code)
    state.put(key_of(record.id, incoming=record.incoming), transaction)


def _refuse(state: State, record: Refusal) -> None:
    if record.wrong_pin:
        state.account(record.account).wrong_pins += 1
    if record.counter:
        state.account(record.account).use(record.counter)
    transaction = Transaction(record.account, 0, record.response_code)
    _share(state, transaction)
    state.put(key_of(record.id, incoming=record.incoming), transaction)


def _reverse(state: State, record: ReversalPosting) -> None:
    key = key_of(record.id, incoming=record.incoming)
    transaction = state.transactions.get(key)
    if transaction is None:
        transaction = state.find(key)
        if transaction is None:
            transaction = Transaction(record.account)
        else:
            state.archive.void(*_row_of(key), incoming=record.incoming)
        state.put(key, transaction)
    if not record.incoming:
        state.returns.undo(record.id, -record.amount_minor)
    transaction.reversed = True
    transaction.amount_minor -= record.amount_minor
    held_minor = record.restored_minor - record.held_minor
    if record.amount_minor or held_minor:
        account = state.account(record.account)
        account.balance_minor += record.amount_minor
        account.held_minor += held_minor
        account.forced_minor += max(0, held_minor - record.amount_minor)
    state.holds.undo(record.account, key, restores=bool(record.restores))


def _archive(state: State, record: Archived) -> None:
    """What is reversed stays as it is, so that it is never undone again, and so does what holds, or has ended a hold that is not over: a reversal
    may still come, however late. What was refused took nothing, and goes."""
    places = {number: place for place, number in enumerate(state.accounts)}
    batches = state.batches.get(record.terminal, {})
    # In order: what is kept of one batch may hang on what is settled in another, and a snapshot does not say which of them came first.
    for batch in sorted(batch for batch in batches if batch < record.kept_from):
        rows, kept = [], []
        for key in batches.pop(batch):
            transaction, incoming = state.transactions[key], key.endswith(_INCOMING)
            stan = identity_of(key.removesuffix(_INCOMING))[2]
            if (
                transaction.reversed
                or state.holds.needs(transaction.account, key)
                or state.holds.may_restore(key, record.at_ms)
                or not fits(stan, transaction.amount_minor)
            ):
                kept.append(key)
                continue
            if transaction.amount_minor:
                rows.append(Row(int(stan), places[transaction.account], transaction.amount_minor, incoming))
            state.holds.settle(key)
            del state.transactions[key]
        if rows:
            state.archive.put(record.terminal, batch, rows)
        if kept:
            batches[batch] = kept
    if not batches:
        state.batches.pop(record.terminal, None)
    state.archived[record.terminal] = record.kept_from


def _row_of(key: str) -> tuple[str, str, str]:
    """Terminal, batch and STAN, by which the archive knows it."""
    return identity_of(key.removesuffix(_INCOMING))


def _encode(value: object) -> object:
    if isinstance(value, Archive):
        return value.last
    raise NotImplementedError(f"{type(value).__name__}: no part of a snapshot")


def _decode(kind: type, value: object) -> object:
    if kind is Archive:
        return Archive(last=msgspec.convert(value, dict[str, int]))
    raise NotImplementedError(f"{kind.__name__}: no part of a snapshot")


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode)
_decoder = msgspec.msgpack.Decoder(State, dec_hook=_decode)
_part: msgspec.msgpack.Decoder[dict[str, Transaction] | bytes] = msgspec.msgpack.Decoder(dict[str, Transaction] | bytes)


def dump(state: State) -> bytes:
    """The state as a snapshot holds it: what is small, then the archive, then the transactions."""
    rest = msgspec.structs.replace(state, transactions={}, batches={})
    parts = chain((rest,), state.archive.chunks(), slices.slices(state.transactions))
    return slices.join(_encoder.encode(part) for part in parts)


def load(snapshot: bytes, pages: Callable[[], Pages] = Memory) -> State:
    """The state that `dump` wrote; raises msgspec.DecodeError when the bytes are no snapshot."""
    *_, state = load_in_parts(snapshot, pages)
    return state


def load_in_parts(snapshot: bytes, pages: Callable[[], Pages] = Memory) -> Iterator[State]:
    """The state that `dump` wrote, growing: the last is the whole. Raises msgspec.DecodeError when the bytes are no snapshot."""
    parts = slices.split(snapshot)
    state = _decoder.decode(next(parts, b""))
    state.archive = Archive(pages(), state.archive.last)
    yield state
    for encoded in parts:
        part = _part.decode(encoded)
        if isinstance(part, bytes):
            state.archive.extend(part)
        else:
            for key, transaction in part.items():
                _share(state, transaction)
                state.put(key, transaction)
        yield state


def _share(state: State, transaction: Transaction) -> None:
    """Texts that a million transactions have in common are kept once."""
    account = state.accounts.get(transaction.account)
    if account is not None:
        transaction.account = account.number
    known = RESPONSE_CODES.get(transaction.response_code)
    if known is not None:
        transaction.response_code = known.code
