"""Any order of requests, words, reversals, closes and takeovers: the shard's books stay right, and replay gives the same shard."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from auth.domain import authorize, reverse, settle
from auth.domain.register import MerchantEntry, Register, TerminalEntry
from auth.domain.state import Shard, totals_of
from auth.machine import ShardMachine
from contracts.authorization import AuthorizeRequest, CardData, IssuerReply, ReverseRequest, SettleRequest, Totals
from contracts.journal import BatchClosed, Intent, Outcome, Record, Reversed, Reversing
from contracts.kinds import Kind
from contracts.pan import MaskedCard, Pan, luhn_check_digit
from contracts.states import State

PAN = "629101000000001" + luhn_check_digit("629101000000001")
REGISTER = Register(
    merchants={"M": MerchantEntry(True, 10**9)},
    terminals={"T1": TerminalEntry("M", True), "T2": TerminalEntry("M", True)},
    terminals_of={"M": ("T1", "T2")},
    institution_for=lambda _: "bank",
    stop_reason=lambda _: "",
    institutions=("bank", "other"),
    currency="156",
)
MASKED = MaskedCard(first6=PAN[:6], last4=PAN[-4:], length=16, digest="d" * 32)

terminal = st.sampled_from(["T1", "T2"])
number = st.integers(1, 6)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("sale"), terminal, number, st.integers(1, 3)),
        st.tuples(st.just("word"), number, st.sampled_from(["00", "51"])),
        st.tuples(st.just("silence"), number),
        st.tuples(st.just("reverse"), terminal, number, st.integers(1, 3), st.booleans()),
        st.tuples(st.just("deliver"), st.sampled_from(["bank", "other"])),
        st.tuples(st.just("close"), terminal, st.booleans()),
        st.tuples(st.just("takeover")),
    ),
    max_size=60,
)


class Bench:
    """The switch without its edges: decisions applied at once and written down."""

    def __init__(self) -> None:
        self.machine = ShardMachine()
        self.shard = Shard()
        self.journal: list[Record] = []
        self.promised: dict[str, str] = {}
        self.now = 0

    def write(self, *records: Record) -> None:
        for record in records:
            self.machine.apply(self.shard, record)
            # Through bytes: what is replayed is what was written, not what was meant.
            self.journal.append(self.machine.decode(self.machine.encode(record)))

    def take(self, step: tuple[Any, ...]) -> None:
        self.now += 1
        getattr(self, f"on_{step[0]}")(*step[1:])
        self.check_promises()

    def on_sale(self, terminal: str, stan: int, amount: int) -> None:
        request = AuthorizeRequest(
            kind=Kind.SALE,
            terminal=terminal,
            merchant="M",
            batch=self.shard.terminal(terminal).batch,
            stan=f"{stan:06d}",
            amount_minor=amount,
            currency="156",
            entry_mode="021",
            card=CardData(pan=Pan(PAN)),
            masked=MASKED,
            fingerprint=f"{amount:032x}",
        )
        decision = authorize.decide(REGISTER, self.shard, 0, request, at_ms=self.now, trace="")
        if isinstance(decision, authorize.Forward | authorize.Decline):
            self.write(*decision.records)

    def _open(self, number: int) -> str | None:
        ids = list(self.shard.intents)
        return ids[number % len(ids)] if ids else None

    def on_word(self, number: int, code: str) -> None:
        if id_ := self._open(number):
            self.write(
                authorize.conclude(
                    self.shard.transactions[id_], IssuerReply(response_code=code), at_ms=self.now, trace=""
                )
            )

    def on_silence(self, number: int) -> None:
        if id_ := self._open(number):
            record = authorize.no_word(self.shard.transactions[id_], at_ms=self.now, trace="")
            assert record is not None
            self.write(record)

    def on_reverse(self, terminal: str, stan: int, amount: int, previous: bool) -> None:
        batch = self.shard.terminal(terminal).batch
        request = ReverseRequest(
            kind=Kind.SALE,
            terminal=terminal,
            merchant="M",
            batch=f"{max(int(batch) - previous, 1):06d}",
            stan=f"{stan:06d}",
            amount_minor=amount,
            currency="156",
            reason="98",
        )
        self.write(*reverse.decide(REGISTER, self.shard, 0, request, at_ms=self.now, trace="").records)

    def on_deliver(self, institution: str) -> None:
        for id_ in list(self.shard.reversals.get(institution, ()))[:1]:
            self.write(Reversed(id=id_, institution=institution, at_ms=self.now))

    def on_close(self, terminal: str, honest: bool) -> None:
        totals = totals_of(self.shard, terminal) if honest else Totals(debit_minor=1, debit_count=9)
        request = SettleRequest(
            terminal=terminal,
            merchant="M",
            batch=self.shard.terminal(terminal).batch,
            stan="000999",
            operator="01",
            currency="156",
            totals=totals,
        )
        decision = settle.decide(REGISTER, self.shard, 0, request, at_ms=self.now, trace="")
        if isinstance(decision, settle.Settlement):
            self.write(*decision.records)

    def check_promises(self) -> None:
        """What a bank was told to be final is: no sale of it is kept here, so none can be asked for again. Once said it stays said."""
        for terminal, own in self.shard.terminals.items():
            promised = self.promised[terminal] = max(self.promised.get(terminal, ""), self.shard.kept_from(terminal))
            kept = [self.shard.transactions[id_] for id_ in (*own.previous, *own.transactions)]
            assert all(sale.batch >= promised for sale in kept if sale.fingerprint), (
                "beside reversals of what is unknown"
            )

    def on_takeover(self) -> None:
        replayed = self.machine.new_state()
        for record in self.journal:
            self.machine.apply(replayed, record)
        assert self.machine.dump(replayed) == self.machine.dump(self.shard)
        self.shard = self.machine.load(self.machine.dump(replayed))
        self.write(*reverse.abandoned(self.shard, at_ms=self.now))


@settings(max_examples=300, deadline=None)
@given(steps)
def test_books_stay_right(taken: list[tuple[Any, ...]]) -> None:
    bench = Bench()
    for step in taken:
        bench.take(step)
    rrns = [r.rrn for r in bench.journal if isinstance(r, Intent)]
    assert len(rrns) == len(set(rrns))
    outcomes = [r.id for r in bench.journal if isinstance(r, Outcome)]
    assert len(outcomes) == len(set(outcomes)), "a transaction was decided twice"
    reversals = [r.id for r in bench.journal if isinstance(r, Reversing)]
    assert len(reversals) == len(set(reversals)), "a transaction was reversed twice"
    _settled_is_what_stood_approved(bench.journal)
    for transaction in bench.shard.transactions.values():
        assert (transaction.id in bench.shard.intents) == (transaction.state is State.INTENT)
        queued = any(transaction.id in queue for queue in bench.shard.reversals.values())
        assert queued == (transaction.state is State.REVERSING)


def _settled_is_what_stood_approved(journal: list[Record]) -> None:
    """An oracle of its own: walks the journal by hand and counts what each close must have settled."""
    intents: dict[str, Intent] = {}
    approved: set[str] = set()
    for record in journal:
        if isinstance(record, Intent):
            intents[record.id] = record
        elif isinstance(record, Outcome) and record.state is State.APPROVED:
            approved.add(record.id)
        elif isinstance(record, Reversing):
            closed = record.id in approved and _closed(intents[record.id], journal, record)
            assert record.after_close == closed
            approved.discard(record.id)
        elif isinstance(record, BatchClosed):
            mine = [
                intents[i]
                for i in approved
                if (intents[i].terminal, intents[i].batch) == (record.terminal, record.batch)
            ]
            assert record.totals == Totals(debit_minor=sum(i.amount_minor for i in mine), debit_count=len(mine))


def _closed(intent: Intent, journal: list[Record], before: Record) -> bool:
    return any(
        isinstance(r, BatchClosed) and (r.terminal, r.batch) == (intent.terminal, intent.batch)
        for r in journal[: next(n for n, r in enumerate(journal) if r is before)]
    )
