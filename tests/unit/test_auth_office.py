"""The switch's office under cancellation, deposed owners and banks that talk nonsense: nobody is told what the log does not hold."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from auth.domain.state import Shard
from auth.machine import ShardMachine
from contracts.authorization import AuthorizeReply, ReverseReply, SettleReply
from contracts.codec import decoder
from contracts.journal import Intent, LateAnswer, Outcome, Record, Reversed, Reversing, record_decoder
from contracts.states import State
from runtime.bus import NoAnswer, NotDelivered
from runtime.log import Fenced, LogDamaged, decode_group
from runtime.memory_log import MemoryLog
from runtime.ownership import Owner, replay
from runtime.snapshots import NoSnapshots
from tests.support_auth import (
    Banks,
    GatedLog,
    Kept,
    Lease,
    approve,
    closing,
    office,
    request,
    reversal,
    sale,
    take_office,
    until,
)

authorized = decoder(AuthorizeReply).decode
reversed_ = decoder(ReverseReply).decode
settled = decoder(SettleReply).decode

EMPTY_CLOSE = closing()


async def test_a_cancelled_append_does_not_make_others_believe_it_stands() -> None:
    store = GatedLog()
    term = await take_office(store)
    store.gate.clear()
    proving = asyncio.create_task(term.prove())
    await store.waits.wait()
    flushing = asyncio.create_task(term.flushed())
    await asyncio.sleep(0)
    proving.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not flushing.done(), "what is not on the disk is not flushed, whoever has stopped waiting for it"
    store.gate.set()
    await flushing
    assert len(store.groups) == 2


async def test_a_drain_in_the_middle_of_a_delivery_leaves_a_true_snapshot() -> None:
    store, kept, desk = GatedLog(lands=True), Kept(), office(Banks())
    owner = Owner(store=store, machine=ShardMachine(), office=desk, lease=Lease(), snapshots=kept, owner="a")
    task = asyncio.create_task(owner.run())
    await until(lambda: owner.term is not None)
    await desk.on_authorize(request(sale()))

    async def acknowledged_slowly() -> None:
        await until(lambda: any(b'"type":"reversed"' in group for group in store.groups))

    await desk.on_reverse(request(reversal()))
    store.gate.clear()
    await acknowledged_slowly()
    draining = asyncio.create_task(owner.drain())
    for _ in range(20):
        await asyncio.sleep(0)
    store.gate.set()
    await asyncio.wait_for(asyncio.gather(draining, task), 5)
    snapshot = kept.kept[-1]
    assert snapshot.position.sequence == len(store.groups)
    from_snapshot = await replay(store, ShardMachine(), kept)
    assert from_snapshot[:3] == (await replay(store, ShardMachine(), NoSnapshots()))[:3]
    assert from_snapshot[0].transactions["T1:000001:000001"].state is State.REVERSED


async def test_a_former_owner_says_no_to_nobody() -> None:
    """It gets the same requests as its successor until it notices: a no from its stale memory would be final at the terminal."""
    store = MemoryLog()
    former, successor = office(Banks()), office(Banks())
    await former.open(await take_office(store))
    await successor.open(await take_office(store))
    assert settled(await successor.on_settle(request(EMPTY_CLOSE))).result == "1"
    in_the_new_batch = request(sale(stan="000010", batch="000002"))
    with pytest.raises(Fenced):
        await former.on_authorize(in_the_new_batch)
    assert authorized(await successor.on_authorize(in_the_new_batch)).response_code == "00"


async def test_a_former_owner_settles_nothing_and_refuses_no_close() -> None:
    store = MemoryLog()
    former, successor = office(Banks()), office(Banks())
    await former.open(await take_office(store))
    await successor.open(await take_office(store))
    await successor.on_settle(request(EMPTY_CLOSE))
    second = closing("000002", stan="000019")
    with pytest.raises(Fenced):
        await former.on_settle(request(second))
    assert settled(await successor.on_settle(request(second))).result == "1"


async def test_a_bank_that_answers_nonsense_is_a_bank_that_did_not_answer() -> None:
    answers = iter([b"nonsense", b"nonsense"])
    banks = Banks(lambda subject: next(answers, None) or approve(subject))
    desk = office(banks)
    term = await take_office(MemoryLog())
    await desk.open(term)
    reply = authorized(await desk.on_authorize(request(sale())))
    assert reply.response_code == "00", "it was asked again, and knows the transaction"
    assert len(banks.asked) == 3
    await desk.close()


async def test_a_bug_between_intent_and_outcome_leaves_nothing_open() -> None:
    """The intent would stay open until the next owner came: its repetitions and the batch's close would wait for nobody."""

    def broken(subject: str) -> bytes:
        if subject.endswith("reverse"):
            return approve(subject)
        raise KeyError("a bug in the line to the bank")

    desk, term = office(Banks(broken)), await take_office(MemoryLog())
    await desk.open(term)
    for _ in range(2):  # the gateway asks again
        reply = authorized(await desk.on_authorize(request(sale())))
        assert reply.response_code == "68"
    assert settled(await asyncio.wait_for(desk.on_settle(request(EMPTY_CLOSE)), 5)).result == "1"
    await until(lambda: term.state.transactions["T1:000001:000001"].state is State.REVERSED)
    await desk.close()


