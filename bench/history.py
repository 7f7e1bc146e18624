"""The records that a stack's history leaves in its journals and ledgers, made without living through it. Pure, but for sealing cards.

So many terminals sell in turn, each so many sales a day; the first sale of a day finds the batch of the day before and closes it. The last
day is open. One sale in fifty is refused by its bank for want of funds. What an owner of such journals keeps is what its real
history would have left: the open batch of each terminal, and the one that was closed last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.sealing import CardSealer
from contracts import subjects
from contracts.authorization import Totals
from contracts.identity import format_rrn, shard_of, transaction_id
from contracts.journal import BatchClosed, EpochStarted, Intent, Outcome, Record, SignedOn
from contracts.kinds import KINDS, Kind
from contracts.ledger import LedgerEpochStarted, LedgerRecord, Posting, Refusal
from contracts.money import CNY
from contracts.response_codes import APPROVED, INSUFFICIENT_FUNDS
from contracts.states import State
from world import Card, Terminal

SALES_A_DAY = 200
"""Of one terminal; as many are in a batch."""
REFUSED_EVERY = 50
OWNER = "history"
_DAY_MS = 86_400_000
_ENTRY_MODE = "021"
_OPERATOR = "001"

Line = tuple[str, Record | LedgerRecord]
"""The log's subject, and the next record of it."""


@dataclass
class _Till:
    """A terminal as its batch stands."""

    terminal: Terminal
    shard: int
    batch: int = 1
    stan: int = 0
    sales: int = 0
    """In the open batch."""
    previous: int = 0
    """In the one before."""
    approved: int = 0
    approved_minor: int = 0

    @property
    def batch_number(self) -> str:
        return f"{self.batch:06d}"

    def next_stan(self) -> str:
        self.stan += 1
        return f"{self.stan:06d}"


@dataclass
class History:
    """`transactions` sales, the last of them at `ends_at_ms` (Unix milliseconds). To be gone through once."""

    transactions: int
    terminals: Sequence[Terminal]
    cards: Sequence[Card]
    shards: int
    ends_at_ms: int
    _numbers: dict[int, int] = field(default_factory=dict)
    _approvals: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tills = [_Till(terminal, shard_of(terminal.merchant, self.shards)) for terminal in self.terminals]
        self._seal = CardSealer()
        self._spacing_ms = _DAY_MS / (len(self._tills) * SALES_A_DAY)

    @property
    def kept(self) -> int:
        """The transactions that the owners of the journals have in memory at the end."""
        return sum(till.sales + till.previous for till in self._tills)

    def lines(self) -> Iterator[Line]:
        """Every record, each log's in its order."""
        yield from self._epochs(self._at_ms(0))
        for number in range(self.transactions):
            till = self._tills[number % len(self._tills)]
            at_ms = self._at_ms(number)
            if till.sales == SALES_A_DAY:
                yield self._close(till, at_ms)
            if not till.sales:
                yield self._sign_on(till, at_ms)
            yield from self._sale(till, number, at_ms)

    def _at_ms(self, number: int) -> int:
        return self.ends_at_ms - int((self.transactions - 1 - number) * self._spacing_ms)

    def _epochs(self, at_ms: int) -> Iterator[Line]:
        for shard in range(self.shards):
            yield subjects.journal(shard), EpochStarted(epoch=1, owner=OWNER, at_ms=at_ms)
        for bank in sorted({card.issuer for card in self.cards}):
            yield subjects.ledger(bank), LedgerEpochStarted(epoch=1, owner=OWNER, at_ms=at_ms)

    def _rrn(self, till: _Till) -> str:
        number = self._numbers[till.shard] = self._numbers.get(till.shard, 0) + 1
        return format_rrn(till.shard, number)

    def _sign_on(self, till: _Till, at_ms: int) -> Line:
        record = SignedOn(
            terminal=till.terminal.tid,
            merchant=till.terminal.merchant,
            batch=till.batch_number,
            operator=_OPERATOR,
            stan=till.next_stan(),
            rrn=self._rrn(till),
            at_ms=at_ms,
        )
        return subjects.journal(till.shard), record

    def _close(self, till: _Till, at_ms: int) -> Line:
        closed = till.batch_number
        till.batch += 1
        record = BatchClosed(
            terminal=till.terminal.tid,
            merchant=till.terminal.merchant,
            batch=closed,
            next_batch=till.batch_number,
            operator=_OPERATOR,
            stan=till.next_stan(),
            rrn=self._rrn(till),
            currency=CNY,
            totals=Totals(debit_minor=till.approved_minor, debit_count=till.approved),
            at_ms=at_ms,
        )
        till.previous, till.sales, till.approved, till.approved_minor = till.sales, 0, 0, 0
        return subjects.journal(till.shard), record

    def _sale(self, till: _Till, number: int, at_ms: int) -> Iterator[Line]:
        card = self.cards[number % len(self.cards)]
        id_ = transaction_id(till.terminal.tid, till.batch_number, till.next_stan())
        amount_minor = 100 + number * 37 % 9900
        # As long as a real one, and not sampled: nobody wants a million traces of what never happened.
        trace = f"00-{number + 1:032x}-{number + 1:016x}-00"
        till.sales += 1
        yield (
            subjects.journal(till.shard),
            self._intent(till, card, id_, amount_minor=amount_minor, at_ms=at_ms, trace=trace),
        )
        refused = number % REFUSED_EVERY == REFUSED_EVERY - 1
        code = ""
        posting: Posting | Refusal
        if refused:
            posting = Refusal(id=id_, account=card.account, response_code=INSUFFICIENT_FUNDS, at_ms=at_ms, trace=trace)
        else:
            till.approved += 1
            till.approved_minor += amount_minor
            code = self._authorization_code(card.issuer)
            posting = Posting(
                id=id_,
                account=card.account,
                amount_minor=amount_minor,
                currency=CNY,
                authorization_code=code,
                right_pin=True,
                at_ms=at_ms,
                trace=trace,
            )
        yield subjects.ledger(card.issuer), posting
        outcome = Outcome(
            id=id_,
            state=State.DECLINED if refused else State.APPROVED,
            response_code=INSUFFICIENT_FUNDS if refused else APPROVED,
            authorization_code=code,
            at_ms=at_ms,
            trace=trace,
        )
        yield subjects.journal(till.shard), outcome

    def _authorization_code(self, bank: str) -> str:
        """Six characters, in the order of the bank's approvals."""
        number = self._approvals[bank] = self._approvals.get(bank, 0) + 1
        return f"{number % 10**6:06d}"

    def _intent(self, till: _Till, card: Card, id_: str, *, amount_minor: int, at_ms: int, trace: str) -> Intent:
        return Intent(
            id=id_,
            rrn=self._rrn(till),
            kind=Kind.SALE,
            terminal=till.terminal.tid,
            merchant=till.terminal.merchant,
            batch=till.batch_number,
            stan=id_.rpartition(":")[2],
            operator=_OPERATOR,
            amount_minor=amount_minor,
            currency=CNY,
            institution=card.issuer,
            entry_mode=_ENTRY_MODE,
            card=self._seal.stored(card.pan, id_),
            fingerprint=self._seal.fingerprint(amount_minor, card.pan, KINDS[Kind.SALE].processing_code),
            at_ms=at_ms,
            trace=trace,
        )
