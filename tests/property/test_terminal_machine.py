"""The terminal and its memory against a host that loses, repeats and garbles answers, with the terminal's power cut at any point.

What must hold for every kind of transaction: what the terminal calls approved and not reversed is what the host holds as approved, but for
the one whose reversal is pending, the notices that wait and the questions that got no answer; what stands on an original is the same on
both sides; totals add up to what moved money; the file always adds up to what the terminal knows; and no two messages are under one
DUKPT serial number.
"""

from __future__ import annotations

import shutil
import tempfile
from enum import Enum, auto

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import iso8583
import world
from contracts.kinds import CLAIMS, KINDS, Effect, Kind
from contracts.terms import InstalmentPlan
from terminal_sim import orders
from terminal_sim.cards import Card, Keyed
from terminal_sim.memory import TerminalMemory, memory_path, read_memory
from terminal_sim.orders import Order
from terminal_sim.outcomes import CloseOutcome, Outcome, Refused, ReversalOutcome, Step, TransactionOutcome
from terminal_sim.practice import PracticeHost
from terminal_sim.schemes import seal_of
from terminal_sim.state import State
from terminal_sim.terminal import Terminal
from terminal_sim.waiting import REVERSAL_TRIES

CARD = world.built_in().cards[0]
TRACK = world.track2(CARD)
KEYED = Keyed(pan=CARD.pan, expiry=CARD.expiry)
TARGET = world.built_in().cards[1].pan


class Fault(Enum):
    NONE = auto()
    REQUEST_LOST = auto()
    ANSWER_LOST = auto()
    ANSWER_GARBLED = auto()
    FORMER_ANSWER_FIRST = auto()
    """The network repeats what it carried before."""
    FORMER_ANSWER_INSTEAD = auto()
    """The same, and the request does not arrive."""
    FORGED_APPROVAL = auto()
    """Somebody on the line keeps the request and answers 00 with a MAC of his own."""
    FORGED_DECLINE = auto()
    """Somebody on the line lets the request through and answers 51."""
    CUT_BEFORE_SENDING = auto()
    """The power goes after the save and before the send."""
    CUT_BEFORE_THE_ANSWER = auto()
    """The request has arrived; the power goes before its answer does."""
    CUT_BEFORE_SAVING_THE_ANSWER = auto()


LINE_FAULTS = (Fault.NONE, Fault.REQUEST_LOST, Fault.ANSWER_LOST)


def forged(request_body: bytes, code: str) -> bytes:
    """The answer of somebody who has seen the request and lacks the key."""
    request = iso8583.decode(request_body)
    fields = {n: request.fields[n] for n in (3, 4, 11, 41, 42, 49, 60) if n in request.fields}
    return iso8583.encode(iso8583.reply_to(request, {**fields, 39: code, 64: b"00000000"}))


