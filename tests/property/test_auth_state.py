"""Any order of requests of every kind, words, reversals, closes, recalls and takeovers: the shard's books stay right, and replay gives the same shard."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.domain import authorize, reverse, settle, state
from auth.domain.claims import Recollection
from auth.domain.register import MerchantEntry, Register, TerminalEntry
from auth.domain.state import Shard
from auth.domain.totals import totals_of
from auth.machine import ShardMachine
from contracts.authorization import (
    AuthorizeRequest,
    CardData,
    IssuerReply,
    Original,
    ReverseRequest,
    SettleRequest,
    Target,
    Totals,
)
from contracts.identity import transaction_id
from contracts.journal import BatchClosed, Intent, Outcome, Recalled, Record, Reversed, Reversing, Tombstone
from contracts.kinds import CLAIMS, KINDS, Kind, most_of
from contracts.pan import MaskedCard, Pan, luhn_check_digit
from contracts.questions import FoundTransaction
from contracts.states import State
from contracts.terms import InstalmentPlan

PAN, OTHER = (p + luhn_check_digit(p) for p in ("629101000000001", "629102000000001"))
TERMINALS = {"T1": TerminalEntry("M", True), "T2": TerminalEntry("M", True)}
REGISTER = Register(
    merchants={"M": MerchantEntry(True, 10**9)},
    terminals=TERMINALS,
    terminals_of={"M": ("T1", "T2")},
    institution_for=lambda pan: "bank" if pan.clear() == PAN else "other",
    stop_reason=lambda _: "",
    institutions=("bank", "other"),
    currency="156",
)
MASKED = MaskedCard(first6=PAN[:6], last4=PAN[-4:], length=16, digest="d" * 32)
PLAIN_KINDS = [kind for kind in Kind if kind not in CLAIMS]
STANDING = (State.APPROVED, State.SETTLED)

terminal = st.sampled_from(["T1", "T2"])
number = st.integers(1, 6)
stan = st.integers(1, 6) | st.integers(1, 200)
"""Few enough to come again, and enough to be new."""
amount = st.sampled_from([1, 2, 3, 10, 11, 12])
answered = st.sampled_from(["00", "00", "00", "00", "51", "10", ""])
"""At once; empty: not yet."""
begin = st.tuples(
    st.just("begin"), terminal, stan, amount, st.sampled_from([Kind.SALE, Kind.PRE_AUTH, *PLAIN_KINDS]), answered
)
naming = st.tuples(
    st.integers(0, 40),  # which transaction is named, counted from the newest
    st.sampled_from([True, True, True, False]),  # of those that are of a kind that fits
    st.none() | amount,  # None: the original's
    st.booleans(),  # whether the reference number is given
)
claim = st.tuples(
    st.just("claim"),
    st.sampled_from(["", "", "T1", "T2"]),  # empty: the original's terminal
    stan,
    st.sampled_from([Kind.REFUND, Kind.REFUND, *CLAIMS]),
    naming,
    st.tuples(st.booleans(), answered),  # whether the ledger takes its time
)
word = st.tuples(st.just("word"), number, st.sampled_from(["00", "00", "51", "10"]))
undo = st.tuples(st.just("undo"), st.integers(0, 40))
misname = st.tuples(st.just("misname"), st.integers(0, 40), st.sampled_from(Kind), amount)
close = st.tuples(st.just("close"), terminal, st.sampled_from([True, True, True, False]))
steps = st.lists(
    st.one_of(
        begin,
        begin,
        begin,
        claim,
        claim,
        claim,
        claim,
        word,
        undo,
        misname,
        close,
        close,
        st.tuples(st.just("silence"), number),
        st.tuples(st.just("half"), number),
        st.tuples(st.just("reverse"), terminal, number, amount, st.booleans()),
        st.tuples(st.just("deliver"), st.sampled_from(["bank", "bank", "other"])),
        st.tuples(st.just("resume")),
        st.tuples(st.just("takeover")),
    ),
    min_size=25,
    max_size=70,
)


class Path:
    """What the journal says of one transaction, read by hand."""

    def __init__(self, intent: Intent) -> None:
        self.intent = intent
        self.state = State.INTENT
        self.amount_minor = intent.amount_minor
        self.code = ""
        self.acknowledged: set[str] = set()

    @property
    def stands(self) -> bool:
        return self.state not in (State.DECLINED, State.REVERSED)


class Oracle:
    """The journal without the switch's code: states, and the claims that stand on each original. Every record is judged as it comes."""

    def __init__(self) -> None:
        self.paths: dict[str, Path] = {}
        self.tombstones: dict[str, set[str]] = {}
        """Id → banks that have yet to acknowledge."""
        self._claims: dict[str, list[Path]] = {}

    def claims_on(self, id_: str) -> list[Path]:
        return [path for path in self._claims.get(id_, ()) if path.stands]

    def taken_minor(self, id_: str) -> int:
        return sum(path.intent.amount_minor for path in self.claims_on(id_))

    def spent(self, id_: str) -> bool:
        return any(CLAIMS[path.intent.kind].exclusive for path in self.claims_on(id_))

    def take(self, record: Record) -> None:
        match record:
            case Intent():
                if record.original:
                    self.judge(record, self.paths[record.original])
                path = self.paths[record.id] = Path(record)
                if record.original:
                    self._claims.setdefault(record.original, []).append(path)
            case Outcome():
                path = self.paths[record.id]
                path.state, path.code = record.state, record.response_code
                path.amount_minor = record.part_minor or path.amount_minor
            case Reversing():
                path = self.paths[record.id]
                assert not self.claims_on(record.id), "what a claim stands on was reversed"
                assert record.after_close == (path.state is State.SETTLED)
                path.state = State.REVERSING
            case Reversed() if record.id not in self.tombstones:
                path = self.paths[record.id]
                path.acknowledged.add(record.institution)
                if path.acknowledged >= {path.intent.institution, path.intent.target_institution} - {""}:
                    path.state = State.REVERSED
            case Tombstone() | Reversed():
                self.take_tombstone(record)
            case Recalled():
                path = self.paths[record.id]
                assert (record.state, record.amount_minor) == (path.state, path.amount_minor)
                assert (record.taken_minor, record.spent) == (self.taken_minor(record.id), self.spent(record.id))
                assert (record.original, record.asked_minor) == (path.intent.original, path.intent.amount_minor)
            case BatchClosed():
                self.close(record)

    def take_tombstone(self, record: Tombstone | Reversed) -> None:
        """Of what was never there, or was forgotten: then the settlement ledger knows it, and what it stood on is free once all have heard."""
        path = self.paths.get(record.id)
        if isinstance(record, Tombstone):
            self.tombstones[record.id] = set(record.institutions)
            if path is not None and path.state in STANDING:
                assert not self.claims_on(record.id), "what a claim stands on was reversed"
                path.state = State.REVERSING
            return
        self.tombstones[record.id].discard(record.institution)
        if path is not None and path.stands and not self.tombstones[record.id]:
            path.state = State.REVERSED

    def judge(self, record: Intent, original: Path) -> None:
        """Whether the claim was a legal one when it was written."""
        asked, taken = CLAIMS[record.kind], self.taken_minor(record.original)
        assert original.intent.kind in asked.originals
        assert original.state in STANDING
        assert original.intent.institution == record.institution
        assert record.original_rrn == original.intent.rrn
        assert not self.spent(record.original), "spent twice"
        assert not (asked.exclusive and taken), "claimed beside another claim"
        if asked.same_batch:
            assert (original.intent.terminal, original.intent.batch) == (record.terminal, record.batch)
        if asked.whole:
            assert record.amount_minor == original.amount_minor
        elif record.kind is Kind.REFUND:
            assert taken + record.amount_minor <= original.amount_minor, "more was given back than had been taken"
        else:
            assert record.amount_minor <= most_of(original.amount_minor, 115)

    def close(self, record: BatchClosed) -> None:
        sums: dict[str, int] = defaultdict(int)
        for path in self.paths.values():
            if (path.intent.terminal, path.intent.batch) != (record.terminal, record.batch):
                continue
            assert path.state is not State.INTENT
            facts = KINDS[path.intent.kind]
            if path.state is State.APPROVED and (facts.debit or facts.credit):
                side = "debit" if facts.debit else "credit"
                sums[f"{side}_minor"] += path.amount_minor
                sums[f"{side}_count"] += 1
                path.state = State.SETTLED
        assert record.totals == Totals(**sums)

    def recall(self, asked: authorize.Recall) -> Recollection:
        """What a ledger says that has read everything."""
        for id_ in asked.ids:
            path = self.paths.get(id_)
            if path is None or path.state not in STANDING or asked.rrn not in ("", path.intent.rrn):
                continue
            facts = {name: getattr(path.intent, name) for name in ("rrn", "kind", "terminal", "merchant", "batch")}
            found = FoundTransaction(
                id=id_,
                stan=path.intent.stan,
                amount_minor=path.amount_minor,
                currency="156",
                institution=path.intent.institution,
                authorization_code="",
                state=path.state,
                decided_ms=1,
                taken_minor=self.taken_minor(id_),
                spent=self.spent(id_),
                original=path.intent.original,
                asked_minor=path.intent.amount_minor,
                **facts,
            )
            return Recollection(asked.ids, found)
        return Recollection(asked.ids)


