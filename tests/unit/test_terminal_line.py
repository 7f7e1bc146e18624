"""A terminal's line by its profile: what it takes, what it loses, and what either side hears of that. On virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import world
from contracts.identity import transaction_id
from terminal_sim.link import Link, LinkError
from terminal_sim.opening import open_till
from terminal_sim.outcomes import PlainOutcome
from terminal_sim.practice import PracticeHost
from terminal_sim.profiles import PROFILES, LineKind
from terminal_sim.shaped import MOST_WAITING, Chance, Fate, Happened, Shape, ShapedLine
from tests.support_line import HostEnd, LoopWithHost

T = TypeVar("T")

DIAL, GPRS = PROFILES[LineKind.DIAL], PROFILES[LineKind.GPRS]
MESSAGE = bytes(range(150))
DRAWN = 50_000


class Terminal(asyncio.Protocol):
    """What a terminal hears, and when."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, bytes]] = []
        self.lost = 0

    @property
    def received(self) -> bytes:
        return b"".join(data for _, data in self.heard)

    def data_received(self, data: bytes) -> None:
        assert not self.lost
        self.heard.append((asyncio.get_running_loop().time(), data))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost += 1


def on_virtual_time(work: Coroutine[Any, Any, T], host: PracticeHost | None = None) -> T:
    with asyncio.Runner(loop_factory=LoopWithHost) as runner:
        if host is not None:
            runner.get_loop().answer = host.answer  # type: ignore[attr-defined]
        return runner.run(work)


def ends() -> list[HostEnd]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LoopWithHost)
    return loop.ends


def a_line(shape: Shape, seed: str = "1") -> tuple[Terminal, ShapedLine, HostEnd]:
    terminal = Terminal()
    line = ShapedLine(terminal, shape, seed, Happened())
    host = HostEnd(line)
    line.connection_made(host)
    return terminal, line, host


def bad(half_open: float = 0.0, cut: float = 0.0, **changed: Any) -> Shape:
    """A line on which every segment is lost, and what that comes to."""
    return Shape(GPRS._replace(half_open=half_open, cut=cut, **changed), loss=1.0)


def test_each_kind_has_a_row_that_can_be() -> None:
    assert set(PROFILES) == set(LineKind)
    for profile in PROFILES.values():
        assert 0 <= profile.loss <= 1
        assert 0 <= profile.half_open + profile.cut <= 1
        assert 0 < profile.connect_s[0] <= profile.connect_s[1]
        assert min(profile.up_bps, profile.down_bps, profile.segment, profile.retransmit_s) > 0


def test_what_is_sent_takes_its_bits_and_its_way() -> None:
    async def work() -> None:
        terminal, line, host = a_line(Shape(DIAL._replace(loss=0.0)))
        line.write(MESSAGE)
        line.write(MESSAGE)
        await asyncio.sleep(10)
        each_s = 8 * (150 + 6) / 1200
        (first_s, _), (second_s, _) = host.arrived
        assert host.received == 2 * MESSAGE
        assert each_s + 0.04 <= first_s <= each_s + 0.06
        assert 2 * each_s + 0.04 <= second_s <= 2 * each_s + 0.06, "the line carries one bit after the other"
        line.data_received(MESSAGE)
        await asyncio.sleep(10)
        assert terminal.received == MESSAGE
        assert 10 + each_s + 0.04 <= terminal.heard[0][0] <= 10 + each_s + 0.06

    on_virtual_time(work())


def test_what_is_longer_than_a_segment_travels_in_several() -> None:
    async def work() -> None:
        terminal, line, _ = a_line(Shape(DIAL._replace(loss=0.0)))
        line.data_received(bytes(600))
        await asyncio.sleep(10)
        assert [len(data) for _, data in terminal.heard] == [256, 256, 88]

    on_virtual_time(work())


def test_a_half_open_line_is_silent_and_nobody_is_told() -> None:
    async def work() -> None:
        terminal, line, host = a_line(bad(half_open=1.0))
        line.write(MESSAGE)
        line.data_received(MESSAGE)
        await asyncio.sleep(3600)
        assert (host.received, host.ended) == (b"", "")
        assert (terminal.received, terminal.lost) == (b"", 0)
        line.abort()
        await asyncio.sleep(3600)
        assert terminal.lost == 1
        assert host.ended == "", "the host does not hear that the terminal has hung up"
        line.forget()
        await asyncio.sleep(0)
        assert host.ended == "aborted"
        assert terminal.lost == 1

    on_virtual_time(work())


def test_a_host_that_hangs_up_a_half_open_line_is_not_heard_either() -> None:
    async def work() -> None:
        terminal, line, host = a_line(bad(half_open=1.0))
        line.write(MESSAGE)
        host.close()
        await asyncio.sleep(3600)
        assert terminal.lost == 0
        assert not line.is_closing()

    on_virtual_time(work())


