"""So many sales over lines of some kinds at once, in real time, and then both ends compared."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

import world
from bench.errors import BenchError
from bench.page import table
from lianji.errors import CliError
from lianji.ports import LOOPBACK
from reliability.chaos.ends import Difference, Ends, compare
from terminal_sim.link import DEFAULT_TIMEOUT_S
from terminal_sim.load import open_tills
from terminal_sim.outcomes import Refused, ReversalOutcome, TransactionOutcome
from terminal_sim.profiles import PROFILES, LineKind
from terminal_sim.results import SwipeResult
from terminal_sim.shaped import Happened, Shape
from terminal_sim.tally import percentile
from terminal_sim.till import Till
from world import Card, KeyScheme, Terminal

TERMINALS = {LineKind.DIAL: 250}
USUALLY = 100
"""Terminals on a line of a kind, at most: where a call takes twenty seconds, more of them, so that it ends in a few minutes."""
PAUSE_S = 2.0
"""Between two sales of a terminal, at most."""
REST_S = 60.0
LONGEST_S = 1800.0
"""A run that takes longer has failed: some terminal does not get on."""


class Plan(NamedTuple):
    """What is sold, and over what."""

    kinds: tuple[LineKind, ...]
    swipes: int
    """Over lines of each kind."""
    loss: float
    """Share of segments, on top of a line's own."""
    seed: int
    answer_s: float = DEFAULT_TIMEOUT_S
    """How long a terminal waits for an answer."""


