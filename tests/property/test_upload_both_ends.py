"""A terminal and a host that differ about a batch, over the real gateway and switch: messages lost and repeated, the power gone on either side.

However it goes, the batch is closed once, and every transaction has one end: settled where both hold it, reversed where only the host does,
a break where only the terminal does or the amounts differ.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

import iso8583
import world
from contracts.authorization import NOT_BALANCED, Totals
from contracts.journal import BatchClosed, BreakFound, Reversed, Reversing
from contracts.kinds import Kind
from contracts.states import State
from terminal_sim.outcomes import Step
from terminal_sim.record import TerminalRecord, Transaction, new_record
from terminal_sim.schemes import seal_of
from terminal_sim.state import State as At
from terminal_sim.terminal import Terminal
from tests.support_ends import FACTS, WORLD, Host

TRACK = world.track2(next(card for card in WORLD.cards if card.name == "debit-1"))


class Fault(Enum):
    NONE = auto()
    REQUEST_LOST = auto()
    ANSWER_LOST = auto()
    TERMINAL_CUT = auto()
    """The answer has come, and the power goes before it is saved."""
    HOST_RESTARTED = auto()
    """Behind the answer: another owner takes the shard over."""


class Ends:
    """The terminal with its line to the host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.terminal = self.switched_on(new_record(FACTS.tid))

    @staticmethod
    def switched_on(record: TerminalRecord) -> Terminal:
        terminal = Terminal(tid=FACTS.tid, mid=FACTS.merchant, record=record, seal=seal_of(FACTS))
        terminal.log_in("01", "0000")
        return terminal

    async def run(self, step: Step, fault: Fault = Fault.NONE) -> None:
        assert step.send, step.outcome
        saved = msgspec.json.encode(self.terminal.record)
        answer = b"" if fault is Fault.REQUEST_LOST else await self.host.answer(step.send)
        if fault is Fault.HOST_RESTARTED:
            await self.host.take_office()
        if not answer or fault is Fault.ANSWER_LOST:
            self.terminal.lose()
        else:
            self.terminal.receive(answer, now_ms=1)
        if fault is Fault.TERMINAL_CUT:
            self.terminal = self.switched_on(msgspec.json.decode(saved, type=TerminalRecord))

    async def signed_on(self) -> None:
        if self.terminal.state is At.LOGGED_IN:
            await self.run(self.terminal.sign_on())

    async def close(self, faults: list[Fault]) -> None:
        """As a till does it, until the batch is closed. Faults come first; then the line is good."""
        left = iter(faults)
        for _ in range(len(faults) + 100):
            await self.signed_on()
            closing = self.terminal.record.closing
            step = self.terminal.upload() if closing is not None and closing.uploading else self.terminal.settle()
            await self.run(step, next(left, Fault.NONE))
            if self.terminal.record.closed:
                return
        raise AssertionError("the batch was never closed")


def _memory_differs(record: TerminalRecord, forgotten: set[int], invented: int, altered: set[int]) -> None:
    """The terminal's memory is not what it was: some sales are gone, some never were, some have another amount."""
    ids = list(record.transactions)
    for place in altered & set(range(len(ids))):
        record.transactions[ids[place]].amount_minor += 1
    for place in forgotten & set(range(len(ids))):
        del record.transactions[ids[place]]
    for number in range(invented):
        stan = f"{900_000 + number:06d}"
        record.transactions[f"{FACTS.tid}:{record.batch}:{stan}"] = Transaction(
            batch=record.batch,
            stan=stan,
            kind=Kind.SALE,
            amount_minor=77,
            currency="156",
            card="629101******0018",
            entry_mode="022",
            at_ms=1,
            response_code="00",
        )


places = st.sets(st.integers(0, 19), max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    sales=st.integers(0, 20),
    forgotten=places,
    invented=st.integers(0, 3),
    altered=places,
    faults=st.lists(st.sampled_from(Fault), max_size=12),
)
def test_both_ends_come_to_one_end(
    sales: int, forgotten: set[int], invented: int, altered: set[int], faults: list[Fault]
) -> None:
    asyncio.run(_both_ends(sales, forgotten, invented, altered, faults))


