"""Bugs on purpose, to see that they are caught. Adding one is one entry in BUGS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest import mock


class Bug(NamedTuple):
    """`replaced` are functions of the product, by module or class and name, and what stands there instead."""

    what: str
    replaced: tuple[tuple[Any, str, Any], ...] = ()

    @contextmanager
    def switched_on(self) -> Iterator[None]:
        with ExitStack() as stack:
            for owner, name, instead in self.replaced:
                stack.enter_context(mock.patch.object(owner, name, instead))
            yield


sound = Bug("nothing is wrong")