class Row(msgspec.Struct, kw_only=True):
    """What the terminals on lines of one kind saw, and what came of it."""

    link: str
    terminals: int
    swipes: int = 0
    approved: int = 0
    declined: int = 0
    unanswered: int = 0
    """Sent, and without an answer that could be used."""
    reversals: int = 0
    """That have gone through."""
    calls: int = 0
    failed_calls: int = 0
    stalled: int = 0
    half_open: int = 0
    cut: int = 0
    lost: int = 0
    """Approvals that a terminal holds and a bank has not charged."""
    doubled: int = 0
    """Charges beyond what the terminal was told."""
    how: list[str] = []
    """Each of the two, in words."""
    seconds: list[float] = []
    """From the card to the end of each sale, a new line, a reversal ahead and the wait for an answer included; ascending."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    loss: float
    seed: int
    rows: list[Row]
    terminals: int
    sales: int
    """That were compared, at all terminals."""


async def run(port: int, data_dir: Path, plan: Plan) -> Result:
    """Sells over all kinds of lines at once, to the gateway on `port` of this machine; raises BenchError when that does not end, or when the
    ends cannot be compared."""
    shops = [_Shop(kind, facts, data_dir, port, plan) for kind, facts in shared_out(plan)]
    try:
        async with asyncio.timeout(LONGEST_S):
            await asyncio.gather(*(shop.sell() for shop in shops))
    except TimeoutError:
        raise BenchError(f"the terminals were not done after {LONGEST_S:g} s") from None
    finally:
        for shop in shops:
            shop.shut()
    ends = await _ends(data_dir)
    if ends.not_judged:
        raise BenchError(f"{ends.not_judged} sales cannot be judged: their reversals are still at the terminals")
    for shop in shops:
        shop.judge(ends.differences)
    rows = [shop.row for shop in shops]
    return Result(
        loss=plan.loss, seed=plan.seed, rows=rows, terminals=sum(row.terminals for row in rows), sales=ends.sales
    )


async def _ends(data_dir: Path) -> Ends:
    """Both ends, once they agree, or after REST_S: a bank hears of a reversal behind the answer to its terminal."""
    give_up_s = time.monotonic() + REST_S
    while True:
        try:
            ends = await compare(data_dir, world.built_in())
        except CliError as error:
            raise BenchError(f"the two ends cannot be compared: {error}") from None
        if not ends.differences or time.monotonic() > give_up_s:
            return ends
        await asyncio.sleep(1.0)


def shared_out(plan: Plan) -> list[tuple[LineKind, list[Terminal]]]:
    """Terminals of its own for each kind, no more of them than sales; BenchError when the test world has too few."""
    first = world.LOAD_FIRST[KeyScheme.SESSION]
    there = [t for t in world.built_in().terminals if t.scheme is KeyScheme.SESSION and int(t.tid) >= first]
    shares = []
    for kind in plan.kinds:
        count = min(TERMINALS.get(kind, USUALLY), plan.swipes)
        if len(there) < count:
            raise BenchError(f"the test world has no {count} terminals left for {kind}")
        shares.append((kind, there[:count]))
        del there[:count]
    return shares


class _Shop:
    """The terminals on lines of one kind."""

    def __init__(self, kind: LineKind, facts: Sequence[Terminal], data_dir: Path, port: int, plan: Plan) -> None:
        profile = PROFILES[kind]
        self.row = Row(link=kind.value, terminals=len(facts))
        self._left = plan.swipes
        self._cards = world.load_cards()
        self._random = random.Random(f"{plan.seed}:{kind}")
        shape = Shape(profile, loss=plan.loss, keep_s=profile.keep_s, seed=f"{plan.seed}:{kind}")
        self._tills = open_tills(
            facts, host=LOOPBACK, port=port, data_dir=data_dir, timeout_s=plan.answer_s, shape=shape
        )

    async def sell(self) -> None:
        """All sales, each at whichever terminal is free; then every reversal that is pending."""
        async with asyncio.TaskGroup() as group:
            for till in self._tills:
                group.create_task(self._work(till))
        self.row.seconds.sort()
        for happened in self._happened():
            self.row.calls += happened.calls
            self.row.failed_calls += happened.failed
            self.row.stalled += happened.stalled
            self.row.half_open += happened.half_open
            self.row.cut += happened.cut

    def shut(self) -> None:
        for till in self._tills:
            till.shut()

    def judge(self, differences: Iterable[Difference]) -> None:
        """Takes those of its own terminals."""
        own = {till.terminal.tid for till in self._tills}
        for difference in differences:
            if difference.subject.partition(":")[0] in own:
                self.row.lost += difference.lost
                self.row.doubled += difference.doubled
                self.row.how.append(f"{difference.subject}: {difference.what}")

    def _happened(self) -> Iterable[Happened]:
        return (till.link.dialler.happened for till in self._tills if till.link.dialler is not None)

    async def _work(self, till: Till) -> None:
        while self._left:
            self._left -= 1
            card, amount_minor = self._random.choice(self._cards), self._random.randint(100, 10_000)
            began_s = time.monotonic()
            while not await self._sent(till, card, amount_minor):
                await self._pause()
            self.row.seconds.append(time.monotonic() - began_s)
            await self._pause()
        while till.pending:
            self._reversed(await till.recover())
            await self._pause()

    async def _sent(self, till: Till, card: Card, amount_minor: int) -> bool:
        """Tries to sell; whether the sale left the terminal. One that could not leave is no sale yet: the line has to be made first."""
        result = await till.swipe(card, amount_minor, card.pin)
        self._reversed(result.reversal)
        if result.refused:
            if till.stuck:
                self._reversed(await till.recover())
            return False
        self._count(result)
        return True

    def _count(self, result: SwipeResult) -> None:
        self.row.swipes += 1
        if result.pending or not result.rc:
            self.row.unanswered += 1
        elif result.approved:
            self.row.approved += 1
        else:
            self.row.declined += 1

    def _reversed(self, outcome: ReversalOutcome | TransactionOutcome | Refused | None) -> None:
        self.row.reversals += isinstance(outcome, ReversalOutcome) and outcome.ended

    async def _pause(self) -> None:
        await asyncio.sleep(self._random.random() * PAUSE_S)


def text(result: Result) -> str:
    """The table, as the run prints it and as the page shows it."""
    head = (
        "line", "terminals", "sales", "approved", "declined", "no answer", "reversals", "calls", "no line", "stalled",
        "half-open", "cut", "lost", "doubled", "p50 s", "p95 s", "longest s",
    )  # fmt: skip
    rows = (
        (
            row.link,
            *(
                f"{count:,}"
                for count in (
                    row.terminals, row.swipes, row.approved, row.declined, row.unanswered, row.reversals, row.calls,
                    row.failed_calls, row.stalled, row.half_open, row.cut, row.lost, row.doubled,
                )
            ),
            *(f"{seconds:,.1f}" for seconds in _seconds(row)),
        )
        for row in result.rows
    )  # fmt: skip
    swipes = sum(row.swipes for row in result.rows)
    said = (
        f"{swipes:,} sales, {100 * result.loss:g} % of segments lost beside what the lines lose anyway, seed {result.seed}: "
        f"{sum(row.lost for row in result.rows)} lost, {sum(row.doubled for row in result.rows)} charged that should not be, "
        f"{sum(row.reversals for row in result.rows)} reversals."
    )
    return f"{said}\n\n{table(head, rows)}"


def _seconds(row: Row) -> tuple[float, float, float]:
    millis = [round(1000 * seconds) for seconds in row.seconds]
    return percentile(millis, 50) / 1000, percentile(millis, 95) / 1000, percentile(millis, 100) / 1000