async def _both_ends(sales: int, forgotten: set[int], invented: int, altered: set[int], faults: list[Fault]) -> None:
    host = Host()
    await host.take_office()
    ends = Ends(host)
    await ends.signed_on()
    for amount in range(1, sales + 1):
        await ends.run(ends.terminal.sell(TRACK, amount * 100, "", now_ms=1))
    record = ends.terminal.record
    held_by_host = {t.stan: t.amount_minor for t in record.transactions.values()}
    _memory_differs(record, forgotten, invented, altered)
    held = {t.stan: t.amount_minor for t in record.transactions.values() if t.counts}
    own = record.totals(record.batch)
    await ends.close(faults)
    assert host.term is not None
    async with asyncio.timeout(5):
        while any(host.term.state.reversals.values()):
            await asyncio.sleep(0)
    await host.leave()

    groups = host.journal()
    records = [record for group in groups for record in group]
    (close,) = [r for r in records if isinstance(r, BatchClosed)]
    (closed,) = ends.terminal.record.closed
    assert (closed.rrn, closed.totals, closed.uploaded) == (close.rrn, own, close.uploaded)
    both = held_by_host.keys() & held.keys()
    event(f"uploaded: {close.uploaded}, host only: {len(held_by_host.keys() - held.keys()) > 0}")
    if not close.uploaded:  # the totals agree, so nobody has looked at the details
        assert close.totals == own
        return
    assert {r.id[-6:] for r in records if isinstance(r, Reversing)} == held_by_host.keys() - held.keys()
    assert {r.id[-6:] for r in records if isinstance(r, Reversed)} == held_by_host.keys() - held.keys()
    differing = {stan for stan in both if held[stan] != held_by_host[stan]}
    breaks = [r.stan for r in records if isinstance(r, BreakFound)]
    assert sorted(breaks) == sorted((held.keys() - held_by_host.keys()) | differing)
    assert close.totals == Totals(debit_minor=sum(held_by_host[stan] for stan in both), debit_count=len(both))
    states = {t.stan: t.state for t in host.term.state.transactions.values()}
    assert {stan for stan, state in states.items() if state is State.SETTLED} == both
    own_closed = host.term.state.terminals[FACTS.tid].closed
    assert own_closed is not None
    assert own_closed.result == NOT_BALANCED
    (group,) = [group for group in groups if any(isinstance(r, BatchClosed) for r in group)]
    told = sum(isinstance(r, BreakFound) for r in group), sum(isinstance(r, Reversing) for r in group)
    assert told == (len(breaks), len(held_by_host.keys() - held.keys())), "the close is one group, whole or not at all"
    assert TRACK.pan.clear().encode() not in b"".join(host.log.groups)


def test_a_frame_of_an_upload_can_be_repeated_for_ever() -> None:
    """The very bytes, as a line that stutters brings them: before the close and behind it."""

    async def stutter() -> None:
        host = Host()
        await host.take_office()
        ends = Ends(host)
        await ends.signed_on()
        for _ in range(3):
            await ends.run(ends.terminal.sell(TRACK, 100, "", now_ms=1))
        _memory_differs(ends.terminal.record, {1}, 1, set())
        frames: list[bytes] = []
        while not ends.terminal.record.closed:
            closing = ends.terminal.record.closing
            step = ends.terminal.upload() if closing is not None and closing.uploading else ends.terminal.settle()
            frames.append(step.send)
            for _ in range(2):
                await host.answer(step.send)
            await ends.run(step)
        before = len([r for group in host.journal() for r in group if isinstance(r, BatchClosed | BreakFound)])
        for frame in frames:
            answer = iso8583.decode(await host.answer(frame))
            assert answer.text(39) in ("", "00")
        await host.leave()
        after = [r for group in host.journal() for r in group if isinstance(r, BatchClosed | BreakFound)]
        assert len(after) == before

    asyncio.run(stutter())
