"""How a case fails, or is skipped."""

from __future__ import annotations


class Failed(Exception):  # noqa: N818 - says what has happened
    """The host did something else; the text names the field or the event, what was expected and what came."""


class Skipped(Exception):  # noqa: N818 - says what has happened
    """The profile lacks what the case needs; the text names it."""


def expect(what: str, *, wanted: object, got: object) -> None:
    """Failed unless they are equal. Neither may hold card data or keys."""
    if wanted != got:
        raise Failed(f"{what}: expected {wanted}, got {got if got != '' else 'nothing'}")


def require(holds: bool, otherwise: str) -> None:
    """Failed with what is wrong."""
    if not holds:
        raise Failed(otherwise)
