"""A moment that keeps moving, in a time that is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from runtime.deadline import NEVER, Deadline


class Handle:
    def __init__(self, due: float, call: Callable[[], None]) -> None:
        self.due, self.call = due, call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class HandMovedLoop:
    """As much of an event loop as a Deadline uses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.handles: list[Handle] = []

    def time(self) -> float:
        return self.now

    def call_at(self, due: float, call: Callable[[], None]) -> Handle:
        self.handles.append(Handle(due, call))
        return self.handles[-1]

    @property
    def standing(self) -> list[Handle]:
        return [handle for handle in self.handles if not handle.cancelled]

    def move_to(self, moment: float) -> None:
        while due := sorted((h for h in self.standing if h.due <= moment), key=lambda handle: handle.due):
            self.now = max(self.now, due[0].due)
            due[0].cancel()
            due[0].call()
        self.now = moment


class Reached:
    def __init__(self) -> None:
        self.loop = HandMovedLoop()
        self.moments: list[float] = []
        self.deadline = Deadline(
            cast(asyncio.AbstractEventLoop, self.loop), lambda: self.moments.append(self.loop.time())
        )


def test_it_is_reached_once_and_moving_it_on_starts_no_timer() -> None:
    reached = Reached()
    for _ in range(100):
        reached.deadline.move_by(10)
    assert len(reached.loop.handles) == 1
    reached.loop.move_to(9)
    reached.deadline.move_by(10)
    reached.loop.move_to(18.9)
    assert reached.moments == []
    reached.loop.move_to(100)
    assert reached.moments == [19.0]
    assert reached.loop.standing == []


def test_an_earlier_one_is_not_missed() -> None:
    reached = Reached()
    reached.deadline.move(120)
    reached.deadline.move(5)
    assert len(reached.loop.standing) == 1
    reached.loop.move_to(6)
    assert reached.moments == [5.0]


def test_taken_back_it_is_not_reached_and_ended_it_leaves_no_timer() -> None:
    reached = Reached()
    reached.deadline.move(5)
    reached.deadline.take_back()
    reached.loop.move_to(6)
    assert reached.moments == []
    reached.deadline.move(20)
    reached.deadline.end()
    assert reached.loop.standing == []
    reached.loop.move_to(30)
    assert reached.moments == []


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["move", "take back", "wait"]), st.integers(0, 50))))
def test_it_is_reached_at_its_moment_whatever_was_there_before(steps: list[tuple[int, str, int]]) -> None:
    reached = Reached()
    due, expected = NEVER, []
    for later, step, by in steps:
        moment = reached.loop.now + later
        if due <= moment:
            expected.append(due)
            due = NEVER
        reached.loop.move_to(moment)
        if step == "move":
            due = moment + by
            reached.deadline.move(due)
        elif step == "take back":
            due = NEVER
            reached.deadline.take_back()
        assert reached.moments == expected
        assert reached.deadline.due == due
        assert len(reached.loop.standing) <= 1