@pytest.mark.parametrize("seed", ["1", "2", "3"])
@pytest.mark.parametrize("upwards", [True, False], ids=["up", "down"])
def test_a_line_is_cut_in_the_middle_and_both_are_told(seed: str, upwards: bool) -> None:
    async def work() -> None:
        terminal, line, host = a_line(bad(cut=1.0), seed)
        (line.write if upwards else line.data_received)(MESSAGE)
        await asyncio.sleep(3600)
        part = host.received if upwards else terminal.received
        assert MESSAGE.startswith(part)
        assert len(part) < len(MESSAGE)
        assert (host.ended, terminal.lost) == ("closed", 1)
        line.write(MESSAGE)
        line.abort()
        await asyncio.sleep(3600)
        assert terminal.lost == 1

    on_virtual_time(work())


def test_a_lost_segment_comes_later_and_what_follows_waits_for_it() -> None:
    async def work() -> None:
        _, line, host = a_line(Shape(GPRS._replace(half_open=0.0, cut=0.0), loss=0.4), "7")
        sent = [bytes([number]) * 20 for number in range(60)]
        for one in sent:
            line.write(one)
        await asyncio.sleep(3600)
        assert [data for _, data in host.arrived] == sent
        times = [at for at, _ in host.arrived]
        assert times == sorted(times)
        assert max(later - earlier for earlier, later in pairwise(times)) > 2.0, "it stalls"

    on_virtual_time(work())


def test_the_ends_of_a_whole_line_travel_behind_what_was_sent() -> None:
    async def work() -> None:
        fair = Shape(DIAL._replace(loss=0.0))
        terminal, line, host = a_line(fair)
        line.data_received(MESSAGE)
        host.close()
        await asyncio.sleep(10)
        assert (terminal.received, terminal.lost) == (MESSAGE, 1)
        terminal, line, host = a_line(fair)
        line.write(MESSAGE)
        line.abort()
        await asyncio.sleep(10)
        assert (host.received, host.ended, terminal.lost) == (MESSAGE, "closed", 1)

    on_virtual_time(work())


def test_a_host_that_says_too_much_is_not_read_for_a_while() -> None:
    async def work() -> None:
        terminal, line, host = a_line(Shape(DIAL._replace(loss=0.0)))
        line.data_received(bytes(DIAL.segment * (MOST_WAITING + 1)))
        assert not host.reading
        await asyncio.sleep(3)
        assert host.reading
        await asyncio.sleep(3600)
        assert len(terminal.received) == DIAL.segment * (MOST_WAITING + 1)

    on_virtual_time(work())


def fates(seed: str, loss: float) -> list[tuple[Fate, float]]:
    chance = Chance(Shape(GPRS, loss=loss), seed)
    return [chance.fate() for _ in range(DRAWN)]


def test_the_same_seed_is_the_same_weather_and_another_is_not() -> None:
    assert fates("1", 0.05) == fates("1", 0.05)
    assert fates("1", 0.05) != fates("2", 0.05)


def test_as_much_is_lost_as_was_asked_for_beside_the_line_s_own() -> None:
    lost = [fate for fate in fates("1", 0.09) if fate != (Fate.ARRIVES, 0.0)]
    assert 0.09 < len(lost) / DRAWN < 0.11
    assert 0.18 < sum(fate is Fate.CUT for fate, _ in lost) / len(lost) < 0.22
    assert 0.18 < sum(fate is Fate.HALF_OPEN for fate, _ in lost) / len(lost) < 0.22
    assert min(stalled_s for fate, stalled_s in lost if fate is Fate.ARRIVES) == GPRS.retransmit_s


@given(
    kind=st.sampled_from(LineKind),
    loss=st.floats(0, 1),
    seed=st.text("0123456789", min_size=1, max_size=4),
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=8),
)
def test_what_arrives_is_what_was_sent_up_to_some_byte(
    kind: LineKind, loss: float, seed: str, sizes: list[int]
) -> None:
    async def work() -> None:
        happened = Happened()
        terminal = Terminal()
        line = ShapedLine(terminal, Shape(PROFILES[kind], loss=loss), seed, happened)
        host = HostEnd(line)
        line.connection_made(host)
        sent = b"".join(bytes([number]) * size for number, size in enumerate(sizes))
        for number, size in enumerate(sizes):
            line.write(bytes([number]) * size)
        await asyncio.sleep(1e6)
        assert sent.startswith(host.received)
        broken = happened.cut + happened.half_open
        assert broken <= 1
        assert (len(host.received) == len(sent)) == (broken == 0)
        assert (terminal.lost, host.ended) == ((1, "closed") if happened.cut else (0, ""))
        fastest_s = 8 * len(host.received) / PROFILES[kind].up_bps
        assert all(at >= fastest_s for at, _ in host.arrived[-1:])

    on_virtual_time(work())


