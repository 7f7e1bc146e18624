"""The whole stack in virtual time, one step after the other: a test says what a terminal sends, and sees what every side then holds.

Everything is the product's but the clock, the network and the broker (simulators/simulation). Each bank is a process of its own, so that
it can be killed, stopped or cut off by itself.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import random
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import auth.machine
import iso8583
import issuer_sim.app
import world
from auth.domain.state import Shard
from contracts import subjects
from contracts.access import CUSTODIAN
from contracts.authorization import Original, Totals
from contracts.kinds import Kind
from contracts.pan import Pan, Track2
from contracts.terms import InstalmentPlan
from iso8583 import Message, Totals48, Value
from issuer_sim.cards import openings
from issuer_sim.domain.accounts import State
from issuer_sim.domain.machine import LedgerMachine
from lianji.keys import fill
from lianji.keys.custodian import Custodian
from lianji.keys.directory import master_keys
from runtime import service
from runtime.bus import Bus
from runtime.identity import Identity
from runtime.log import decode_group
from simulation import cast, day
from simulation.broker.streams import Store, Stream
from simulation.chance import virtual
from simulation.genesis import URL, first_store
from simulation.judge import Breach, Judge
from simulation.loop import Loop
from simulation.recorder import Recorder
from simulation.stage import Stage
from terminal_sim.cards import KEYED, SWIPED, Keyed
from terminal_sim.link import Link, LinkLostError
from terminal_sim.messages import WITH_PIN, WITHOUT_PIN
from terminal_sim.opening import open_till
from terminal_sim.outcomes import SignOnOutcome
from terminal_sim.record import PendingClose, PendingReversal, Transaction

T = TypeVar("T")

WORLD = world.built_in()
BANKS = tuple(bank.id for bank in WORLD.institutions)
DATE = "0921"
"""Of every day here, MMDD: what a terminal would have read in field 13."""
REST_S = 60.0
"""Within this everything that is on its way has arrived."""


def bank(institution: str) -> str:
    """The name of a bank's process."""
    return f"bank {institution}"


def card(name: str) -> world.Card:
    found = WORLD.card(name)
    assert found is not None, name
    return found


class Answer(NamedTuple):
    """What came back, without its MAC, which depends on the session."""

    code: str
    message: Message
    body: bytes

    @property
    def rrn(self) -> str:
        return self.message.text(37)

    @property
    def authorization_code(self) -> str:
        return self.message.text(38)

    def alike(self, other: Answer) -> bool:
        """All fields but the MAC are the same."""
        mine, others = ({n: v for n, v in a.message.fields.items() if n != 64} for a in (self, other))
        return self.message.mti == other.message.mti and mine == others


