"""A line as bad as a profile says, between a terminal's protocol and its socket.

TCP hides the loss of a segment. What is left of it for a terminal is a line that stalls until the segment has come again, a line that ends in
the middle of a frame, or one that is half-open: nothing comes any more, and neither side has been told. Everything is drawn by seed: the same
seed, terminal and call, and the same bytes, meet the same weather in either direction.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple, cast

from terminal_sim.profiles import Profile

MOST_WAITING = 256
"""Segments of one direction on their way; above that the host is not read."""
MOST_LOST = 8
"""A segment that has been lost so often in a row goes through: TCP gives up later still, a terminal has done so long before."""


class Shape(NamedTuple):
    """A profile as one terminal has it."""

    profile: Profile
    loss: float = 0.0
    """Share of segments that are lost on top of the profile's."""
    keep_s: float | None = None
    """How long after a transaction the terminal hangs up; None: never."""
    seed: str = ""

    def at(self, terminal: str) -> Shape:
        """The same with a seed of the terminal's own."""
        return self._replace(seed=f"{self.seed}:{terminal}")


class Fate(Enum):
    """What becomes of a segment."""

    ARRIVES = auto()
    HALF_OPEN = auto()
    CUT = auto()


@dataclass(slots=True)
class Happened:
    """What a terminal's lines have done, counted."""

    calls: int = 0
    """Times the terminal tried to connect."""
    failed: int = 0
    """Of these, the ones of which no line came."""
    segments: int = 0
    stalled: int = 0
    """Segments that came late because they were lost at first."""
    half_open: int = 0
    """Lines that ended without a word."""
    cut: int = 0
    """Lines that ended in the middle of a frame."""


class Chance:
    """What one direction draws, in the order of its segments."""

    def __init__(self, shape: Shape, seed: str) -> None:
        self._profile = shape.profile
        self._loss = min(shape.profile.loss + shape.loss, 1.0)
        self._random = random.Random(seed)

    def fate(self) -> tuple[Fate, float]:
        """What becomes of the next segment, and by how many seconds it stalls; nothing is drawn on a line that loses nothing."""
        if not self._lost():
            return Fate.ARRIVES, 0.0
        drawn = self._random.random()
        if drawn < self._profile.half_open:
            return Fate.HALF_OPEN, 0.0
        if drawn < self._profile.half_open + self._profile.cut:
            return Fate.CUT, 0.0
        stalled_s = wait_s = self._profile.retransmit_s
        for _ in range(MOST_LOST):
            if not self._lost():
                break
            wait_s *= 2
            stalled_s += wait_s
        return Fate.ARRIVES, stalled_s

    def connect_s(self) -> float:
        return self._random.uniform(*self._profile.connect_s)

    def jitter_s(self) -> float:
        return self._random.random() * self._profile.jitter_s

    def part_of(self, size: int) -> int:
        """How much of a segment of `size` bytes comes through before the line ends: at least one byte less than all."""
        return self._random.randrange(size)

    def _lost(self) -> bool:
        return self._loss > 0 and self._random.random() < self._loss