@pytest.mark.parametrize(
    ("word", "code"), [(None, "00"), (NotDelivered("nobody"), "91"), (NoAnswer("lost"), "68")], ids=str
)
async def test_a_reversal_between_the_banks_word_and_the_intents_acknowledgement_ends_no_term(
    word: Exception | None, code: str
) -> None:
    """The outcome would not follow upon it: what a word means is for the moment at which it is written down."""

    def answer(subject: str) -> bytes:
        if word is not None and not subject.endswith("reverse"):
            raise word
        return approve(subject)

    banks, store, id_ = Banks(answer), GatedLog(), "T1:000001:000001"
    desk, term = office(banks, issuer_s=0), await take_office(store)
    await desk.open(term)
    store.gate.clear()
    selling = [asyncio.create_task(desk.on_authorize(request(sale(stan)))) for stan in ("000001", "000002")]
    await until(lambda: len(banks.asked) == 2)
    for _ in range(20):  # the words have come, and wait for their intents
        await asyncio.sleep(0)
    undoing = asyncio.create_task(desk.on_reverse(request(reversal())))
    await until(lambda: term.state.transactions[id_].state is State.REVERSING)
    store.gate.set()
    assert [authorized(await one).response_code for one in selling] == ["68", code], "the other one is not concerned"
    assert reversed_(await undoing).response_code == "00"
    await until(lambda: term.state.transactions[id_].state is State.REVERSED and not any(term.state.reversals.values()))
    assert not term.over
    await term.flushed()
    assert (await replay(store, ShardMachine(), NoSnapshots()))[0] == term.state
    records = [record_decoder.decode(bytes(raw)) for group in store.groups for raw in decode_group(group).records]
    moves = [type(record) for record in records if getattr(record, "id", "") == id_]
    assert [move for move in moves if move is not LateAnswer] == [Intent, Reversing, Reversed]
    assert (LateAnswer in moves) is (word is None)
    await desk.close()


class BrokenMachine(ShardMachine):
    """Fails where it is told to, as a bug would."""

    fails_at = ""

    def apply(self, state: Shard, record: Record) -> None:
        super().apply(state, record)
        if self.fails_at == "apply" and isinstance(record, Outcome):
            raise ValueError("half moved")

    def encode(self, record: Record) -> bytes:
        if self.fails_at == "encode" and isinstance(record, Outcome):
            raise TypeError("cannot be written")
        return super().encode(record)


