"""What the log, the owner and the switch tell of themselves while they work."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

import pytest

from auth.domain.ages import oldest_batch_ms, oldest_intent_ms
from auth.domain.state import Shard
from auth.handlers import ShardOffice
from auth.issuers import Issuers
from auth.machine import ShardMachine
from auth.measures import Measures
from auth.recall import Ledger
from runtime import catalogue
from runtime.bus import NoAnswer
from runtime.catalogue import Definition
from runtime.log import Fenced, GroupLog, Position, unheard
from runtime.log import Measures as LogMeasures
from runtime.memory_log import MemoryLog, Trap
from runtime.metrics import Metrics
from runtime.ownership import Owner
from runtime.snapshots import NoSnapshots
from runtime.tracing import Tracer
from tests.support_auth import REGISTER, Banks, Lease, approve, office, request, reversal, sale, take_office


async def numbers(told: Metrics, definition: Definition) -> dict[tuple[str, ...], float]:
    reading = await told.read()
    return dict(dict(reading.numbers)[definition])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0)


async def test_each_group_is_measured_once_and_each_unknown_outcome_too() -> None:
    told, store = Metrics(), MemoryLog("journal.v1.7")
    store.traps = deque([Trap.LOST, Trap.LOST_ACK])
    log = GroupLog(store, 1, Position(), now_ns=time.time_ns, measures=LogMeasures(told, store.name))
    log.RETRY_S = 0
    await asyncio.gather(*(log.append([b"%d" % number, b"0"]) for number in range(3)))
    await log.append([])
    assert (await numbers(told, catalogue.APPEND_UNKNOWN)) == {("journal.v1.7",): 2}
    records = told.histogram(catalogue.APPEND_RECORDS).of("journal.v1.7")
    assert records.total == 6
    assert records.counts[0] == 1, "the empty group"
    for definition in (catalogue.APPEND_DURATION, catalogue.APPEND_WAIT):
        assert told.histogram(definition).of("journal.v1.7").count == records.count == log.groups


async def test_a_record_that_comes_while_a_group_is_in_flight_waits_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr("runtime.log.time.perf_counter", lambda: clock[0])

    class Slow(MemoryLog):
        """Each append takes 4 s."""

        async def append(
            self, payload: bytes, *, expected: int, message_id: str, sent: Callable[[], None] = unheard
        ) -> int:
            await asyncio.sleep(0)
            clock[0] += 4
            return await super().append(payload, expected=expected, message_id=message_id, sent=sent)

    told = Metrics()
    log = GroupLog(Slow("x"), 1, Position(), now_ns=time.time_ns, measures=LogMeasures(told, "x"))
    first = log.append([b"1"])
    await asyncio.sleep(0)
    clock[0] += 1
    second = log.append([b"2"])
    clock[0] += 1
    await asyncio.gather(first, second, log.append([b"3"]))
    wait, duration = (told.histogram(d).of("x") for d in (catalogue.APPEND_WAIT, catalogue.APPEND_DURATION))
    assert (duration.count, duration.total) == (2, 6 + 4)
    assert (wait.count, wait.total) == (2, 5), "the second group's first record came 1 s after the first group had left"


async def test_only_an_owner_tells_epoch_and_sequence() -> None:
    told, store = Metrics(), MemoryLog("journal.v1.7")
    owner = Owner(
        store=store,
        machine=ShardMachine(),
        office=office(Banks()),
        lease=Lease(),
        snapshots=NoSnapshots(),
        owner="a",
        metrics=told,
    )
    assert await numbers(told, catalogue.LOG_EPOCH) == {}
    running = asyncio.create_task(owner.run())
    await until(lambda: owner.term is not None)
    assert await numbers(told, catalogue.LOG_EPOCH) == {("journal.v1.7",): 1}
    assert await numbers(told, catalogue.LOG_SEQUENCE) == {("journal.v1.7",): len(store.groups)}
    await owner.drain()
    await running
    assert await numbers(told, catalogue.LOG_EPOCH) == {}


def measured(banks: Banks, told: Metrics, now_ms: Callable[[], int], *, timeout_s: float = 2) -> ShardOffice:
    return ShardOffice(
        shard=3,
        register=REGISTER,
        bus=banks,  # type: ignore[arg-type]
        issuers=Issuers(banks, timeout_s),  # type: ignore[arg-type]
        ledger=Ledger(banks, 0.5),  # type: ignore[arg-type]
        tracer=Tracer("auth", "auth-a"),
        now_ms=now_ms,
        concurrency=8,
        measures=Measures(told, REGISTER.institutions),
    )


async def test_an_intent_is_open_while_its_bank_thinks_and_a_reversal_queued_until_it_listens() -> None:
    told, clock, thinking, listening = Metrics(), [1_000_000], asyncio.Event(), asyncio.Event()

    async def slow(subject: str) -> bytes:
        await (listening if subject.endswith("reverse") else thinking).wait()
        return approve(subject)

    desk = measured(Banks(slow), told, lambda: clock[0])
    assert await numbers(told, catalogue.INTENTS_OPEN) == {}, "it is not ours"
    term = await take_office(MemoryLog())
    await desk.open(term)
    selling = asyncio.create_task(desk.on_authorize(request(sale())))
    await until(lambda: bool(term.state.intents))
    clock[0] += 2_500
    assert await numbers(told, catalogue.INTENTS_OPEN) == {("3",): 1}
    assert await numbers(told, catalogue.INTENTS_OLDEST_AGE) == {("3",): 2.5}
    thinking.set()
    await selling
    assert await numbers(told, catalogue.INTENTS_OPEN) == {("3",): 0}
    assert await numbers(told, catalogue.INTENTS_OLDEST_AGE) == {("3",): 0}
    clock[0] += 60_000
    assert await numbers(told, catalogue.BATCHES_OLDEST_AGE) == {("3",): 60}
    assert await numbers(told, catalogue.REVERSALS_QUEUED) == {("bank",): 0}
    await desk.on_reverse(request(reversal()))
    assert await numbers(told, catalogue.REVERSALS_QUEUED) == {("bank",): 1}
    listening.set()
    await until(lambda: not term.state.reversals["bank"])
    assert await numbers(told, catalogue.REVERSALS_QUEUED) == {("bank",): 0}
    term.log.end(Fenced("another owner"))
    await desk.close()
    assert await numbers(told, catalogue.INTENTS_OPEN) == {}, "it is ours no more"


async def test_answers_and_banks_are_counted_by_how_they_ended() -> None:
    told = Metrics()
    ends = iter([approve("authorize"), NoAnswer("lost")])

    def bank(subject: str) -> bytes:
        end = next(ends) if subject.endswith("authorize") else approve(subject)
        if isinstance(end, Exception):
            raise end
        return end

    banks = Banks(bank)
    desk = measured(banks, told, lambda: 1_000_000, timeout_s=0)  # one try
    await desk.open(await take_office(MemoryLog()))
    for stan in ("000001", "000002"):
        await desk.on_authorize(request(sale(stan=stan)))
    await desk.on_reverse(request(reversal()))
    answers = dict(told.histogram(catalogue.TRANSACTION_DURATION).read())
    assert {values: one.count for values, one in answers.items()} == {
        ("sale", "00", "bank"): 1,
        ("sale", "68", "bank"): 1,
        ("reversal", "00", "none"): 1,
    }
    asked = dict(told.histogram(catalogue.ISSUER_DURATION).read())
    assert {values: one.count for values, one in asked.items()} == {
        ("bank", "answered"): 1,
        ("bank", "no_answer"): 1,
    }
    assert all(one.exemplars().count(None) < len(one.counts) for one in [*answers.values(), *asked.values()])
    await desk.close()


def test_an_empty_shard_has_nothing_old() -> None:
    assert (oldest_intent_ms(Shard(), 5), oldest_batch_ms(Shard(), 5)) == (0, 0)
