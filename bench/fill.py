"""A history written into the logs of a stack that has none: by the project's one append function, as the logs' owners.

runtime.log gives the groups their expected sequences and their hash chain. What follows the journals (receipts, settlement) does its
work when the stack is started.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

import world
from bench.errors import BenchError
from bench.history import History, Line
from contracts import access, subjects
from contracts.codec import encode_stored
from lianji.broker import BrokerError, LocalBroker
from lianji.commands.load import load_terminals
from lianji.declaration import declaration_for
from lianji.permissions import identity_of, users_of
from runtime.bus import Bus, BusError
from runtime.jetstream import JetStreamLog
from runtime.log import Appended, GroupLog, LogError, LogStore, Position
from runtime.provision import provision
from world import Card, KeyScheme

GROUP_RECORDS = 32
"""About what a group holds with 64 sales in flight."""
HISTORY_TERMINALS = 500
"""The last of those that are there for load: the bench's own load begins at the first."""
_AHEAD = 4
"""Groups of one log that are handed over before the first of them is durable."""
_TELL_EVERY = 100_000

Tell = Callable[[str], None]


class HistoryLog(GroupLog):
    """Groups as large as those of a busy stack, not as large as they may be."""

    GROUP_RECORDS = GROUP_RECORDS


class Writer:
    """The one writer of one log."""

    def __init__(self, store: LogStore) -> None:
        self._log = HistoryLog(store, 1, Position(), now_ns=time.time_ns)
        self._records: list[bytes] = []
        self._ahead: deque[asyncio.Future[Appended]] = deque()

    async def write(self, record: msgspec.Struct) -> None:
        """Takes a record; raises LogError when an earlier one did not become durable."""
        self._records.append(encode_stored(record))
        if len(self._records) == GROUP_RECORDS:
            await self._hand_over()

    async def _hand_over(self) -> None:
        self._ahead.append(self._log.append(self._records))
        self._records = []
        while len(self._ahead) > _AHEAD:
            await self._ahead.popleft()

    async def end(self) -> int:
        """Returns when everything is durable: the groups that were written."""
        if self._records:
            await self._hand_over()
        await self._log.flushed()
        return self._log.groups


async def write_all(lines: Iterable[Line], stores: Mapping[str, LogStore], tell: Tell = lambda _: None) -> int:
    """Every line into its log, by the log's subject; the groups in all. Raises LogError, and BenchError when a log is not empty."""
    for store in stores.values():
        if await store.last_sequence():
            raise BenchError(f"{store.name}: it holds records already; a history begins with the first")
    writers = {name: Writer(store) for name, store in stores.items()}
    began_s = time.monotonic()
    for number, (name, record) in enumerate(lines, 1):
        await writers[name].write(record)
        if number % _TELL_EVERY == 0:
            tell(f"{number:,} records in {time.monotonic() - began_s:.0f} s")
    return sum([await writer.end() for writer in writers.values()])


def _by_turns(card: Card) -> str:
    """The banks' cards one after the other: by number first."""
    return card.name.rpartition("-")[2]


def history_of(transactions: int) -> History:
    """A history of the test world that ends now."""
    a_world = world.built_in()
    return History(
        transactions=transactions,
        terminals=load_terminals(KeyScheme.SESSION)[-HISTORY_TERMINALS:],
        cards=sorted(world.load_cards(), key=_by_turns),
        shards=a_world.shards,
        ends_at_ms=time.time_ns() // 1_000_000,
    )


def fill(data_dir: Path, transactions: int, tell: Tell = lambda _: None) -> History:
    """Makes a data directory whose stack, once started, has lived through so many transactions; BenchError when it cannot be done."""
    history = history_of(transactions)
    broker = LocalBroker(data_dir.resolve() / "broker", users=users_of(None))
    try:
        broker.start()
        asyncio.run(_fill(broker.url, history, tell))
    except (BrokerError, BusError, LogError) as error:
        raise BenchError(f"history: {type(error).__name__}: {error}") from None
    finally:
        broker.stop()
    return history


async def _fill(url: str, history: History, tell: Tell) -> None:
    a_world = world.built_in()
    async with AsyncExitStack() as connections:
        provisioner = await connections.enter_async_context(_connected(url, access.PROVISION))
        await provision(provisioner, declaration_for(a_world))
        switch = await connections.enter_async_context(_connected(url, access.AUTH))
        stores = {
            subjects.journal(shard): JetStreamLog(switch, subjects.journal_stream(shard), subjects.journal(shard))
            for shard in range(a_world.shards)
        }
        for bank in a_world.institutions:
            bus = await connections.enter_async_context(_connected(url, access.issuer(bank.id)))
            stores[subjects.ledger(bank.id)] = JetStreamLog(
                bus, subjects.ledger_stream(bank.id), subjects.ledger(bank.id)
            )
        groups = await write_all(history.lines(), stores, tell)
        tell(f"{history.transactions:,} transactions in {groups:,} groups; {history.kept:,} are kept in memory")


@asynccontextmanager
async def _connected(url: str, identity: str) -> AsyncIterator[Bus]:
    bus = await Bus.connect(url, "bench-fill", identity=identity_of(None, identity), wait_s=10)
    try:
        yield bus
    finally:
        await bus.close()