class Hand:
    """One terminal, worked by hand: it says whatever it is told to say, in whatever order."""

    def __init__(self, tid: str, data_dir: Path) -> None:
        facts = WORLD.terminal(tid)
        assert facts is not None, tid
        self.tid = tid
        self._till = open_till(
            facts, host="127.0.0.1", port=cast.GATEWAY_PORT, data_dir=data_dir, timeout_s=cast.TERMINAL_TIMEOUT_S
        )

    @property
    def batch(self) -> str:
        """As the last sign-on told it."""
        return self._till.terminal.record.batch

    async def sign_on(self) -> SignOnOutcome:
        """New session keys, and the number of the open batch."""
        self._till.terminal.log_in(self._till.operator, self._till.password)
        outcome = await self._till.sign_on()
        assert isinstance(outcome, SignOnOutcome), outcome
        return outcome

    def transaction(
        self,
        kind: Kind,
        stan: str,
        amount_minor: int = 0,
        *,
        by: str,
        pin: str = "",
        keyed: bool = False,
        batch: str = "",
        original: Original | None = None,
        plan: InstalmentPlan | None = None,
        takes_part: bool = False,
    ) -> Transaction:
        """What a request and its reversal have alike. `by`: the card's name."""
        return Transaction(
            batch=batch or self.batch,
            stan=stan,
            kind=kind,
            amount_minor=amount_minor,
            currency="156",
            card=str(card(by).pan),
            entry_mode=(KEYED if keyed else SWIPED) + (WITH_PIN if pin else WITHOUT_PIN),
            at_ms=0,
            takes_part=takes_part,
            original=original,
            plan=plan,
        )

    def request(
        self,
        sent: Transaction,
        *,
        by: str,
        pin: str = "",
        target: Pan | None = None,
        given: Track2 | Keyed | None = None,
        fields: dict[int, Value | None] | None = None,
    ) -> bytes:
        """The body of a request. `given`: what the reader says instead of the card's own; `fields`: those that differ, None for one left out."""
        holder = card(by)
        keyed = Keyed(pan=holder.pan, expiry=holder.expiry)
        given = given or (keyed if sent.entry_mode.startswith(KEYED) else world.track2(holder))
        terminal, session = self._till.terminal, self._session()
        protection = terminal._seal.fields(session, 0, pin, given.pan)
        message = terminal._messages.request(sent, given, protection, target)
        told = {**message.fields, **(fields or {})}
        left = {number: value for number, value in told.items() if value is not None}
        return terminal._seal.sealed(session, Message(message.mti, left, message.tpdu))

    def reversal(self, sent: Transaction, reason: str = "98") -> bytes:
        """The body of a 0400."""
        terminal, session = self._till.terminal, self._session()
        due = PendingReversal(batch=sent.batch, stan=sent.stan, reason=reason)
        return terminal._seal.sealed(session, terminal._messages.reversal(sent, due, {}))

    def close(self, totals: Totals, stan: str) -> bytes:
        """The body of a 0500."""
        close = PendingClose(batch=self.batch, stan=stan, totals=totals)
        return iso8583.encode(self._till.terminal._messages.settle(close, operator="01", currency="156"))

    async def ask(self, body: bytes) -> Answer | None:
        """Sends a body on a line of its own; None when no answer comes within the terminal's time. What comes later meets nobody."""
        line = Link("127.0.0.1", cast.GATEWAY_PORT, timeout_s=cast.TERMINAL_TIMEOUT_S)
        await line.connect()
        try:
            async with asyncio.timeout(cast.TERMINAL_TIMEOUT_S):
                answer = await line.send(body)
        except (LinkLostError, TimeoutError):
            return None
        finally:
            line.close()
        message = iso8583.decode(answer)
        if 64 in message.fields:
            terminal = self._till.terminal
            assert terminal._seal.is_sealed(self._session(), iso8583.decode(body), answer), "the answer's MAC is wrong"
        return Answer(message.text(39), message, answer)

    async def settle(self, totals: Totals, stan: str) -> tuple[str, Totals48 | None]:
        """Field 48 of the answer to a 0500: the result digit, and what the host counted."""
        answer = await self.ask(self.close(totals, stan))
        assert answer is not None
        told = Totals48.parse(answer.message.text(48))
        return told.result, told

    def shut(self) -> None:
        self._till.shut()

    def _session(self) -> Any:
        session = self._till.terminal.record.session
        assert session is not None, f"{self.tid} has not signed on"
        return session


class _Fold:
    """A log, read as far as it goes, and the state that its records make."""

    def __init__(self, stream: Stream, machine: Any) -> None:
        self._stream, self._machine = stream, machine
        self._read = 0
        self.records: list[Any] = []
        self.state = machine.new_state()

    def read_on(self) -> None:
        while self._read < self._stream.last:
            self._read += 1
            for raw in decode_group(self._stream.messages[self._read].data).records:
                record = self._machine.decode(raw)
                self._machine.apply(self.state, record)
                self.records.append(record)


