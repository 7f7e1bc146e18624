"""A till: one terminal with its memory, its operator and its line."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path

import msgspec

import world
from contracts.authorization import Totals
from contracts.pan import Track2
from contracts.response_codes import APPROVED, describe
from terminal_sim.link import DEFAULT_TIMEOUT_S, Link, LinkError, LinkLostError
from terminal_sim.memory import TerminalMemory
from terminal_sim.outcomes import (
    CloseOutcome,
    Outcome,
    PlainOutcome,
    Refused,
    ReversalOutcome,
    SaleOutcome,
    SignOnOutcome,
    Step,
)
from terminal_sim.record import DEFAULT_OPERATOR, DEFAULT_PASSWORD
from terminal_sim.schemes import seal_of
from terminal_sim.state import State
from terminal_sim.terminal import REVERSAL_TRIES, Terminal
from world import Card
from world import Terminal as TerminalFacts

_CERTIFICATE = " (over TLS: does the host take this terminal's certificate?)"


class SwipeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a swipe came to."""

    rc: str = ""
    """Field 39; empty when no answer could be trusted, or when nothing was sent and the host did not say why."""
    rrn: str = ""
    auth_code: str = ""
    batch: str = ""
    stan: str = ""
    duration_us: int = 0
    """From the moment the terminal began to build the request to the checked answer."""
    pending: bool = False
    """Its reversal waits to be sent."""
    reversed: bool = False
    """Its reversal has gone through."""
    refused: str = ""
    """Why the terminal sent nothing; empty when it did."""
    reason: str = ""
    """Why the answer could not be used."""
    reversal: ReversalOutcome | None = None
    """The reversal of an earlier transaction that went ahead of it."""

    @property
    def approved(self) -> bool:
        return self.rc == APPROVED and not self.pending and not self.reversed and not self.refused

    @property
    def duration_ms(self) -> float:
        return self.duration_us / 1000


class CloseResult(msgspec.Struct, frozen=True, kw_only=True):
    """What closing the batch came to."""

    balanced: bool = False
    result: str = ""
    """1 balanced, 2 not balanced, 3 error; empty without an answer."""
    batch: str = ""
    totals: Totals = Totals()
    """The terminal's own."""
    host: Totals | None = None
    rc: str = ""
    rrn: str = ""
    refused: str = ""
    """Why nothing was sent."""


