"""What a case is: a function that talks to a host and raises Failed where the host does not do what the protocol's page says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lianji.certify.rig import Rig

Check = Callable[["Rig"], Awaitable[None]]


class Failed(Exception):  # noqa: N818 - says what has happened
    """The host did something else; the text names the field or the event, what was expected and what came."""


class Skipped(Exception):  # noqa: N818 - says what has happened
    """The profile lacks what the case needs; the text names it."""


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


def expect(what: str, *, wanted: object, got: object) -> None:
    """Failed unless they are equal. Neither may hold card data or keys."""
    if wanted != got:
        raise Failed(f"{what}: expected {wanted}, got {got if got != '' else 'nothing'}")


def require(holds: bool, otherwise: str) -> None:
    """Failed with what is wrong."""
    if not holds:
        raise Failed(otherwise)
