"""What is one call for a terminal that dials: from the line that it makes, when there is none, until it hangs up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from terminal_sim.link import Link


class Caller(Protocol):
    """Who does one operation at a time over a line."""

    link: Link
    in_call: bool
    """Whether an operation that is one call is going on."""


C = TypeVar("C", bound=Caller)
P = ParamSpec("P")
R = TypeVar("R")


def one_call(operation: Callable[Concatenate[C, P], Awaitable[R]]) -> Callable[Concatenate[C, P], Awaitable[R]]:
    """An operation that is one call: it ends with the line at rest (Link.rest). One within another is part of its call."""

    @wraps(operation)
    async def called(self: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if self.in_call:
            return await operation(self, *args, **kwargs)
        self.in_call = True
        try:
            return await operation(self, *args, **kwargs)
        finally:
            self.in_call = False
            self.link.rest()

    return called