class Bench:
    """The switch without its edges: decisions applied at once and written down."""

    def __init__(self) -> None:
        self.machine = ShardMachine()
        self.shard = Shard()
        self.journal: list[Record] = []
        self.oracle = Oracle()
        self.promised: dict[str, str] = {}
        self.waiting: list[tuple[AuthorizeRequest, str, Recollection, int]] = []
        """Requests for which the ledger has been asked, what their banks will say, its answer, and what was unseen before."""
        self.now = 0

    def write(self, *records: Record) -> None:
        for record in records:
            self.machine.apply(self.shard, record)
            # Through bytes: what is replayed is what was written, not what was meant.
            self.journal.append(self.machine.decode(self.machine.encode(record)))
            self.oracle.take(record)

    def take(self, step: tuple[Any, ...]) -> None:
        self.now += 1
        getattr(self, f"on_{step[0]}")(*step[1:])
        self.check_promises()
        self.check_standing()

    def _request(self, kind: Kind, terminal: str, stan: int, amount_minor: int, **more: Any) -> AuthorizeRequest:
        return AuthorizeRequest(
            kind=kind,
            terminal=terminal,
            merchant="M",
            batch=self.shard.terminal(terminal).batch,
            stan=f"{stan:06d}",
            amount_minor=amount_minor,
            currency="156",
            entry_mode="021",
            card=CardData(pan=Pan(PAN)),
            masked=MASKED,
            fingerprint=f"{amount_minor:032x}",
            **more,
        )

    def on_begin(self, terminal: str, stan: int, amount_minor: int, kind: Kind, code: str) -> None:
        more: dict[str, Any] = {}
        if kind is Kind.TRANSFER:
            more["target"] = Target(pan=Pan(OTHER), masked=MASKED)
        if kind is Kind.INSTALMENT:
            more["instalment"] = InstalmentPlan(periods=3)
        looks = kind in (Kind.BALANCE, Kind.CARD_CHECK)
        self._decide(self._request(kind, terminal, stan, 0 if looks else amount_minor, **more), code)

    def on_claim(
        self,
        terminal: str,
        stan: int,
        kind: Kind,
        naming: tuple[int, bool, int | None, bool],
        answered: tuple[bool, str],
    ) -> None:
        (back, fit, amount_minor, named), (slow, code) = naming, answered
        paths = [p for p in self.oracle.paths.values() if not fit or p.intent.kind in CLAIMS[kind].originals]
        if not paths:
            return
        path = paths[-1 - back % len(paths)]
        original = Original(
            batch=path.intent.batch, stan=path.intent.stan, date="0101", rrn=path.intent.rrn if named else ""
        )
        amount_minor = amount_minor or path.amount_minor or 1
        request = self._request(kind, terminal or path.intent.terminal, stan, amount_minor, original=original)
        self._decide(request, code, slow=slow)

    def _decide(
        self, request: AuthorizeRequest, code: str, recollection: Recollection | None = None, *, slow: bool = False
    ) -> None:
        decision = authorize.decide(
            REGISTER, self.shard, 0, request, at_ms=self.now, trace="", recollection=recollection
        )
        if isinstance(decision, authorize.Recall):
            said = self.oracle.recall(decision)
            if slow:
                self.waiting.append((request, code, said, self.shard.unseen))
            else:
                self._decide(request, code, said)
        elif isinstance(decision, authorize.Forward | authorize.Decline):
            self.write(*decision.records)
            if code and decision.id in self.shard.intents:
                self._answer(decision.id, code)

    def on_resume(self) -> None:
        """The ledger's answer arrives: dropped when it may be out of date, and asked for again."""
        if self.waiting:
            request, code, said, unseen = self.waiting.pop(0)
            self._decide(request, code, said if self.shard.unseen == unseen else None)

    def _open(self, number: int) -> str | None:
        ids = list(self.shard.intents)
        return ids[number % len(ids)] if ids else None

    def on_word(self, number: int, code: str) -> None:
        if id_ := self._open(number):
            self._answer(id_, code)

    def _answer(self, id_: str, code: str) -> None:
        transaction = self.shard.transactions[id_]
        answer = IssuerReply(response_code=code, part_minor=1 if code == "10" else 0)
        part = transaction.kind is Kind.SALE
        self.write(authorize.conclude(transaction, answer, takes_part=part, at_ms=self.now, trace=""))

    def on_silence(self, number: int) -> None:
        if id_ := self._open(number):
            record = authorize.no_word(self.shard.transactions[id_], at_ms=self.now, trace="")
            assert record is not None
            self.write(record)

    def on_half(self, number: int) -> None:
        id_ = self._open(number)
        if id_ and self.shard.transactions[id_].kind is Kind.TRANSFER:
            record = authorize.half_done(self.shard.transactions[id_], "62", at_ms=self.now, trace="")
            assert record is not None
            self.write(record)

    def on_reverse(self, terminal: str, stan: int, amount: int, previous: bool) -> None:
        batch = self.shard.terminal(terminal).batch
        batch = f"{max(int(batch) - previous, 1):06d}"
        path = self.oracle.paths.get(transaction_id(terminal, batch, f"{stan:06d}"))
        kind = path.intent.kind if path is not None else Kind.SALE
        self._reverse(kind, terminal, batch, f"{stan:06d}", amount)

    def on_undo(self, back: int) -> None:
        """As a terminal does it: the amount and the kind are the original's."""
        if self.oracle.paths:
            asked = list(self.oracle.paths.values())[-1 - back % len(self.oracle.paths)].intent
            code = self._reverse(asked.kind, asked.terminal, asked.batch, asked.stan, asked.amount_minor)
            assert code != "64" or asked.id in self.oracle.tombstones, "it repeats what was asked for"

    def on_misname(self, back: int, kind: Kind, amount_minor: int) -> None:
        """Of a transaction that is, as if it were another one."""
        if self.oracle.paths:
            asked = list(self.oracle.paths.values())[-1 - back % len(self.oracle.paths)].intent
            self._reverse(kind, asked.terminal, asked.batch, asked.stan, amount_minor)

    def _reverse(self, kind: Kind, terminal: str, batch: str, stan: str, amount_minor: int) -> str:
        request = ReverseRequest(
            kind=kind,
            terminal=terminal,
            merchant="M",
            batch=batch,
            stan=stan,
            amount_minor=amount_minor,
            currency="156",
            reason="98",
        )
        decision = reverse.decide(REGISTER, self.shard, 0, request, at_ms=self.now, trace="")
        if isinstance(decision, authorize.Recall):  # two closes ago
            said = self.oracle.recall(decision)
            decision = reverse.decide(REGISTER, self.shard, 0, request, at_ms=self.now, trace="", recollection=said)
        assert isinstance(decision, reverse.Reversal)
        if not KINDS[kind].reversible:
            assert (decision.reply.response_code, decision.records) == ("40", ())
        path = self.oracle.paths.get(transaction_id(terminal, batch, stan))
        if decision.records and path is not None and path.state in STANDING:
            assert kind is path.intent.kind, "what was reversed is something else"
            assert amount_minor == path.intent.amount_minor, "what was reversed came to something else"
        self.write(*decision.records)
        return decision.reply.response_code

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

    def check_standing(self) -> None:
        """What memory says of an original is what the whole journal says of it, whenever it came back."""
        for id_, known in self.shard.transactions.items():
            if id_ in self.oracle.paths:
                standing = known.standing
                said = (standing.taken_minor, standing.spent) if standing else (0, False)
                assert said == (self.oracle.taken_minor(id_), self.oracle.spent(id_))
        assert len(self.shard.recalled) <= state.RECALLED_KEPT + len(self.shard.reversals.get("bank", ()))

    def on_takeover(self) -> None:
        self.waiting = []
        replayed = self.machine.new_state()
        for record in self.journal:
            self.machine.apply(replayed, record)
        assert self.machine.dump(replayed) == self.machine.dump(self.shard)
        self.shard = self.machine.load(self.machine.dump(replayed))
        assert self.shard == replayed
        self.write(*reverse.abandoned(self.shard, at_ms=self.now))


