"""Terminals that sell all the time and do of everything between, lose an answer now and then, reverse and close their batches; and what
they say of the stack."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

import world
from contracts.identity import shard_of
from reliability.chaos.fault import now_s
from reliability.chaos.mix import BRANCHES, SHOPS
from terminal_sim.day import Day
from terminal_sim.load import open_tills
from terminal_sim.mix import Mix
from terminal_sim.results import SwipeResult
from terminal_sim.till import Till
from terminal_sim.wallet import Wallet
from world import KeyScheme, Terminal, World

ANSWER_S = 6.0
"""A terminal here waits so long for an answer, and not a minute: what is lost is then reversed soon."""
SCHEMES = {KeyScheme.SESSION: 48, KeyScheme.DUKPT_TDES: 8, KeyScheme.DUKPT_AES: 8}
"""How many terminals of which scheme take part."""
LOSES, CLOSES = 0.02, 0.02
"""Shares of sales whose answer is thrown away at the terminal, and after which the batch is closed."""
PLAIN = 0.5
"""Share of plain sales in what a shop does: by them it is told that a route works. The rest is of all kinds (`mix`)."""
KEPT = 4096
"""Approved sales of a route that are remembered: those of a minute."""
STUCK_S = 0.25
"""Pause after a sale that could not be sent."""
AT_ONCE = 16
"""Terminals that sign on, or recover, side by side."""


class Route(NamedTuple):
    """A way that sales go. All of them together are the stack."""

    shard: int
    bank: str


class Traffic:
    """Some terminals. `sell` runs until `stop`; it may be run again."""

    def __init__(self, data_dir: Path, port: int, *, rate: float, seed: int) -> None:
        self._world = world.built_in()
        self._tills = open_tills(
            _terminals(self._world), host="127.0.0.1", port=port, data_dir=data_dir, timeout_s=ANSWER_S
        )
        self._roles = {t.tid: t.role for t in self._world.terminals}
        self._cards = world.load_cards()
        self._wallet = Wallet(data_dir, world.load_cards(chips=True))
        self._random = random.Random(seed)
        self._shops, self._branches = (
            self._day(SHOPS, world.CONSUMPTION, seed),
            self._day(BRANCHES, world.TRANSFER, seed),
        )
        self._pause_s = len(self._tills) / rate
        self._shards = {t.tid: shard_of(t.merchant, self._world.shards) for t in self._world.terminals}
        self._stopping = asyncio.Event()
        self._approved: dict[Route, list[tuple[float, float]]] = {}
        """By route: approved sales, when they were sent and when they were answered, newest last."""
        self._news = asyncio.Event()
        self.sales = self.approved = self.unknown = self.refused = self.closed = 0

    def _day(self, mix: Mix, role: str, seed: int) -> Day:
        tills = [till for till in self._tills if self._roles[till.terminal.tid] == role]
        return Day(msgspec.structs.replace(mix, seed=seed), tills, self._cards, self._wallet)

    @property
    def kinds(self) -> dict[str, dict[str, int]]:
        """How often each kind beside the plain sales came to which response code (terminal_sim.day)."""
        return self._shops.kinds | self._branches.kinds

    @property
    def every_route(self) -> set[Route]:
        tids = (till.terminal.tid for till in self._tills)
        shards = {self._shards[tid] for tid in tids if self._roles[tid] == world.CONSUMPTION}
        return {Route(shard, bank) for shard in shards for bank in {card.issuer for card in self._cards}}

    @property
    def pending(self) -> int:
        """Terminals whose reversal has not gone through."""
        return sum(till.pending for till in self._tills)

    async def sell(self) -> None:
        """Sells until `stop`, then sends every reversal that is pending, however long that takes."""
        self._stopping.clear()
        async with asyncio.TaskGroup() as group:
            for till in self._tills:
                group.create_task(self._work(till))
        await self._recover_all()

    def stop(self) -> None:
        self._stopping.set()

    def shut(self) -> None:
        for till in self._tills:
            till.shut()
        self._wallet.close()

    async def sold_since(self, moment_s: float, within_s: float) -> float:
        """When every route had answered a sale with an approval that was sent after `moment_s`; TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                firsts = [self._first_since(route, moment_s) for route in self.every_route]
                if all(firsts):
                    return max(firsts)
                self._news.clear()
                await self._news.wait()

    def _first_since(self, route: Route, moment_s: float) -> float:
        """When the route answered first; 0 when it has not."""
        return min((done for sent, done in self._approved.get(route, ()) if sent >= moment_s), default=0.0)

    async def _work(self, till: Till) -> None:
        await self._rest(self._random.random() * self._pause_s)
        while not self._stopping.is_set():
            if till.batch_full or self._random.random() < CLOSES:
                closed = await till.close_batch()
                self.closed += closed.balanced
            till.link.drop_answers = int(self._random.random() < LOSES)
            result = await self._one(till)
            if result.refused and till.pending:
                await till.recover()
            await self._rest(STUCK_S if result.refused else self._pause_s * (0.5 + self._random.random()))

    async def _one(self, till: Till) -> SwipeResult:
        """One transaction: a plain sale, or whatever comes."""
        card = self._random.choice(self._cards)
        sent_s = now_s()
        branch = self._roles[till.terminal.tid] == world.TRANSFER
        if branch or self._random.random() >= PLAIN:
            result = await (self._branches if branch else self._shops).next(till)
            self._count(result)
            return result
        result = await till.swipe(card, self._random.randint(100, 10_000), card.pin)
        if self._count(result):
            self._note(Route(self._shards[till.terminal.tid], card.issuer), result, sent_s)
        return result

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _count(self, result: SwipeResult) -> bool:
        """Whether it was approved on line."""
        if result.refused:
            self.refused += 1
            return False
        self.sales += 1
        self.unknown += result.pending or not (result.rc or result.stored)
        self.approved += result.approved
        return result.approved

    def _note(self, route: Route, result: SwipeResult, sent_s: float) -> None:
        # When a reversal went ahead it was sent later than we began: a sale counts from where the terminal began to build it.
        done_s = now_s()
        newest = self._approved.setdefault(route, [])
        newest.append((max(sent_s, done_s - result.duration_us / 1e6), done_s))
        del newest[:-KEPT]
        self._news.set()

    async def _recover_all(self) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def recover(till: Till) -> None:
            while till.pending:
                async with gate:
                    await till.recover()
                if till.pending:
                    await asyncio.sleep(STUCK_S)

        await asyncio.gather(*(recover(till) for till in self._tills))


def _terminals(a_world: World) -> Iterator[Terminal]:
    for scheme, count in SCHEMES.items():
        theirs = (
            t
            for t in a_world.terminals
            if t.scheme is scheme and t.role == world.CONSUMPTION and int(t.tid) >= world.LOAD_FIRST[scheme]
        )
        yield from islice(theirs, count)
    yield from (t for t in a_world.terminals if t.role == world.TRANSFER)
