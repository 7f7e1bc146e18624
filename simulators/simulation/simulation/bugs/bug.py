"""What a bug is: functions of the product that are replaced while it is switched on, in the simulation's own process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest import mock


class Replaced(NamedTuple):
    """One function: the module or class that has it, its name there, and what stands in its place."""

    owner: Any
    name: str
    instead: Any


class Bug(NamedTuple):
    """One bug. `made_good` says why the books come out right all the same, where they do: nothing can catch what does no harm."""

    what: str
    replaced: tuple[Replaced, ...] = ()
    made_good: str = ""

    @contextmanager
    def switched_on(self) -> Iterator[None]:
        with ExitStack() as stack:
            for owner, name, instead in self.replaced:
                stack.enter_context(mock.patch.object(owner, name, instead))
            yield


SOUND = Bug("nothing is wrong")