class TerminalAndHost(RuleBasedStateMachine):
    @initialize(number=st.sampled_from(["10000001", "10000005", "10000006", "10000009", "10000010"]))
    def switch_on(self, number: str) -> None:
        facts = world.built_in().terminal(number)
        assert facts is not None
        self.facts = facts
        self.folder = tempfile.mkdtemp()
        self.host = PracticeHost(limit_minor=5000)
        self.former = b""
        self.serials: dict[bytes, bytes] = {}
        self.memory: TerminalMemory | None = None
        self.power_up()

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        self.settle_matters()
        assert not self.terminal.record.waits
        assert self.terminals_view() == self.hosts_view()
        # What had no answer was reversed, or only looked; what was closed was closed in balance on both sides.
        assert all(
            t.response_code or t.reversed or KINDS[t.kind].effect is Effect.LOOKS
            for t in self.terminal.record.transactions.values()
        )
        for closed in self.terminal.record.closed:
            assert closed.totals == self.host.totals(self.facts.tid, closed.batch)
        shutil.rmtree(self.folder)

    # Power

    def power_up(self) -> None:
        if self.memory is not None:
            self.memory.close()
        self.memory = TerminalMemory.open(self.folder, self.facts.tid)
        tid, mid = self.facts.tid, self.facts.merchant
        self.terminal = Terminal(tid=tid, mid=mid, record=self.memory.record, seal=seal_of(self.facts))
        self.terminal.log_in("01", "0000")

    def run(self, step: Step, fault: Fault = Fault.NONE, flip: int = 0) -> Outcome | None:
        """Does a step as a till would, with one fault; None when the power went."""
        assert self.memory is not None
        self.memory.append(step.save)
        if not step.send:
            return step.outcome
        serial = iso8583.decode(step.send).data(59)
        assert self.serials.setdefault(serial, step.send) == step.send or not serial, "a serial number was used twice"
        if fault is Fault.CUT_BEFORE_SENDING:
            return self.power_up()
        arrives = fault not in (Fault.REQUEST_LOST, Fault.FORMER_ANSWER_INSTEAD, Fault.FORGED_APPROVAL)
        answer = self.host.answer(step.send) if arrives else b""
        if fault is Fault.CUT_BEFORE_THE_ANSWER:
            return self.power_up()
        former, self.former = self.former, answer or self.former
        match fault:
            case Fault.ANSWER_GARBLED:
                at = flip % len(answer)
                answer = answer[:at] + bytes([answer[at] ^ (1 << flip % 8)]) + answer[at + 1 :]
            case Fault.FORGED_APPROVAL | Fault.FORGED_DECLINE:
                answer = forged(step.send, "00" if fault is Fault.FORGED_APPROVAL else "51")
        if fault in (Fault.FORMER_ANSWER_FIRST, Fault.FORMER_ANSWER_INSTEAD) and former:
            early = self.terminal.receive(former, now_ms=1)
            if early.outcome is not None:  # it is an answer to the same request, repeated: it may count
                self.memory.append(early.save)
                return early.outcome
        lost = not answer or fault is Fault.ANSWER_LOST
        done = self.terminal.lose() if lost else self.terminal.receive(answer, now_ms=1)
        if fault is Fault.CUT_BEFORE_SAVING_THE_ANSWER:
            return self.power_up()
        if done.outcome is None:  # garbled into something that is no answer to this request
            done = self.terminal.lose()
        self.memory.append(done.save)
        return done.outcome

    # What an operator does

    @rule(
        amount=st.sampled_from([1, 100, 5001]),
        fault=st.sampled_from(Fault),
        flip=st.integers(0, 5000),
        pin=st.booleans(),
    )
    def sell(self, amount: int, fault: Fault, flip: int, pin: bool) -> None:
        """As a till does it: what has to go first goes first, here on a good line."""
        self.settle_matters()
        step = self.terminal.sell(TRACK, amount, CARD.pin if pin else "", now_ms=1)
        assert step.send
        outcome = self.run(step, fault, flip)
        event(f"sold: {fault.name} {type(outcome).__name__}")
        if isinstance(outcome, TransactionOutcome) and outcome.approved:
            assert amount <= self.host.limit_minor

    @rule(
        kind=st.sampled_from(sorted(set(Kind) - set(CLAIMS))),
        amount=st.sampled_from([1, 100, 5001]),
        fault=st.sampled_from(Fault),
        flip=st.integers(0, 5000),
        card=st.sampled_from([TRACK, KEYED]),
    )
    def transact(self, kind: Kind, amount: int, fault: Fault, flip: int, card: Card) -> None:
        """Any kind that is about nothing earlier."""
        if kind is not Kind.OFFLINE_SALE:
            self.settle_matters()
        elif self.terminal.state is not State.SIGNED_ON or self.terminal.record.closing is not None:
            return
        order = Order(
            kind=kind,
            card=card,
            amount_minor=0 if KINDS[kind].effect is Effect.LOOKS else amount,
            plan=InstalmentPlan(periods=3) if kind is Kind.INSTALMENT else None,
            target=TARGET if kind is Kind.TRANSFER else None,
            takes_part=flip % 2 == 0,
        )
        self.ordered(order, fault, flip)

    @rule(data=st.data(), fault=st.sampled_from(Fault), flip=st.integers(0, 5000))
    def claim(self, data: st.DataObject, fault: Fault, flip: int) -> None:
        """A void, a completion or a refund of anything whatever, by the right amount or another: the host says what may be."""
        self.settle_matters()
        known = [t for t in self.terminal.record.transactions.values() if t.rrn and t.authorization_code]
        if not known:
            return
        original = data.draw(st.sampled_from(known))
        fitting = [kind for kind, facts in CLAIMS.items() if original.kind in facts.originals]
        kind = data.draw(st.sampled_from(fitting or list(CLAIMS)))
        amount = data.draw(st.sampled_from([original.worth_minor or 1, 1, original.worth_minor * 115 // 100 + 1]))
        order = Order(kind=kind, card=TRACK, amount_minor=max(1, amount), original=orders.reference(original))
        self.ordered(order, fault, flip)

    @rule(data=st.data(), fault=st.sampled_from(Fault), flip=st.integers(0, 5000))
    def void(self, data: st.DataObject, fault: Fault, flip: int) -> None:
        """By the voucher: what the terminal lets through, the host does too, unless it is of a closed batch."""
        self.settle_matters()
        known = list(self.terminal.record.transactions.values())
        if not known:
            return
        original = data.draw(st.sampled_from(known))
        order = orders.void(self.terminal.record, f"{original.batch}/{original.stan}", TRACK)
        if isinstance(order, Order):
            outcome = self.ordered(order, fault, flip)
            if isinstance(outcome, TransactionOutcome) and outcome.response_code:
                assert outcome.approved

    def ordered(self, order: Order, fault: Fault, flip: int) -> Outcome | None:
        step = self.terminal.request(order, now_ms=1)
        assert not isinstance(step.outcome, Refused)
        outcome = self.run(step, fault, flip)
        approved = isinstance(outcome, TransactionOutcome) and outcome.approved
        event(f"{order.kind}: {'approved' if approved else 'not'}, {fault.name}")
        return outcome

    @precondition(lambda self: self.terminal.record.advices and self.terminal.record.pending is None)
    @rule(fault=st.sampled_from(Fault), flip=st.integers(0, 5000))
    def advise(self, fault: Fault, flip: int) -> None:
        if self.terminal.state is State.LOGGED_IN:
            self.run(self.terminal.sign_on())
        first = next(iter(self.terminal.record.advices.values()))
        step = self.terminal.advise()
        if first.tries >= REVERSAL_TRIES:
            assert isinstance(step.outcome, Refused)
        else:
            self.run(step, fault, flip)

    @precondition(lambda self: self.terminal.record.waits)
    @rule()
    def nothing_is_sold_or_closed_while_something_waits(self) -> None:
        if self.terminal.state is State.LOGGED_IN:
            self.run(self.terminal.sign_on())
        assert isinstance(self.terminal.sell(TRACK, 1, "", now_ms=1).outcome, Refused)
        assert isinstance(self.terminal.settle().outcome, Refused)

    @rule(fault=st.sampled_from(LINE_FAULTS))
    def sign_on(self, fault: Fault) -> None:
        self.run(self.terminal.sign_on(), fault)

    @precondition(lambda self: self.terminal.record.pending is not None)
    @rule(fault=st.sampled_from(Fault), flip=st.integers(0, 5000))
    def reverse(self, fault: Fault, flip: int) -> None:
        pending = self.terminal.record.pending
        assert pending is not None
        step = self.terminal.reverse()
        if pending.tries >= REVERSAL_TRIES:
            assert isinstance(step.outcome, Refused)
        else:
            self.run(step, fault, flip)

    @rule(fault=st.sampled_from(LINE_FAULTS))
    def close(self, fault: Fault) -> None:
        if not self.terminal.record.waits:
            self.settle_matters()
        outcome = self.run(self.terminal.settle(), fault)
        event(f"close: {fault.name} {type(outcome).__name__}")
        if isinstance(outcome, CloseOutcome) and outcome.result:
            assert outcome.balanced

    @rule(fault=st.sampled_from([Fault.NONE, Fault.ANSWER_LOST, Fault.ANSWER_GARBLED]), flip=st.integers(0, 5000))
    def repeat(self, fault: Fault, flip: int) -> None:
        self.run(self.terminal.resend_last(), fault, flip)

    @rule()
    def host_restarts(self) -> None:
        self.host.forget_keys()

    @rule()
    def power_cut(self) -> None:
        self.power_up()

    def settle_matters(self) -> None:
        """Signs on, reverses, sends notices, finishes a close: on a good line each works at once."""
        if self.terminal.state is State.LOGGED_IN:
            self.run(self.terminal.sign_on())
        if self.terminal.record.pending is not None:
            outcome = self.run(self.terminal.reverse(new_round=True))
            if self.terminal.state is State.LOGGED_IN:  # the host has forgotten the keys
                self.run(self.terminal.sign_on())
                outcome = self.run(self.terminal.reverse())
            assert isinstance(outcome, ReversalOutcome)
            assert outcome.ended
        while self.terminal.record.advices:
            outcome = self.run(self.terminal.advise(new_round=True))
            assert isinstance(outcome, TransactionOutcome)
            if self.terminal.state is State.LOGGED_IN:
                self.run(self.terminal.sign_on())
            else:
                assert not outcome.stored
        if self.terminal.record.closing is not None:
            outcome = self.run(self.terminal.settle())
            assert isinstance(outcome, CloseOutcome)
            assert outcome.balanced
            self.run(self.terminal.sign_on())

    # What must hold

    def terminals_view(self) -> dict[str, int]:
        return {i: t.worth_minor for i, t in self.terminal.record.transactions.items() if t.counts}

    def hosts_view(self) -> dict[str, int]:
        held = {i: h.amount_minor for i, h in self.host.held.items() if h.counts}
        for identity, transaction in self.terminal.record.transactions.items():
            unanswered_question = KINDS[transaction.kind].effect is Effect.LOOKS and not transaction.response_code
            if unanswered_question or identity in self.terminal.record.advices:
                held.pop(identity, None)
        return held

    @invariant()
    def both_hold_the_same_but_for_what_is_pending(self) -> None:
        if not hasattr(self, "terminal"):
            return
        ours, theirs = self.terminals_view(), self.hosts_view()
        pending = self.terminal.record.pending
        if pending is not None:
            identity = f"{self.facts.tid}:{pending.batch}:{pending.stan}"
            ours.pop(identity, None)
            theirs.pop(identity, None)
        assert ours == theirs

    @invariant()
    def what_stands_on_an_original_is_known_at_both_ends(self) -> None:
        if not hasattr(self, "terminal") or self.terminal.record.waits:
            return
        for identity, original in self.terminal.record.transactions.items():
            standing = [h for h in self.host.held.values() if h.original == identity and h.counts]
            exclusive = {h.kind for h in standing if CLAIMS[h.kind].exclusive}
            assert exclusive == ({original.claimed_by} if original.claimed_by else set())
            assert original.refunded_minor == sum(h.amount_minor for h in standing if h.kind is Kind.REFUND)

    @invariant()
    def totals_are_what_moved_money(self) -> None:
        if not hasattr(self, "terminal"):
            return
        record = self.terminal.record
        counted = [t for t in record.transactions.values() if t.batch == record.batch and t.counts]
        net = sum(t.worth_minor * KINDS[t.kind].charge for t in counted if KINDS[t.kind].settles)
        totals = record.totals(record.batch)
        assert totals.debit_minor - totals.credit_minor == net
        assert totals.debit_count + totals.credit_count == sum(KINDS[t.kind].settles for t in counted)

    @invariant()
    def the_file_adds_up_to_what_the_terminal_knows(self) -> None:
        if not hasattr(self, "terminal"):
            return
        path = memory_path(self.folder, self.facts.tid)
        assert read_memory(path) == self.terminal.record
        text = path.read_text()
        assert CARD.pan.clear() not in text
        assert TARGET.clear() not in text
        assert TRACK.discretionary() not in text

    @invariant()
    def all_answers_to_one_identity_are_alike(self) -> None:
        if hasattr(self, "terminal"):
            assert all(len(set(t.answer_digests)) <= 1 for t in self.terminal.record.transactions.values())


TerminalAndHost.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
test_terminal_and_host = TerminalAndHost.TestCase