class Till:
    """Drives one terminal over one line. One operation at a time."""

    def __init__(self, terminal: Terminal, memory: TerminalMemory, link: Link) -> None:
        self.terminal = terminal
        self.memory = memory
        self.link = link
        self.operator, self.password = DEFAULT_OPERATOR, DEFAULT_PASSWORD

    @property
    def pending(self) -> bool:
        """Whether a reversal waits."""
        return self.terminal.record.pending is not None

    @property
    def stuck(self) -> bool:
        """Whether its tries are used up, and `recover` has to begin anew."""
        pending = self.terminal.record.pending
        return pending is not None and pending.tries >= REVERSAL_TRIES

    @property
    def batch_size(self) -> int:
        """Transactions in the open batch."""
        return self.terminal.record.batch_size

    @property
    def batch_full(self) -> bool:
        return self.terminal.batch_full

    async def make_ready(self, ahead: list[ReversalOutcome]) -> Refused | None:
        """Everything that goes before a transaction: log-in, line, sign-on, pending reversal, half-finished close.

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
        return await self._signed_on()

    async def swipe(self, card: Card | Track2, amount_minor: int, pin: str = "") -> SwipeResult:
        """One sale: signs on when needed, sends what is pending first. Never raises for what host, line or card do."""
        ahead: list[ReversalOutcome] = []
        hindrance = await self.make_ready(ahead)
        reversal = ahead[-1] if ahead else None
        if hindrance is not None:
            return SwipeResult(rc=hindrance.response_code, refused=hindrance.reason, reversal=reversal)
        track = world.track2(card) if isinstance(card, Card) else card
        began = time.perf_counter_ns()
        outcome = await self._run(self.terminal.sell(track, amount_minor, pin, now_ms=_now_ms()))
        duration_us = (time.perf_counter_ns() - began) // 1000
        if not isinstance(outcome, SaleOutcome):
            return SwipeResult(refused=_reason(outcome), reversal=reversal)
        return SwipeResult(
            rc=outcome.response_code,
            rrn=outcome.rrn,
            auth_code=outcome.authorization_code,
            batch=outcome.batch,
            stan=outcome.stan,
            duration_us=duration_us,
            pending=outcome.pending,
            reason=outcome.reason,
            reversal=reversal,
        )

    async def resend_last(self) -> SaleOutcome | Refused:
        """The last sale's bytes again; its answer goes into the journal beside the first."""
        if (hindrance := await self._connected()) is not None:
            return hindrance
        outcome = await self._run(self.terminal.resend_last())
        return outcome if isinstance(outcome, SaleOutcome) else Refused(reason=_reason(outcome))

    async def recover(self) -> ReversalOutcome | Refused | None:
        """Sends the pending reversal, up to 3 tries more; None when there is none."""
        outcome: ReversalOutcome | Refused | None = None
        for attempt in range(REVERSAL_TRIES):
            if not self.pending:
                return outcome
            if (hindrance := await self._signed_on()) is not None:
                return hindrance
            step = await self._run(self.terminal.reverse(new_round=attempt == 0))
            outcome = step if isinstance(step, ReversalOutcome) else Refused(reason=_reason(step))
        return outcome

    async def sign_on(self) -> SignOnOutcome | Refused:
        """New session keys, whether there were some or not."""
        if (hindrance := await self._connected()) is not None:
            return hindrance
        outcome = await self._run(self.terminal.sign_on())
        return outcome if isinstance(outcome, SignOnOutcome) else Refused(reason=_reason(outcome))

    async def sign_off(self) -> PlainOutcome | Refused:
        if (hindrance := await self._connected()) is not None:
            return hindrance
        outcome = await self._run(self.terminal.sign_off())
        return outcome if isinstance(outcome, PlainOutcome) else Refused(reason=_reason(outcome))

    async def echo(self) -> PlainOutcome | Refused:
        if (hindrance := await self._signed_on()) is not None:
            return hindrance
        outcome = await self._run(self.terminal.echo())
        return outcome if isinstance(outcome, PlainOutcome) else Refused(reason=_reason(outcome))

    async def close_batch(self) -> CloseResult:
        """Reversal first, then 0500; when balanced, sign-off follows, and the next transaction signs on to the new batch."""
        if (hindrance := await self._signed_on()) is None:
            hindrance = await self._nothing_pending([])
        if hindrance is None:
            hindrance = await self._signed_on()
        if hindrance is not None:
            return CloseResult(refused=hindrance.reason, rc=hindrance.response_code)
        return await self._settle()

    def shut(self) -> None:
        """Ends line and memory; the terminal is free for another process."""
        self.link.close()
        self.memory.close()

    # Inside

    async def _settle(self) -> CloseResult:
        outcome = await self._run(self.terminal.settle())
        if not isinstance(outcome, CloseOutcome):
            return CloseResult(refused=_reason(outcome))
        if outcome.balanced:
            await self.sign_off()  # for the host to forget the keys; the terminal's session ended with the batch
        return CloseResult(
            balanced=outcome.balanced,
            result=outcome.result,
            batch=outcome.batch,
            totals=outcome.totals,
            host=outcome.host,
            rc=outcome.response_code,
            rrn=outcome.rrn,
        )

    async def _nothing_pending(self, ahead: list[ReversalOutcome]) -> Refused | None:
        """Sends the pending reversal until it ends or its tries are used up; the session may have to be made anew in between."""
        while self.pending:
            if (hindrance := await self._signed_on()) is not None:
                return hindrance
            outcome = await self._run(self.terminal.reverse())
            if not isinstance(outcome, ReversalOutcome):
                return Refused(reason=_reason(outcome))
            ahead.append(outcome)
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


def open_till(
    facts: TerminalFacts,
    *,
    host: str,
    port: int,
    data_dir: str | Path,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    tls: ssl.SSLContext | None = None,
) -> Till:
    """A terminal of the world as it stood when it was last used, over TLS with a context. TerminalBusyError when another process has it."""
    memory = TerminalMemory.open(data_dir, facts.tid)
    terminal = Terminal(tid=facts.tid, mid=facts.merchant, record=memory.record, seal=seal_of(facts))
    return Till(terminal, memory, Link(host, port, timeout_s=timeout_s, tls=tls))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _reason(outcome: Outcome | None) -> str:
    return outcome.reason if isinstance(outcome, Refused) else "the terminal did something else"


def _unanswered(outcome: Outcome | None) -> bool:
    """Whether the request in flight may still be answered, so that the line must not be used again."""
    if isinstance(outcome, CloseOutcome):
        return not outcome.result and not outcome.response_code
    return not isinstance(outcome, Refused | None) and getattr(outcome, "response_code", "") == ""