class Simulated:
    """The stack. What it does, it does in `run`; between two calls its clock stands still."""

    def __init__(self, loop: Loop, stage: Stage, data_dir: Path, services: list[str]) -> None:
        self.loop = loop
        self.stage = stage
        self.services = services
        """Names of their processes."""
        self._data_dir = data_dir
        self._hands: dict[str, Hand] = {}
        streams = stage.store.streams
        self._ledgers = {
            b.id: _Fold(
                streams[subjects.ledger_stream(b.id)], LedgerMachine(openings(WORLD.cards_of(b.id), b.currency))
            )
            for b in WORLD.institutions
        }
        self._journals = [
            _Fold(streams[subjects.journal_stream(shard)], auth.machine.ShardMachine()) for shard in range(WORLD.shards)
        ]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def hand(self, tid: str) -> Hand:
        """The terminal of that number, signed on."""
        hand = self._hands.get(tid)
        if hand is None:
            hand = self._hands[tid] = Hand(tid, self._data_dir)
            assert self.run(hand.sign_on()).signed_on, tid
        return hand

    # ------------------------------------------------------------------ what every side holds

    def ledger(self, institution: str) -> State:
        """A bank's accounts, as its ledger has them."""
        fold = self._ledgers[institution]
        fold.read_on()
        state: State = fold.state
        return state

    def shards(self) -> list[Shard]:
        """What the switch knows, as its journals have it."""
        for fold in self._journals:
            fold.read_on()
        return [fold.state for fold in self._journals]

    def ledger_records(self, institution: str) -> list[Any]:
        self.ledger(institution)
        return self._ledgers[institution].records

    def at_rest(self) -> bool:
        """Nothing is open, and every reversal has been acknowledged."""
        return not any(shard.intents or any(shard.reversals.values()) for shard in self.shards())

    def rest(self) -> None:
        """Lets time pass until the switch has nothing more to do."""

        async def resting() -> None:
            give_up = self.loop.time() + REST_S
            while not self.at_rest():
                assert self.loop.time() < give_up, "the switch does not come to rest"
                await asyncio.sleep(0.02)

        if not self.at_rest():
            self.run(resting())

    def pass_time(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    def verdict(self) -> list[Breach]:
        """What `lianji verify` finds, with everything whole."""
        return self.run(Judge(self.stage, thorough=False).verdict())

    def close(self) -> None:
        for hand in self._hands.values():
            hand.shut()


@functools.cache
def _store(terminals: tuple[str, ...]) -> Store:
    """What the broker holds before anything has happened, with the master keys of these terminals."""
    store, loop = first_store().copy(), Loop()
    recorder = Recorder(loop, keeps=False)
    with virtual(loop, 0), recorder.listening():
        stage = Stage(loop, store, random.Random(0), Path(tempfile.gettempdir()), recorder)  # noqa: S311 - to be repeated
        stage.start(cast.BROKER)
        loop.run(_fill(terminals))
        loop.abandon()
    return store


async def _fill(terminals: tuple[str, ...]) -> None:
    bus = await Bus.connect(URL, "custodian", identity=Identity(CUSTODIAN))
    custodian = await Custodian.open(bus, WORLD, master_keys(None))
    rings = {name: maker for name, maker in fill.terminals(WORLD) if name.rpartition(".")[2] in terminals}
    await fill.create(custodian.acquirer, rings)
    await bus.close()
    await asyncio.sleep(0)


def _add_services(stage: Stage) -> list[str]:
    """One process of each service, and one for each bank."""
    names = ["auth-a", "receipts", "settlement", "terminal-gw"]
    for name in names:
        stage.add(name, stage._main_of(name, cast.SERVICES[name]))
    for institution in BANKS:
        stage.add(bank(institution), functools.partial(_bank, institution, str(stage.data_dir)))
        names.append(bank(institution))
    return names


def _bank(institution: str, data_dir: str) -> Coroutine[Any, Any, int]:
    part = cast.SERVICES["issuer-sim"]
    settings = part.settings(
        nats_url=f"nats://127.0.0.1:{cast.BROKER_PORT}",
        world="test",
        instance=bank(institution),
        data_dir=data_dir,
        institutions=institution,
        **dict(part.more),
    )
    return service.live(part.service, settings, part.wire, world.nats_seed, issuer_sim.app.identities(settings))


@contextmanager
def simulated(terminals: tuple[str, ...], seed: int = 1, *, record: bool = False) -> Iterator[Simulated]:
    """The stack, up and answering. Within the block the whole Python process has its time and its chance."""
    store, loop = _store(terminals).copy(), Loop()
    recorder = Recorder(loop, keeps=record)
    loop.set_exception_handler(lambda _, what: recorder.told("loop", type(what.get("exception")).__name__))
    collecting = gc.isenabled()
    gc.disable()  # as in a simulated day: what is freed, and when, must not depend on what ran before
    try:
        with ExitStack() as stack:
            stack.enter_context(day._one_process())
            folder = stack.enter_context(day._folder())
            stack.enter_context(virtual(loop, seed))
            stack.enter_context(recorder.listening())
            stage = Stage(loop, store, random.Random(f"stage {seed}"), folder, recorder)  # noqa: S311 - to be repeated
            services = _add_services(stage)
            for name in (cast.BROKER, *services):
                loop.call_soon(stage.start, name)
            loop.run(stage.until_ready())
            made = Simulated(loop, stage, folder, services)
            try:
                yield made
            finally:
                if record:
                    print("\n".join(recorder.lines))
                made.close()
                stage.close()
                loop.abandon()
                vars(made).clear()
                del stage, made
                day._bury(loop)
    finally:
        if collecting:
            gc.enable()
