"""A till: one terminal with its memory, its operator and its line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from contracts.authorization import Original
from contracts.kinds import Kind
from contracts.pan import Pan, Track2
from contracts.response_codes import APPROVED, describe
from contracts.terms import InstalmentPlan
from terminal_sim import orders
from terminal_sim.calls import one_call
from terminal_sim.chores import Chores
from terminal_sim.link import Link, LinkError, LinkLostError
from terminal_sim.memory import TerminalMemory
from terminal_sim.orders import NotThere, Order
from terminal_sim.outcomes import (
    CloseOutcome,
    Outcome,
    PlainOutcome,
    Refused,
    ReversalOutcome,
    SignOnOutcome,
    Step,
    TransactionOutcome,
)
from terminal_sim.readers import AnyCard, entered
from terminal_sim.results import CloseResult, SwipeResult, reason_of, result_of
from terminal_sim.shipped import DEFAULT_OPERATOR, DEFAULT_PASSWORD
from terminal_sim.state import State
from terminal_sim.terminal import Terminal
from terminal_sim.waiting import REVERSAL_TRIES
from world import Card

_CERTIFICATE = " (over TLS: does the host take this terminal's certificate?)"


class Till(Chores):
    """Drives one terminal over one line. One operation at a time."""

    def __init__(self, terminal: Terminal, memory: TerminalMemory, link: Link) -> None:
        self.terminal = terminal
        self.memory = memory
        self.link = link
        self.operator, self.password = DEFAULT_OPERATOR, DEFAULT_PASSWORD
        self.in_call = False
        self._delivered: list[TransactionOutcome] = []  # notices, since the last result that told of some

    @property
    def pending(self) -> bool:
        """Whether a reversal or a notice waits."""
        return self.terminal.record.waits

    @property
    def stuck(self) -> bool:
        """Whether its tries are used up, and `recover` has to begin anew."""
        record = self.terminal.record
        first = record.pending or next(iter(record.advices.values()), None)
        return first is not None and first.tries >= REVERSAL_TRIES

    @property
    def batch_size(self) -> int:
        """Transactions in the open batch."""
        return self.terminal.record.batch_size

    @property
    def batch_full(self) -> bool:
        return self.terminal.batch_full

    async def make_ready(self, ahead: list[ReversalOutcome]) -> Refused | None:
        """Everything that goes before a transaction: log-in, line, sign-on, pending reversal, notices, half-finished close.

        A refusal when it cannot be done; the reversals that it sent are added to `ahead`.
        """
        if (hindrance := await self._signed_on() or await self._nothing_pending(ahead)) is not None:
            return hindrance
        if self.terminal.record.closing is not None:
            result = await self._settle()
            if self.terminal.record.closing is not None:
                return Refused(
                    reason=f"the close of batch {result.batch} has begun and got no answer", response_code=result.rc
                )
        await self.tell_results()
        if self.terminal.wanted or self.terminal.record.downloading is not None:
            await self.download_wanted()
        return await self._signed_on()

    @one_call
    async def swipe(self, card: Card | Track2, amount_minor: int, pin: str = "") -> SwipeResult:
        """One sale: signs on when needed, sends what is pending first. Never raises for what host, line or card do."""
        return await self.sell(card, amount_minor, pin)

    @one_call
    async def sell(self, card: AnyCard, amount_minor: int, pin: str = "") -> SwipeResult:
        """As `swipe`, whatever the card is read by."""
        given = entered(card)
        return await self._perform(Kind.SALE, lambda: self.terminal.sell(given, amount_minor, pin, now_ms=_now_ms()))

    @one_call
    async def do(self, order: Order, *, approval: str = "") -> SwipeResult:
        """A transaction of any kind, as `swipe`. `approval`: the supervisor's password, where the terminal asks for it."""
        return await self.do_when_ready(order.kind, lambda: order, approval=approval)

    @one_call
    async def do_when_ready(
        self, kind: Kind, order: Callable[[], Order | NotThere], *, approval: str = ""
    ) -> SwipeResult:
        """The order is made when everything that goes first is done. `kind`: what the result is of, if it cannot be made."""
        return await self._perform(kind, lambda: self._ordered(order(), approval))

    @one_call
    async def void(self, voucher: str, card: AnyCard, pin: str = "", *, approval: str = "") -> SwipeResult:
        """Undoes a sale, an instalment sale or a completion of the open batch, or a pre-authorization, by its voucher number (STAN)."""
        given = entered(card)
        return await self.do_when_ready(
            Kind.VOID, lambda: orders.void(self.terminal.record, voucher, given, pin), approval=approval
        )

    @one_call
    async def refund(
        self, card: AnyCard, original: str | Original, amount_minor: int, *, approval: str = ""
    ) -> SwipeResult:
        """Gives back all or part of a transaction: one of this terminal by its voucher, or any by what its slip says."""
        return await self._claim(Kind.REFUND, card, original, amount_minor, approval=approval)

    @one_call
    async def pre_authorize(self, card: AnyCard, amount_minor: int, pin: str = "") -> SwipeResult:
        return await self.do(Order(kind=Kind.PRE_AUTH, card=entered(card), amount_minor=amount_minor, pin=pin))

    @one_call
    async def complete(
        self, card: AnyCard, original: str | Original, amount_minor: int, pin: str = "", *, advice: bool = False
    ) -> SwipeResult:
        """Of a pre-authorization: as a request, or as a notice, which the bank takes."""
        kind = Kind.COMPLETION_ADVICE if advice else Kind.COMPLETION
        return await self._claim(kind, card, original, amount_minor, pin=pin)

    @one_call
    async def balance(self, card: AnyCard, pin: str = "") -> SwipeResult:
        return await self.do(Order(kind=Kind.BALANCE, card=entered(card), pin=pin))

    @one_call
    async def instalment(self, card: AnyCard, amount_minor: int, plan: InstalmentPlan, pin: str = "") -> SwipeResult:
        order = Order(kind=Kind.INSTALMENT, card=entered(card), amount_minor=amount_minor, plan=plan, pin=pin)
        return await self.do(order)

    @one_call
    async def check_card(self, card: AnyCard, pin: str = "") -> SwipeResult:
        """Whether the card is its holder's."""
        return await self.do(Order(kind=Kind.CARD_CHECK, card=entered(card), pin=pin))

    @one_call
    async def transfer(self, card: AnyCard, target: Pan, amount_minor: int, pin: str = "") -> SwipeResult:
        """Checks the card first, as the protocol has it; a check that fails is the result."""
        checked = await self.check_card(card, pin)
        if not checked.approved:
            return checked
        order = Order(kind=Kind.TRANSFER, card=entered(card), target=target, amount_minor=amount_minor, pin=pin)
        return await self.do(order)

    @one_call
    async def sell_offline(self, card: AnyCard, amount_minor: int) -> SwipeResult:
        """Approved by the terminal alone, within its limits, and told to the host before the next transaction on line. Needs a session, but no line."""
        if self.terminal.state is State.IDLE:
            self.terminal.log_in(self.operator, self.password)
        hindrance = None if self.terminal.state is State.SIGNED_ON else await self._signed_on()
        if hindrance is not None:
            return SwipeResult(kind=Kind.OFFLINE_SALE, rc=hindrance.response_code, refused=hindrance.reason)
        order = Order(kind=Kind.OFFLINE_SALE, card=entered(card), amount_minor=amount_minor)
        return result_of(Kind.OFFLINE_SALE, await self._run(self.terminal.request(order, now_ms=_now_ms())))

    @one_call
    async def report_status(self) -> PlainOutcome | Refused:
        return await self._plain(self.terminal.report_status)

    @one_call
    async def resend_last(self) -> TransactionOutcome | Refused:
        """The last transaction's bytes again; its answer goes into the journal beside the first."""
        if (hindrance := await self._connected()) is not None:
            return hindrance
        outcome = await self._run(self.terminal.resend_last())
        return outcome if isinstance(outcome, TransactionOutcome) else Refused(reason=reason_of(outcome))

    @one_call
    async def recover(self) -> ReversalOutcome | TransactionOutcome | Refused | None:
        """Sends what waits, the reversal first and then the notices, each up to 3 times more; None when nothing does."""
        outcome: ReversalOutcome | TransactionOutcome | Refused | None = None
        in_hand: tuple[str, str] | None = None
        tries = 0
        while (waiting := self._first_waiting()) is not None:
            tries = tries + 1 if waiting == in_hand else 1
            in_hand = waiting
            if tries > REVERSAL_TRIES:
                return outcome
            if (hindrance := await self._signed_on()) is not None:
                return hindrance
            reverses = self.terminal.record.pending is not None
            step = (self.terminal.reverse if reverses else self.terminal.advise)(new_round=tries == 1)
            done = await self._run(step)
            outcome = (
                done if isinstance(done, ReversalOutcome | TransactionOutcome) else Refused(reason=reason_of(done))
            )
        return outcome

    def _first_waiting(self) -> tuple[str, str] | None:
        """Batch and STAN of what goes first, or nothing."""
        record = self.terminal.record
        first = record.pending or next(iter(record.advices.values()), None)
        return None if first is None else (first.batch, first.stan)

    async def sign_on(self) -> SignOnOutcome | Refused:
        """New session keys, whether there were some or not."""
        if (hindrance := await self._connected()) is not None:
            return hindrance
        outcome = await self._run(self.terminal.sign_on())
        return outcome if isinstance(outcome, SignOnOutcome) else Refused(reason=reason_of(outcome))

    async def sign_off(self) -> PlainOutcome | Refused:
        if (hindrance := await self._connected()) is not None:
            return hindrance
        outcome = await self._run(self.terminal.sign_off())
        return outcome if isinstance(outcome, PlainOutcome) else Refused(reason=reason_of(outcome))

    @one_call
    async def echo(self) -> PlainOutcome | Refused:
        return await self._plain(self.terminal.echo)

    @one_call
    async def close_batch(self) -> CloseResult:
        """Reversal and notices first, then 0500, and when that does not balance the upload of the batch's details. Once it is closed sign-off
        follows, and the next transaction signs on to the new batch."""
        if (hindrance := await self._signed_on()) is None:
            hindrance = await self._nothing_pending([])
        if hindrance is None:
            await self.tell_results(insist=True)
            hindrance = await self._signed_on()
        if hindrance is not None:
            return CloseResult(refused=hindrance.reason, rc=hindrance.response_code)
        return await self._settle()

    def shut(self) -> None:
        """Ends line and memory; the terminal is free for another process."""
        self.link.shut()
        self.memory.close()

    # Inside

    async def _perform(self, kind: Kind, begin: Callable[[], Step]) -> SwipeResult:
        """What goes first, and then what `begin` says. `kind`: what the result is of, if nothing is sent."""
        ahead: list[ReversalOutcome] = []
        hindrance = await self.make_ready(ahead)
        reversal, notices = ahead[-1] if ahead else None, tuple(self._delivered)
        self._delivered.clear()
        if hindrance is not None:
            return SwipeResult(
                kind=kind,
                rc=hindrance.response_code,
                refused=hindrance.reason,
                reversal=reversal,
                notices=notices,
            )
        began = time.perf_counter_ns()
        outcome = await self._run(begin())
        duration_us = (time.perf_counter_ns() - began) // 1000
        return result_of(kind, outcome, duration_us=duration_us, reversal=reversal, notices=notices)

    def _ordered(self, made: Order | NotThere, approval: str) -> Step:
        if isinstance(made, NotThere):
            return Step(outcome=Refused(reason=made.reason))
        return self.terminal.request(made, now_ms=_now_ms(), approval=approval)

    async def _claim(
        self,
        kind: Kind,
        card: AnyCard,
        original: str | Original,
        amount_minor: int,
        *,
        pin: str = "",
        approval: str = "",
    ) -> SwipeResult:
        given = entered(card)
        return await self.do_when_ready(
            kind,
            lambda: orders.claim(self.terminal.record, kind, original, given, amount_minor, pin=pin),
            approval=approval,
        )

    async def _plain(self, begin: Callable[[], Step]) -> PlainOutcome | Refused:
        if (hindrance := await self._signed_on()) is not None:
            return hindrance
        outcome = await self._run(begin())
        return outcome if isinstance(outcome, PlainOutcome) else Refused(reason=reason_of(outcome))

    async def _nothing_pending(self, ahead: list[ReversalOutcome]) -> Refused | None:
        """Sends the pending reversal, then the notices, until each ends or its tries are used up; the session may have to be made anew in between."""
        while self.pending:
            if (hindrance := await self._signed_on()) is not None:
                return hindrance
            reverses = self.terminal.record.pending is not None
            outcome = await self._run(self.terminal.reverse() if reverses else self.terminal.advise())
            if isinstance(outcome, ReversalOutcome):
                ahead.append(outcome)
            elif isinstance(outcome, TransactionOutcome):
                self._delivered.append(outcome)
            else:
                return Refused(reason=reason_of(outcome))
        return None

    async def _signed_on(self) -> Refused | None:
        if (hindrance := await self._connected()) is not None:
            return hindrance
        if self.terminal.state is State.SIGNED_ON:
            return None
        outcome = await self.sign_on()
        if isinstance(outcome, Refused):
            return outcome
        if outcome.signed_on:
            return None
        doubt = _CERTIFICATE if self.link.tls and not outcome.response_code else ""
        return Refused(reason=outcome.reason + doubt, response_code=outcome.response_code)

    async def _connected(self) -> Refused | None:
        """An operator and a line, so that what follows can be sent."""
        if self.terminal.state is State.IDLE:
            outcome = self.terminal.log_in(self.operator, self.password).outcome
            if isinstance(outcome, Refused):
                return outcome
        try:
            new = await self.link.connect()
        except LinkError as error:
            return Refused(reason=str(error))
        return await self._tried() if new and self.link.tls else None

    async def _tried(self) -> Refused | None:
        """Under TLS 1.3 the host looks at a terminal's certificate when the terminal's handshake is done: a line that stands may be refused.

        So a new one is tried by an echo, before anything goes over it that would have to be reversed. A sign-on is a try itself.
        """
        if self.terminal.state is not State.SIGNED_ON:
            return None
        outcome = await self._run(self.terminal.echo())
        code = outcome.response_code if isinstance(outcome, PlainOutcome) else ""
        if code == APPROVED:
            return None
        return Refused(
            reason=f"echo refused: {describe(code)}" if code else f"echo: no answer{_CERTIFICATE}", response_code=code
        )

    async def _run(self, step: Step) -> Outcome | None:
        """Does what the step says, and waits for what comes of it."""
        self.memory.append(step.save)
        if not step.send:
            return step.outcome
        patience = asyncio.get_running_loop().call_later(self.link.timeout_s, self.link.give_up)
        try:
            arrival = self.link.send(step.send)
            while True:
                step = self.terminal.receive(await arrival, now_ms=_now_ms())
                if step.outcome is not None:
                    break
                arrival = self.link.next()
        except LinkLostError:
            step = self.terminal.lose()
        except BaseException:  # the caller gave up: for the terminal that is silence, and what it saved stands
            self.memory.append(self.terminal.lose().save)
            self.link.close()
            raise
        finally:
            patience.cancel()
        self.memory.append(step.save)
        if _unanswered(step.outcome):
            self.link.close()
        return step.outcome


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _unanswered(outcome: Outcome | None) -> bool:
    """Whether the request in flight may still be answered, so that the line must not be used again."""
    if isinstance(outcome, CloseOutcome):
        return not outcome.result and not outcome.response_code
    return not isinstance(outcome, Refused | None) and getattr(outcome, "response_code", "") == ""