def play(taken: Iterable[tuple[Any, ...]]) -> Bench:
    bench = Bench()
    with patch.object(state, "RECALLED_KEPT", 2):
        for step in taken:
            bench.take(step)
    rrns = [r.rrn for r in bench.journal if isinstance(r, Intent)]
    assert len(rrns) == len(set(rrns))
    outcomes = [r.id for r in bench.journal if isinstance(r, Outcome)]
    assert len(outcomes) == len(set(outcomes)), "a transaction was decided twice"
    reversals = [r.id for r in bench.journal if isinstance(r, Reversing)]
    assert len(reversals) == len(set(reversals)), "a transaction was reversed twice"
    for transaction in bench.shard.transactions.values():
        assert (transaction.id in bench.shard.intents) == (transaction.state is State.INTENT)
        queued = any(transaction.id in queue for queue in bench.shard.reversals.values())
        assert queued == (transaction.state is State.REVERSING)
        path = bench.oracle.paths.get(transaction.id)
        if path is not None and transaction.id not in bench.oracle.tombstones:
            assert (transaction.state, transaction.amount_minor) == (path.state, path.amount_minor)
    return bench


@settings(max_examples=200, deadline=None)
@given(steps)
def test_books_stay_right(taken: list[tuple[Any, ...]]) -> None:
    play(taken)


