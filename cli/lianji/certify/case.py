"""What a case is: a function that talks to a host and raises Failed where the host does not do what the protocol's page says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from lianji.certify.rig import Rig

Check = Callable[[Rig], Awaitable[None]]


class Case(NamedTuple):
    """One line of the list."""

    name: str
    """`section/what-it-is`."""
    section: str
    """As a heading."""
    title: str
    """What the host does, in a sentence."""
    clause: str
    """The chapters of docs/terminal-protocol.md that say so."""
    check: Check


class Section:
    """Cases under one heading, in the order in which they are written down."""

    def __init__(self, key: str, heading: str) -> None:
        self.key = key
        self.heading = heading
        self.cases: list[Case] = []

    def case(self, clause: str) -> Callable[[Check], Check]:
        """Makes a case of a function: its name is the case's, its docstring the title."""

        def add(check: Check) -> Check:
            name: str = getattr(check, "__name__", "")
            self.add(name.replace("_", "-"), (check.__doc__ or "").strip().rstrip("."), clause, check)
            return check

        return add

    def add(self, name: str, title: str, clause: str, check: Check) -> None:
        """A row of a table."""
        self.cases.append(Case(f"{self.key}/{name}", self.heading, title, clause, check))