@pytest.mark.parametrize("place", ["apply", "encode"])
async def test_a_bug_in_the_machine_never_leaves_memory_ahead_of_the_log(place: str) -> None:
    machine, store, desk = BrokenMachine(), MemoryLog(), office(Banks())
    owner: Owner[Shard] = Owner(
        store=store, machine=machine, office=desk, lease=Lease(), snapshots=NoSnapshots(), owner="a"
    )
    task = asyncio.create_task(owner.run())
    await until(lambda: owner.term is not None)
    term, machine.fails_at = owner.term, place
    if place == "apply":
        with pytest.raises(Fenced):
            await desk.on_authorize(request(sale()))
        machine.fails_at = ""
        await until(lambda: owner.term not in (term, None))
    else:
        assert authorized(await desk.on_authorize(request(sale()))).response_code == "68"
    assert owner.term is not None
    await owner.term.flushed()
    assert (await replay(store, ShardMachine(), NoSnapshots()))[0] == owner.term.state
    await owner.drain()
    await task


async def test_reversals_go_on_after_nonsense() -> None:
    said: list[str] = []

    def answer(subject: str) -> bytes:
        if subject.endswith("reverse"):
            said.append(subject)
            return b"nonsense" if len(said) == 1 else approve(subject)
        return approve(subject)

    desk, term = office(Banks(answer)), await take_office(MemoryLog())
    await desk.open(term)
    await desk.on_authorize(request(sale()))
    await desk.on_reverse(request(reversal()))
    async with asyncio.timeout(5):
        while term.state.transactions["T1:000001:000001"].state is not State.REVERSED:
            await asyncio.sleep(0.01)
    assert len(said) == 2
    await desk.close()


async def test_an_end_that_was_acknowledged_and_is_gone_stops_the_shard() -> None:
    store = MemoryLog()
    term = await take_office(store)
    for number in range(3):
        await term.prove()
        assert len(store.groups) == number + 2
    del store.groups[2:]
    with pytest.raises(LogDamaged, match="it ends at 2, and 4 had been acknowledged"):
        await asyncio.wait_for(term.prove(), 5)


async def test_a_snapshot_ahead_of_its_log_is_damage() -> None:
    store, kept = MemoryLog(), Kept()
    owner: Owner[Shard] = Owner(
        store=store, machine=ShardMachine(), office=office(Banks()), lease=Lease(), snapshots=kept, owner="a"
    )
    task = asyncio.create_task(owner.run())
    await until(lambda: owner.term is not None)
    assert owner.term is not None
    await owner.term.prove()
    await owner.drain()
    await task
    del store.groups[1:]
    with pytest.raises(LogDamaged, match="a snapshot stands at 2"):
        await replay(store, ShardMachine(), kept)
    store.groups.append(store.groups[0])
    with pytest.raises(LogDamaged, match="is not what a snapshot was made of"):
        await replay(store, ShardMachine(), kept)


async def test_damage_met_while_writing_is_not_served_again() -> None:
    store = MemoryLog()
    owner: Owner[Shard] = Owner(
        store=store, machine=ShardMachine(), office=office(Banks()), lease=Lease(), snapshots=NoSnapshots(), owner="a"
    )
    task = asyncio.create_task(owner.run())
    await until(lambda: owner.term is not None)
    assert owner.term is not None
    await owner.term.prove()
    del store.groups[1:]
    with pytest.raises(LogDamaged):
        await asyncio.wait_for(owner.term.prove(), 5)
    await asyncio.wait_for(task, 5)
    assert "it ends at 1" in await owner.ready()


async def test_a_repetition_that_cannot_be_compared_is_told_nothing() -> None:
    """A 94 would deny an approval that stands; so the terminal hears nothing, and reverses."""
    desk = office(Banks())
    await desk.open(await take_office(MemoryLog()))
    approved = sale()
    assert (
        authorized(await desk.on_authorize(request(replace(approved, fingerprint="1:" + "f" * 32)))).response_code
        == "00"
    )
    with pytest.raises(NoAnswer):
        await desk.on_authorize(request(replace(approved, fingerprint="2:" + "f" * 32)))
    known = replace(approved, fingerprint="2:" + "f" * 32, other_fingerprints=("1:" + "f" * 32,))
    assert authorized(await desk.on_authorize(request(known))).response_code == "00"
    await desk.close()