def _day(chance: Random) -> Iterator[tuple[Any, ...]]:
    """A longer day than Hypothesis draws: sales and claims by the dozen, batches that close, answers that are late."""
    for _ in range(200):
        tid, stan, code = (
            chance.choice(["T1", "T2"]),
            chance.randint(1, 250),
            chance.choice(["00"] * 7 + ["51", "10", ""]),
        )
        amount_minor = chance.choice([1, 2, 3, 10, 11, 12])
        kind = chance.choice([Kind.SALE, Kind.SALE, Kind.PRE_AUTH, *PLAIN_KINDS])
        begun = "begin", tid, stan, amount_minor, kind, code
        claimed = (
            "claim",
            chance.choice(["", tid]),
            stan,
            chance.choice([Kind.REFUND, *CLAIMS]),
            (
                int(chance.expovariate(0.2)),
                chance.random() < 0.9,
                chance.choice([None, amount_minor]),
                chance.random() < 0.5,
            ),
            (chance.random() < 0.5, code),
        )
        weights: dict[tuple[Any, ...], float] = {
            begun: 30,
            claimed: 40,
            ("word", stan, chance.choice(["00", "51"])): 6,
            ("undo", int(chance.expovariate(0.2))): 6,
            ("misname", int(chance.expovariate(0.1)), chance.choice([kind, Kind.SALE]), amount_minor): 3,
            ("close", tid, chance.random() < 0.9): 6,
            ("silence", stan): 2,
            ("half", stan): 2,
            ("reverse", tid, stan, amount_minor, chance.random() < 0.5): 1,
            ("deliver", chance.choice(["bank", "bank", "other"])): 10,
            ("resume",): 4,
            ("takeover",): 1,
        }
        yield chance.choices(list(weights), list(weights.values()))[0]


@pytest.mark.parametrize("seeds", [range(first, first + 20) for first in range(0, 100, 20)], ids=str)
def test_books_stay_right_on_long_days(seeds: range) -> None:
    reached: Counter[str] = Counter()
    for seed in seeds:
        bench = play(_day(Random(seed)))  # noqa: S311  # days, not keys
        reached.update(type(r).__name__ for r in bench.journal)
        reached.update(r.kind.value for r in bench.journal if isinstance(r, Intent) and r.original)
        reached.update(r.response_code for r in bench.journal if isinstance(r, Outcome))
    wanted = {
        "Recalled",
        "BatchClosed",
        "Tombstone",
        *(kind.value for kind in CLAIMS),
        "10",
        "12",
        "13",
        "25",
        "61",
        "64",
        "91",
    }
    assert not wanted - set(reached), "what is never reached is not tested"