def test_a_line_takes_its_time_to_stand_and_may_not_come_up() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        link = Link("x", 1, shape=Shape(DIAL._replace(loss=0.0)))
        assert await link.connect()
        assert 15 <= loop.time() <= 25
        assert not await link.connect(), "it stands"
        gone = Link("x", 1, shape=Shape(DIAL._replace(half_open=1.0), loss=1.0))
        with pytest.raises(LinkError, match="the line does not come up"):
            await gone.connect()
        assert gone.dialler is not None
        assert (gone.dialler.happened.calls, gone.dialler.happened.failed) == (1, 1)

    on_virtual_time(work())


@pytest.mark.parametrize(("keep_s", "calls"), [(0.0, 3), (5.0, 2), (None, 1)], ids=["at once", "5 s", "never"])
def test_a_terminal_hangs_up_when_it_has_rested(keep_s: float | None, calls: int) -> None:
    """Transactions at 0 s, 4 s and 10 s after one another."""

    async def work() -> None:
        link = Link("x", 1, shape=Shape(DIAL._replace(loss=0.0), keep_s=keep_s))
        for pause_s in (0.0, 4.0, 10.0):
            await asyncio.sleep(pause_s)
            await link.connect()
            link.rest()
        assert link.dialler is not None
        assert link.dialler.happened.calls == calls
        assert sum(not end.ended for end in ends()[:-1]) == 0, "the host has heard of each hang-up"
        link.shut()
        await asyncio.sleep(0)
        assert all(end.ended for end in ends())

    on_virtual_time(work())


@pytest.mark.parametrize(("keep_s", "calls"), [(0.0, 5), (5.0, 2)], ids=["at once", "5 s"])
def test_whatever_a_terminal_does_is_one_call(keep_s: float, calls: int, tmp_path: Path) -> None:
    """Also a transfer, which is a card check and a transfer; and what needs no line neither makes one nor keeps it for longer."""
    facts, (card, other, *_) = world.built_in().terminal("10000001"), world.built_in().cards
    assert facts is not None

    async def work() -> None:
        till = open_till(
            facts, host="x", port=1, data_dir=tmp_path, shape=Shape(DIAL._replace(loss=0.0), keep_s=keep_s)
        )
        assert till.link.dialler is not None
        assert (await till.swipe(card, 1000, card.pin)).approved
        assert (await till.transfer(card, other.pan, 300, card.pin)).approved
        assert isinstance(await till.report_status(), PlainOutcome)
        await asyncio.sleep(4.0)
        assert await till.recover() is None
        assert (await till.sell_offline(card, 60)).stored
        assert (await till.balance(card, card.pin)).approved, "the notice of the sale off line goes in the same call"
        assert not till.pending
        await asyncio.sleep(4.0)
        assert await till.recover() is None
        await asyncio.sleep(1.5)
        assert all(end.ended for end in ends())
        assert isinstance(await till.report_status(), PlainOutcome)
        assert till.link.dialler.happened.calls == calls
        till.shut()

    on_virtual_time(work(), PracticeHost())


@pytest.mark.parametrize("kind", [LineKind.GPRS, LineKind.DIAL, LineKind.LTE])
def test_on_a_bad_line_each_sale_is_held_once_or_not_at_all(kind: LineKind, tmp_path: Path) -> None:
    """A hundred sales of one terminal with a tenth of all segments lost: what it was told is what the host holds."""
    host, facts = PracticeHost(), world.built_in().terminal("10000001")
    assert facts is not None
    profile = PROFILES[kind]

    async def work() -> tuple[int, int]:
        shape = Shape(profile, loss=0.1, keep_s=profile.keep_s, seed="1")
        till = open_till(facts, host="x", port=1, data_dir=tmp_path, shape=shape)
        assert till.link.dialler is not None
        sent = unknown = 0
        card = world.built_in().cards[0]
        while sent < 100 or till.pending:
            if sent == 100 or till.stuck:
                await till.recover()
                continue
            result = await till.swipe(card, 100 + sent, card.pin)
            sent += not result.refused
            unknown += result.pending
        assert till.link.dialler.happened.failed
        for sale in till.terminal.record.transactions.values():
            held = host.held.get(transaction_id(facts.tid, sale.batch, sale.stan))
            assert (held is not None and held.counts) == sale.counts, sale
        return till.link.dialler.happened.calls, unknown

    calls, unknown = on_virtual_time(work(), host)
    assert unknown > 3, "no line was as bad as asked for"
    assert calls >= (100 if kind is LineKind.DIAL else unknown)
