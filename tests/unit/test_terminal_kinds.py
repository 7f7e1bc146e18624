"""Every kind of transaction at the terminal: what it sends, what an answer or silence leaves behind, what it refuses by itself."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import iso8583
import world
from contracts.authorization import Original, Totals
from contracts.kinds import CLAIMS, KINDS, Effect, Kind
from contracts.pan import Pan
from contracts.terms import InstalmentPlan
from iso8583 import Amount54, Balances54, Field60, Message, Original61, Terms62, Value
from terminal_sim import orders
from terminal_sim.cards import Keyed
from terminal_sim.changes import apply
from terminal_sim.memory import TerminalMemory, memory_path, read_memory
from terminal_sim.orders import NotThere, Order
from terminal_sim.outcomes import CloseOutcome, Entered, PlainOutcome, Refused, Step, TransactionOutcome
from terminal_sim.practice import PracticeHost
from terminal_sim.record import TerminalRecord, Transaction, new_record
from terminal_sim.schemes import seal_of
from terminal_sim.shipped import Parameters
from terminal_sim.state import State
from terminal_sim.terminal import Terminal
from terminal_sim.waiting import REVERSAL_TRIES

CARD = world.built_in().cards[0]
TRACK = world.track2(CARD)
KEYED = Keyed(pan=CARD.pan, expiry=CARD.expiry)
TARGET = Pan("6282020000000011")
ORIGINAL = Original(batch="000001", stan="000077", date="0131", rrn="000000000042", authorization_code="A1B2C3")
PLAN = InstalmentPlan(periods=6, goods="TEAPOT")
ADVICES = [kind for kind, facts in KINDS.items() if facts.mti == "0220"]
REVERSIBLE = [kind for kind, facts in KINDS.items() if facts.reversible]
LOOKS = [kind for kind, facts in KINDS.items() if facts.effect is Effect.LOOKS]


def order(kind: Kind, amount: int = 1234, *, pin: str = "", card: object = TRACK) -> Order:
    made = Order(kind=kind, card=card, pin=pin)  # type: ignore[arg-type]
    if kind not in LOOKS:
        made = msgspec.structs.replace(made, amount_minor=amount)
    if kind in CLAIMS:
        made = msgspec.structs.replace(made, original=ORIGINAL)
    if kind is Kind.INSTALMENT:
        made = msgspec.structs.replace(made, plan=PLAN)
    if kind is Kind.TRANSFER:
        made = msgspec.structs.replace(made, target=TARGET)
    return made


class Bench:
    """A terminal that has signed on, and a host whose answers are made by hand."""

    def __init__(self, tid: str = "10000001", record: TerminalRecord | None = None, reader: str = "2") -> None:
        facts = world.built_in().terminal(tid)
        assert facts is not None
        self.host = PracticeHost()
        record, seal = record or new_record(tid), seal_of(facts)
        self.terminal = Terminal(tid=tid, mid=facts.merchant, record=record, seal=seal, reader=reader)
        self.saved: list[object] = []
        self.terminal.log_in("01", "0000")
        self.done(self.terminal.sign_on())

    def done(self, step: Step) -> object:
        self.saved += step.save
        if not step.send:
            return step.outcome
        after = self.terminal.receive(self.host.answer(step.send), now_ms=1)
        self.saved += after.save
        return after.outcome

    def sent(self, step: Step) -> Message:
        assert step.send, step.outcome
        return iso8583.decode(step.send)

    def ask(self, kind: Kind, amount: int = 1234, **more: object) -> Step:
        """A notice that only waits is sent at once."""
        step = self.terminal.request(order(kind, amount, **more), now_ms=1)  # type: ignore[arg-type]
        return step if step.send or isinstance(step.outcome, Refused) else self.terminal.advise()

    def answer(self, step: Step, code: str, more: dict[int, Value] | None = None) -> TransactionOutcome:
        """A trusted answer with this code and whatever else."""
        request = self.sent(step)
        fields: dict[int, Value] = {n: request.fields[n] for n in (3, 4, 11, 41, 42, 60) if n in request.fields}
        fields |= {13: "0228", 37: "000000000005", 39: code, 64: bytes(8)} | (more or {})
        reply = iso8583.reply_to(request, fields)
        outcome = self.terminal.receive(self.host.seal(request, reply), now_ms=1).outcome
        assert isinstance(outcome, TransactionOutcome)
        return outcome

    @property
    def only(self) -> Transaction:
        (transaction,) = self.terminal.record.transactions.values()
        return transaction


APPROVAL: dict[Kind, dict[int, Value]] = {
    Kind.BALANCE: {54: Balances54((Amount54.of("10", "02", "156", 5000),)).pack()},
    Kind.INSTALMENT: {62: Terms62(209, "156", 44).pack()},
}


# On the wire


@pytest.mark.parametrize("kind", Kind)
def test_a_request_is_told_by_its_four_fields_and_keeps_to_the_profile(kind: Kind) -> None:
    message = Bench().sent(Bench().ask(kind))
    facts = KINDS[kind]
    told = message.mti, message.text(3), message.text(25), Field60.parse(message.text(60)).message_type
    assert told == (facts.mti, facts.processing_code, facts.condition_code, facts.message_type)
    assert iso8583.rule_for(message) is not None
    iso8583.check_profile(message)
    assert message.text(4) == ("" if kind in LOOKS else "000000001234")


@pytest.mark.parametrize("kind", CLAIMS)
def test_an_original_is_named_by_61_38_and_where_the_protocol_wants_it_37(kind: Kind) -> None:
    message = Bench().sent(Bench().ask(kind))
    assert Original61.parse(message.text(61)) == Original61("000001", "000077", "0131")
    assert message.text(38) == "A1B2C3"
    by_number = {Kind.VOID, Kind.REFUND, Kind.COMPLETION_VOID, Kind.INSTALMENT_VOID}
    assert message.text(37) == ("000000000042" if kind in by_number else "")


def test_what_single_kinds_carry() -> None:
    bench = Bench()
    instalment = bench.sent(bench.ask(Kind.INSTALMENT)).data(62)
    assert instalment == b"06" + b"TEAPOT".ljust(30) + b"10" + b" " * 28
    assert Bench().sent(Bench().ask(Kind.TRANSFER)).data(62) == b"16" + TARGET.clear().encode()
    assert Bench().sent(Bench().ask(Kind.REFUND)).text(63) == "CUP"


@pytest.mark.parametrize(
    ("card", "pin", "entry"),
    [(TRACK, "", "022"), (TRACK, "123456", "021"), (KEYED, "", "012"), (KEYED, "123456", "011")],
)
def test_entry_by_swipe_and_by_hand(card: object, pin: str, entry: str) -> None:
    message = Bench().sent(Bench().ask(Kind.SALE, card=card, pin=pin))
    assert message.text(22) == entry
    swiped = card is TRACK
    assert (35 in message.fields, 2 in message.fields, 14 in message.fields) == (swiped, not swiped, not swiped)
    assert ({26, 52, 53} <= set(message.fields)) == bool(pin)
    iso8583.check_profile(message)


@pytest.mark.parametrize("kind", ADVICES)
def test_a_notice_goes_out_with_the_number_alone(kind: Kind) -> None:
    """So that it can be repeated after a power cut from what may be kept."""
    message = Bench().sent(Bench().ask(kind))
    assert message.text(22) == "022"
    assert (message.text(2), message.text(14)) == (CARD.pan.clear(), CARD.expiry)
    assert not {35, 52} & set(message.fields)


# What an answer leaves behind


@pytest.mark.parametrize("kind", Kind)
def test_an_approval_ends_it_and_counts_by_its_effect(kind: Kind) -> None:
    bench = Bench()
    outcome = bench.answer(bench.ask(kind), "00", {38: "Z9Y8X7", **APPROVAL.get(kind, {})})
    assert (outcome.kind, outcome.approved, outcome.pending, outcome.stored) == (kind, True, False, False)
    assert not bench.terminal.record.waits
    assert (bench.only.date, bench.only.authorization_code, bench.only.counts) == ("0228", "Z9Y8X7", True)
    expected = {
        Effect.TAKES: Totals(debit_minor=1234, debit_count=1),
        Effect.RETURNS: Totals(credit_minor=1234, credit_count=1),
    }
    assert bench.terminal.record.totals("000001") == expected.get(KINDS[kind].effect, Totals())


@pytest.mark.parametrize("kind", Kind)
def test_a_decline_ends_it_and_counts_nothing(kind: Kind) -> None:
    bench = Bench()
    outcome = bench.answer(bench.ask(kind), "12")
    assert (outcome.response_code, outcome.approved, outcome.pending, outcome.stored) == ("12", False, False, False)
    assert not bench.terminal.record.waits
    assert bench.terminal.record.totals("000001") == Totals()


@pytest.mark.parametrize("kind", REVERSIBLE)
@pytest.mark.parametrize("code", ["90", "91", "96"])
@pytest.mark.parametrize("rrn", ["000000000000", "000000000005"])
def test_what_nobody_has_looked_at_is_reversed_where_no_close_would_find_it(kind: Kind, code: str, rrn: str) -> None:
    """It may be the answer to a copy, while the first one stands approved."""
    bench = Bench()
    outcome = bench.answer(bench.ask(kind), code, {37: rrn})
    unseen = kind in (Kind.PRE_AUTH, Kind.PRE_AUTH_VOID, Kind.TRANSFER) and rrn != "000000000005"
    assert outcome.pending == (bench.terminal.record.pending is not None) == unseen
    assert outcome.response_code == code


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("fate", ["silence", "wrong MAC", "garbled"])
def test_what_no_answer_leaves_due(kind: Kind, fate: str) -> None:
    bench = Bench()
    step = bench.ask(kind)
    request = bench.sent(step)
    match fate:
        case "silence":
            outcome = bench.terminal.lose().outcome
        case "garbled":
            outcome = bench.terminal.receive(step.send[:-9], now_ms=1).outcome
        case _:
            forged = iso8583.reply_to(request, {**request.fields, 39: "00", 64: b"00000000"})
            outcome = bench.terminal.receive(iso8583.encode(forged), now_ms=1).outcome
    assert isinstance(outcome, TransactionOutcome)
    record, facts = bench.terminal.record, KINDS[kind]
    assert (outcome.response_code, outcome.approved) == ("", False)
    assert outcome.pending == (record.pending is not None) == facts.reversible
    assert outcome.stored == bool(record.advices) == (facts.mti == "0220")
    assert record.waits == (kind not in LOOKS)
    blocked = bench.terminal.request(order(Kind.SALE), now_ms=1)
    assert isinstance(blocked.outcome, Refused) == (kind not in LOOKS)


@pytest.mark.parametrize("kind", REVERSIBLE)
def test_a_reversal_repeats_its_original_and_saves_it_first(kind: Kind) -> None:
    bench = Bench()
    step = bench.terminal.request(order(kind), now_ms=1)
    after_a_crash = new_record(bench.terminal.tid)
    for entry in step.save:
        apply(after_a_crash, entry)
    assert after_a_crash.pending is not None
    request = bench.sent(step)
    bench.terminal.lose()
    reversal = bench.sent(bench.terminal.reverse())
    same = [n for n in (3, 4, 11, 22, 25, 41, 42, 49, 60, 61) if n in request.fields]
    assert {n: reversal.fields[n] for n in same} == {n: request.fields[n] for n in same}
    assert set(reversal.fields) == {*same, 39, 64}
    iso8583.check_profile(reversal)


@pytest.mark.parametrize("kind", [Kind.INSTALMENT, Kind.BALANCE])
def test_an_approval_that_does_not_say_what_it_must_is_not_taken(kind: Kind) -> None:
    bench = Bench()
    outcome = bench.answer(bench.ask(kind), "00")
    assert not outcome.approved
    assert outcome.pending == KINDS[kind].reversible
    assert "62" in outcome.reason or "54" in outcome.reason


def test_what_answers_bring() -> None:
    bench = Bench()
    balance = bench.answer(bench.ask(Kind.BALANCE), "00", APPROVAL[Kind.BALANCE]).balance
    assert balance is not None
    assert (balance.available_minor, balance.currency, balance.account_type) == (5000, "156", "10")
    terms = bench.answer(bench.ask(Kind.INSTALMENT), "00", APPROVAL[Kind.INSTALMENT]).terms
    assert terms is not None
    assert (terms.first_minor, terms.fee_minor) == (209, 44)


# Partial approval


def partial(amount: str, *, told: bool = True) -> tuple[Bench, TransactionOutcome]:
    bench = Bench()
    step = bench.terminal.request(msgspec.structs.replace(order(Kind.SALE), takes_part=told), now_ms=1)
    assert Field60.parse(bench.sent(step).text(60)).partial_approval == ("1" if told else "")
    return bench, bench.answer(step, "10", {4: amount})


def test_a_part_is_what_counts_from_there_on() -> None:
    bench, outcome = partial("000000001000")
    assert (outcome.approved, outcome.part_minor, outcome.amount_minor) == (True, 1000, 1234)
    assert bench.terminal.record.totals("000001") == Totals(debit_minor=1000, debit_count=1)
    void = orders.void(bench.terminal.record, bench.only.stan, TRACK)
    assert isinstance(void, Order)
    assert void.amount_minor == 1000


@pytest.mark.parametrize(
    ("amount", "told"),
    [("000000001000", False), ("000000001234", True), ("000000009999", True), ("000000000000", True)],
)
def test_a_part_that_was_not_asked_for_is_reversed_by_the_amount_asked_for(amount: str, told: bool) -> None:
    bench, outcome = partial(amount, told=told)
    assert (outcome.approved, outcome.pending) == (False, True)
    reversal = bench.sent(bench.terminal.reverse())
    assert (reversal.text(39), reversal.text(4)) == ("06", "000000001234")
    assert Field60.parse(reversal.text(60)).partial_approval == ("1" if told else "")


def test_operator_99_can_say_that_every_sale_takes_a_part() -> None:
    bench = Bench()
    apply_parameters(bench, Parameters(takes_part=True))
    sale, pre_auth = bench.terminal.request(order(Kind.SALE), now_ms=1), None
    assert Field60.parse(bench.sent(sale).text(60)).partial_approval == "1"
    bench.answer(sale, "00")
    pre_auth = bench.sent(bench.ask(Kind.PRE_AUTH))
    assert Field60.parse(pre_auth.text(60)).partial_approval == ""


# Notices


@pytest.mark.parametrize("kind", ADVICES)
def test_a_notice_is_repeated_alike_until_answered_also_after_a_power_cut(kind: Kind, tmp_path: Path) -> None:
    memory = TerminalMemory.open(tmp_path, "10000001")
    bench = Bench(record=memory.record)
    step = bench.terminal.request(order(kind), now_ms=1)
    first = step if step.send else bench.terminal.advise()
    memory.append([*bench.saved, *step.save, *(first.save if first is not step else ())])  # type: ignore[list-item]
    bench.terminal.lose()
    memory.close()
    text = memory_path(tmp_path, "10000001").read_text()
    assert CARD.pan.clear() not in text
    assert TRACK.discretionary() not in text

    again = TerminalMemory.open(tmp_path, "10000001")
    assert again.record == bench.terminal.record
    facts = world.built_in().terminal("10000001")
    assert facts is not None
    terminal = Terminal(tid=facts.tid, mid=facts.merchant, record=again.record, seal=seal_of(facts))
    terminal.log_in("01", "0000")
    repeated = terminal.advise()
    assert repeated.send == first.send  # same STAN, same batch, same everything
    outcome = terminal.receive(bench.host.seal(*answered(repeated)), now_ms=1).outcome
    assert isinstance(outcome, TransactionOutcome)
    assert outcome.approved
    assert not terminal.record.waits
    again.close()


def answered(step: Step) -> tuple[Message, Message]:
    request = iso8583.decode(step.send)
    fields: dict[int, Value] = {n: request.fields[n] for n in (3, 4, 11, 41, 42, 60)}
    return request, iso8583.reply_to(request, {**fields, 37: "000000000005", 39: "00", 64: bytes(8)})


@pytest.mark.parametrize(
    ("code", "rrn", "ends"),
    [
        ("00", "000000000005", True),
        ("12", "000000000005", True),
        ("68", "000000000005", True),  # the switch has spoken: a repetition gets the same
        ("96", "000000000000", False),  # nobody has looked at it
        ("96", "", False),
        ("40", "", True),  # nothing that a repetition would change
    ],
)
def test_which_answers_end_a_notice(code: str, rrn: str, ends: bool) -> None:
    bench = Bench()
    outcome = bench.answer(bench.ask(Kind.REFUND), code, {37: rrn} if rrn else {37: "000000000000"})
    assert outcome.stored == (not ends)
    assert bool(bench.terminal.record.advices) == (not ends)
    assert bench.only.response_code == (code if ends else "")


def test_offline_sales_are_approved_at_once_and_go_before_anything_else() -> None:
    bench = Bench()
    for amount in (100, 200):
        outcome = bench.terminal.request(order(Kind.OFFLINE_SALE, amount), now_ms=1).outcome
        assert isinstance(outcome, TransactionOutcome)
        assert (outcome.stored, outcome.pending) == (True, False)
    assert bench.terminal.record.totals("000001") == Totals()  # not before the host has answered
    for refused in (bench.terminal.request(order(Kind.SALE), now_ms=1), bench.terminal.settle()):
        assert isinstance(refused.outcome, Refused)
        assert "goes first" in refused.outcome.reason
    amounts = []
    while bench.terminal.record.advices:
        step = bench.terminal.advise()
        amounts.append(int(bench.sent(step).text(4)))
        bench.done(step)
    assert amounts == [100, 200]
    assert bench.terminal.record.totals("000001") == Totals(debit_minor=300, debit_count=2)
    closed = bench.done(bench.terminal.settle())
    assert isinstance(closed, CloseOutcome)
    assert closed.balanced


def test_an_offline_sale_may_be_made_while_a_reversal_waits_but_not_past_the_limits() -> None:
    bench = Bench()
    bench.terminal.request(order(Kind.SALE), now_ms=1)
    bench.terminal.lose()
    assert isinstance(bench.terminal.request(order(Kind.OFFLINE_SALE, 1), now_ms=1).outcome, TransactionOutcome)
    over = bench.terminal.request(order(Kind.OFFLINE_SALE, 500_01), now_ms=1).outcome
    assert isinstance(over, Refused)
    assert over.reason.startswith("amount: ")
    for _ in range(19):
        bench.terminal.request(order(Kind.OFFLINE_SALE, 1), now_ms=1)
    full = bench.terminal.request(order(Kind.OFFLINE_SALE, 1), now_ms=1).outcome
    assert isinstance(full, Refused)
    assert "20 notices wait" in full.reason
    assert isinstance(bench.terminal.advise().outcome, Refused)  # the reversal is first


def test_after_three_tries_a_notice_blocks_until_it_is_ordered_anew() -> None:
    bench = Bench()
    bench.ask(Kind.REFUND)
    bench.terminal.lose()
    for _ in range(REVERSAL_TRIES - 1):
        assert bench.terminal.advise().send
        bench.terminal.lose()
    for step in (bench.terminal.advise(), bench.terminal.request(order(Kind.SALE), now_ms=1), bench.terminal.settle()):
        assert isinstance(step.outcome, Refused)
        assert "has not been taken after 3 tries" in step.outcome.reason
    assert bench.answer(bench.terminal.advise(new_round=True), "00").approved


# Originals


def sold(bench: Bench, kind: Kind = Kind.SALE, amount: int = 1234) -> Transaction:
    outcome = bench.done(bench.terminal.request(order(kind, amount), now_ms=1))
    assert isinstance(outcome, TransactionOutcome)
    assert outcome.approved, outcome
    found = bench.terminal.record.transaction(outcome.batch, outcome.stan)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("first", "void"),
    [
        (Kind.SALE, Kind.VOID),
        (Kind.INSTALMENT, Kind.INSTALMENT_VOID),
        (Kind.PRE_AUTH, Kind.PRE_AUTH_VOID),
    ],
)
def test_a_void_follows_from_what_is_undone_and_is_made_once(first: Kind, void: Kind) -> None:
    bench = Bench()
    original = sold(bench, first)
    made = orders.void(bench.terminal.record, original.stan, TRACK)
    assert isinstance(made, Order)
    assert (made.kind, made.amount_minor) == (void, 1234)
    assert made.original == orders.reference(original)
    done = bench.done(bench.terminal.request(made, now_ms=1))
    assert isinstance(done, TransactionOutcome)
    assert done.approved
    assert original.voided
    again = orders.void(bench.terminal.record, original.stan, TRACK)
    assert isinstance(again, NotThere)
    assert "stands already" in again.reason


def test_the_reversal_of_a_void_makes_the_sale_good_again() -> None:
    bench = Bench()
    original = sold(bench)
    made = orders.void(bench.terminal.record, original.stan, TRACK)
    assert isinstance(made, Order)
    step = bench.terminal.request(made, now_ms=1)
    bench.answer(step, "00", {4: "000000000001"})  # of another amount: it has to be reversed
    assert original.voided
    bench.done(bench.terminal.reverse())
    assert not original.voided
    assert bench.terminal.record.totals("000001") == Totals(debit_minor=1234, debit_count=1)


def test_a_completion_is_voided_and_its_pre_authorization_stays_spent() -> None:
    bench = Bench()
    hold = sold(bench, Kind.PRE_AUTH)
    completion = orders.claim(bench.terminal.record, Kind.COMPLETION, hold.stan, TRACK, 1300)
    assert isinstance(completion, Order)
    done = bench.done(bench.terminal.request(completion, now_ms=1))
    assert isinstance(done, TransactionOutcome)
    assert done.approved
    assert isinstance(orders.void(bench.terminal.record, hold.stan, TRACK), NotThere)
    void = orders.void(bench.terminal.record, done.stan, TRACK)
    assert isinstance(void, Order)
    assert (void.kind, void.amount_minor) == (Kind.COMPLETION_VOID, 1300)
    assert isinstance(bench.done(bench.terminal.request(void, now_ms=1)), TransactionOutcome)
    assert hold.claimed_by is Kind.COMPLETION
    totals = bench.terminal.record.totals("000001")
    assert totals == bench.host.totals("10000001", "000001")
    assert totals == Totals(debit_minor=1300, debit_count=1, credit_minor=1300, credit_count=1)


@pytest.mark.parametrize(
    ("voucher", "card", "reason"),
    [
        ("999999", TRACK, "voucher: this terminal knows no 000001/999999"),
        ("000009/000002", TRACK, "voucher: this terminal knows no 000009/000002"),
        ("x", TRACK, "voucher: 'x' is not a number"),
        ("2", Keyed(pan=TARGET, expiry="3512"), "card: 000001/000002 was made with 629101******0012"),
        ("3", TRACK, "voucher: 000001/000003 is a balance"),
    ],
)
def test_what_cannot_be_voided_is_named(voucher: str, card: object, reason: str) -> None:
    bench = Bench()
    sold(bench)
    sold(bench, Kind.BALANCE)
    refused = orders.void(bench.terminal.record, voucher, card)  # type: ignore[arg-type]
    assert isinstance(refused, NotThere)
    assert refused.reason.startswith(reason)


def test_refunds_add_up_at_the_original_and_forbid_its_void() -> None:
    bench = Bench()
    original = sold(bench)
    for amount in (1000, 234):
        refund = orders.claim(bench.terminal.record, Kind.REFUND, original.stan, TRACK, amount)
        assert isinstance(refund, Order)
        bench.done(bench.terminal.request(refund, now_ms=1))
    assert original.refunded_minor == 1234
    void = orders.void(bench.terminal.record, original.stan, TRACK)
    assert isinstance(void, NotThere)
    assert "refunded" in void.reason


def test_an_original_of_another_terminal_is_named_by_its_slip() -> None:
    bench = Bench()
    refund = orders.claim(bench.terminal.record, Kind.REFUND, ORIGINAL, TRACK, 5)
    assert isinstance(refund, Order)
    assert Original61.parse(bench.sent(bench.terminal.request(refund, now_ms=1)).text(61)).stan == "000077"


def test_a_transaction_without_field_13_is_dated_by_its_own_clock() -> None:
    sale = Transaction(
        batch="000001",
        stan="000002",
        kind=Kind.SALE,
        amount_minor=1,
        currency="156",
        card="",
        entry_mode="022",
        at_ms=1_764_518_399_000,  # 2025-11-30T15:59:59Z, a second before December in Shanghai
    )
    assert orders.reference(sale).date == "1130"
    sale.at_ms += 1000
    assert orders.reference(sale).date == "1201"


@pytest.mark.parametrize("kind", Kind)
def test_an_order_that_lacks_something_is_refused_by_name_before_anything_is_saved(kind: Kind) -> None:
    bench = Bench()
    good = order(kind)
    wrong: dict[str, Order] = {}
    if kind in LOOKS:
        wrong["amount"] = msgspec.structs.replace(good, amount_minor=1)
    else:
        wrong["amount"] = msgspec.structs.replace(good, amount_minor=0)
    wrong["original"] = msgspec.structs.replace(good, original=None if kind in CLAIMS else ORIGINAL)
    wrong["plan"] = msgspec.structs.replace(good, plan=None if kind is Kind.INSTALMENT else PLAN)
    wrong["target"] = msgspec.structs.replace(good, target=None if kind is Kind.TRANSFER else TARGET)
    if kind in ADVICES:
        wrong["pin"] = msgspec.structs.replace(good, pin="123456")
    for field, bad in wrong.items():
        step = bench.terminal.request(bad, now_ms=1)
        assert isinstance(step.outcome, Refused)
        assert step.outcome.reason.startswith(f"{field}: "), step.outcome.reason
        assert (step.save, step.send) == ((), b"")


@pytest.mark.parametrize(
    ("kind", "lacks", "field"),
    [
        (Kind.VOID, {"rrn": ""}, "rrn"),
        (Kind.REFUND, {"rrn": ""}, "rrn"),
        (Kind.PRE_AUTH_VOID, {"authorization_code": ""}, "authorization"),
    ],
)
def test_an_original_must_be_named_as_the_protocol_wants_it(kind: Kind, lacks: dict[str, str], field: str) -> None:
    bad = msgspec.structs.replace(order(kind), original=msgspec.structs.replace(ORIGINAL, **lacks))
    outcome = Bench().terminal.request(bad, now_ms=1).outcome
    assert isinstance(outcome, Refused)
    assert outcome.reason.startswith(f"{field}: ")


def test_neither_an_order_nor_its_card_prints_what_it_must_not() -> None:
    text = repr(order(Kind.TRANSFER, pin="123456", card=KEYED))
    assert "123456" not in text
    assert CARD.pan.clear() not in text
    assert CARD.expiry not in text


# Operators


def attended(operator: str, password: str) -> Bench:
    bench = Bench()
    bench.terminal.log_out()
    assert isinstance(bench.terminal.log_in(operator, password).outcome, Entered)
    return bench


def apply_parameters(bench: Bench, parameters: Parameters) -> None:
    bench.terminal.log_out()
    bench.terminal.log_in("99", "12345678")
    assert isinstance(bench.terminal.set_parameters(parameters).outcome, Entered)
    bench.terminal.log_out()
    bench.terminal.log_in("01", "0000")


def test_the_supervisor_makes_and_deletes_cashiers() -> None:
    bench = attended("00", "123456")
    assert isinstance(bench.terminal.create_cashier("07", "4711").outcome, Entered)
    for refused in (
        bench.terminal.create_cashier("07", "4711"),
        bench.terminal.create_cashier("99", "4711"),
        bench.terminal.create_cashier("08", "12"),
        bench.terminal.delete_cashier("09"),
        bench.terminal.delete_cashier("00"),
        bench.terminal.set_parameters(Parameters()),
        bench.terminal.reset_password("99", "1111"),
    ):
        assert isinstance(refused.outcome, Refused)
        assert refused.save == ()
    bench.terminal.delete_cashier("01")
    bench.terminal.log_out()
    assert isinstance(bench.terminal.log_in("01", "0000").outcome, Refused)
    assert isinstance(bench.terminal.log_in("07", "4711").outcome, Entered)


def test_the_system_operator_resets_passwords_and_takes_no_cards() -> None:
    bench = attended("99", "12345678")
    bench.terminal.reset_password("00", "654321")
    assert isinstance(bench.terminal.request(order(Kind.SALE), now_ms=1).outcome, Refused)
    bench.terminal.log_out()
    assert isinstance(bench.terminal.log_in("00", "123456").outcome, Refused)
    assert isinstance(bench.terminal.log_in("00", "654321").outcome, Entered)


@pytest.mark.parametrize("operation", ["create_cashier", "delete_cashier", "reset_password", "set_parameters"])
def test_a_cashier_may_do_none_of_it(operation: str) -> None:
    arguments: dict[str, tuple[object, ...]] = {
        "create_cashier": ("07", "4711"),
        "delete_cashier": ("01",),
        "reset_password": ("01", "4711"),
        "set_parameters": (Parameters(),),
    }
    step = getattr(Bench().terminal, operation)(*arguments[operation])
    assert isinstance(step.outcome, Refused)


def test_voids_and_refunds_ask_for_the_supervisor_where_a_parameter_says_so() -> None:
    bench = Bench()
    apply_parameters(bench, Parameters(supervisor_for_voids=True, supervisor_for_refunds=True, pin_for_voids=True))
    for kind in (Kind.VOID, Kind.REFUND):
        pin = "123456" if kind is Kind.VOID else ""
        assert isinstance(bench.terminal.request(order(kind, pin=pin), now_ms=1).outcome, Refused)
        assert isinstance(bench.terminal.request(order(kind, pin=pin), now_ms=1, approval="0000").outcome, Refused)
        step = bench.terminal.request(order(kind, pin=pin), now_ms=1, approval="123456")
        assert step.send
        bench.answer(step, "00")
    without_pin = bench.terminal.request(order(Kind.VOID), now_ms=1, approval="123456").outcome
    assert isinstance(without_pin, Refused)
    assert without_pin.reason.startswith("pin: ")


# The rest


def test_a_status_report_is_a_message_of_its_own_and_changes_nothing() -> None:
    bench = Bench()
    before = msgspec.json.encode(bench.terminal.record)
    step = bench.terminal.report_status()
    message = bench.sent(step)
    assert (message.mti, Field60.parse(message.text(60)).network_code) == ("0820", "362")
    iso8583.check_profile(message)
    assert bench.done(step) == PlainOutcome(response_code="00")
    assert msgspec.json.encode(bench.terminal.record) == before
    assert bench.terminal.state is State.SIGNED_ON


def test_a_memory_of_before_there_were_kinds_still_loads(tmp_path: Path) -> None:
    path = memory_path(tmp_path, "10000001")
    path.parent.mkdir()
    digest = "0" * 64
    path.write_text(
        '{"type":"snapshot","record":{"tid":"10000001","stan":2,"counter":0,"batch":"000001","batch_size":1,"operators":'
        f'{{"01":"{digest}"}},"session":null,"master":null,"pending":null,"closing":null,"transactions":'
        '{"10000001:000001:000002":{"batch":"000001","stan":"000002","kind":"sale","amount_minor":1234,"currency":"156",'
        '"card":"629101******0012","entry_mode":"021","at_ms":1,"response_code":"00","rrn":"000000000001",'
        f'"authorization_code":"A1B2C3","answer_digests":["{digest}"],"reversed":false}}}},"closed":[]}}}}\n'
        '{"type":"sent","transaction":{"batch":"000001","stan":"000003","kind":"sale","amount_minor":1,"currency":"156",'
        '"card":"629101******0012","entry_mode":"021","at_ms":1,"response_code":"","rrn":"","authorization_code":"",'
        '"answer_digests":[],"reversed":false}}\n'
        '{"type":"answered","batch":"000001","stan":"000003","response_code":"51","rrn":"000000000002",'
        f'"authorization_code":"","digest":"{digest}"}}\n'
    )
    record = read_memory(path)
    assert record.totals("000001") == Totals(debit_minor=1234, debit_count=1)
    assert record.pending is None
    assert record.password("00")  # the supervisor is there, as in a terminal that is shipped now
    void = orders.void(record, "000002", TRACK)
    assert isinstance(void, Order)
    assert void.original is not None
    assert (void.original.date, void.original.rrn) == ("0101", "000000000001")