@dataclass(slots=True)
class _Way:
    """One direction: what is on its way, each thing with the moment at which it arrives at the earliest. What was sent first arrives first."""

    bps: int
    chance: Chance
    waiting: deque[tuple[float, Callable[[], None]]] = field(default_factory=deque)
    timer: asyncio.TimerHandle | None = None
    free_s: float = 0.0
    """When the last bit of what has been sent is on the line."""

    def clear(self) -> None:
        self.waiting.clear()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class ShapedLine(asyncio.Protocol, asyncio.Transport):
    """One connection: the protocol of the real socket, and the transport of `terminal`, the protocol that would be there without it."""

    def __init__(self, terminal: asyncio.Protocol, shape: Shape, seed: str, happened: Happened) -> None:
        super().__init__()
        self.gone: Callable[[ShapedLine], None] = lambda _: None
        """Called once, when the host's side has ended too."""
        self._terminal = terminal
        self._profile = shape.profile
        self._happened = happened
        self._loop = asyncio.get_running_loop()
        self._up = _Way(shape.profile.up_bps, Chance(shape, f"{seed}:up"))
        self._down = _Way(shape.profile.down_bps, Chance(shape, f"{seed}:down"))
        self._host: asyncio.Transport | None = None
        self._half_open = self._cutting = self._hung_up = self._told = self._paused = False

    # The socket's protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._host = cast(asyncio.Transport, transport)
        self._terminal.connection_made(self)

    def data_received(self, data: bytes) -> None:
        self._send(self._down, data, self._hand_over)
        if self._host is not None and not self._paused and len(self._down.waiting) > MOST_WAITING:
            self._paused = True
            self._host.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._host = None
        self._up.clear()
        self._behind(self._down, self._tell_terminal)
        self.gone(self)

    # The terminal's transport

    def write(self, data: Any) -> None:
        if not self._hung_up:
            self._send(self._up, bytes(data), self._pass_on)

    def abort(self) -> None:
        """The terminal hangs up. The host learns of it behind what was sent before, or never, when the line is half-open."""
        if self._hung_up:
            return
        self._hung_up = True
        self._down.clear()
        self._behind(self._up, self._end_host)
        self._loop.call_soon(self._tell_terminal)

    close = abort

    def is_closing(self) -> bool:
        return self._hung_up or self._told

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Nothing: the socket's end is the host's, and what it knows has not come to the terminal yet."""
        return default

    # What a link asks for

    def forget(self) -> None:
        """Nobody is there any more, on either side: what is on its way is lost, and a half-open line ends for the host too."""
        self._up.clear()
        self._down.clear()
        self._hung_up = self._told = True
        if self._host is not None:
            self._host.abort()

    # Inside

    def _send(self, way: _Way, data: bytes, arrive: Callable[[bytes], None]) -> None:
        for begin in range(0, len(data), self._profile.segment):
            if self._half_open or self._cutting:
                return
            self._send_one(way, data[begin : begin + self._profile.segment], arrive)

    def _send_one(self, way: _Way, segment: bytes, arrive: Callable[[bytes], None]) -> None:
        self._happened.segments += 1
        fate, stalled_s = way.chance.fate()
        if fate is Fate.HALF_OPEN:
            self._half_open = True
            self._happened.half_open += 1
            return
        self._happened.stalled += stalled_s > 0
        bits = 8 * (len(segment) + self._profile.overhead)
        way.free_s = max(way.free_s, self._loop.time()) + bits / way.bps
        arrives_s = way.free_s + self._profile.delay_s + way.chance.jitter_s() + stalled_s
        if fate is Fate.CUT:
            self._cutting = True
            self._happened.cut += 1
            part = segment[: way.chance.part_of(len(segment))]
            self._at(way, arrives_s, lambda: self._break(part, arrive))
        else:
            self._at(way, arrives_s, lambda: arrive(segment))

    def _behind(self, way: _Way, what: Callable[[], None]) -> None:
        """An end travels like an empty segment. On a half-open line it does not arrive."""
        if not self._half_open:
            now_s = max(way.free_s, self._loop.time())
            self._at(way, now_s + self._profile.delay_s, what)

    def _at(self, way: _Way, arrives_s: float, what: Callable[[], None]) -> None:
        way.waiting.append((arrives_s, what))
        if way.timer is None:
            way.timer = self._loop.call_at(arrives_s, self._arrived, way)

    def _arrived(self, way: _Way) -> None:
        way.timer = None
        _, what = way.waiting.popleft()
        what()
        if way.waiting and way.timer is None:
            way.timer = self._loop.call_at(way.waiting[0][0], self._arrived, way)
        if self._paused and self._host is not None and len(self._down.waiting) <= MOST_WAITING:
            self._paused = False
            self._host.resume_reading()

    def _hand_over(self, segment: bytes) -> None:
        if not self.is_closing():
            self._terminal.data_received(segment)

    def _pass_on(self, segment: bytes) -> None:
        if self._host is not None:
            self._host.write(segment)

    def _break(self, part: bytes, arrive: Callable[[bytes], None]) -> None:
        """The carrier is gone: one side has a part of what was sent, and both are told."""
        if part:
            arrive(part)
        self._up.clear()
        self._down.clear()
        self._end_host()
        self._tell_terminal()

    def _end_host(self) -> None:
        if self._host is not None:
            self._host.close()  # what has been passed on still goes out

    def _tell_terminal(self) -> None:
        if not self._told:
            self._told = True
            self._terminal.connection_lost(None)
