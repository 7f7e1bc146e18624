"""What a check has found."""

from __future__ import annotations

import msgspec

from runtime.masking import mask

_HEX = frozenset({"trace", "told", "stands"})
"""Evidence that is a trace id or a digest: runs of digits in it are nobody's card."""
SHOWN = 20
"""Violations that are kept with their evidence; more are counted."""


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One broken case, with the shortest evidence."""

    subject: str
    """The transaction's identity, or the log."""
    what: str
    evidence: dict[str, str] = {}


class Noted(msgspec.Struct, kw_only=True):
    """Broken cases: all are counted, the first are shown."""

    broken: int = 0
    violations: list[Violation] = []

    def violate(self, subject: str, what: str, **evidence: object) -> None:
        """A case more. What it says comes from wherever something is wrong, so what looks like card data is masked in it."""
        self.broken += 1
        if not self.full:
            shown = {k: str(v) if k in _HEX else mask(str(v)) for k, v in evidence.items() if v not in ("", None)}
            self.violations.append(Violation(subject=mask(subject), what=mask(what), evidence=shown))

    @property
    def full(self) -> bool:
        """As many are shown as are going to be: what comes is only counted."""
        return len(self.violations) >= SHOWN

    def take(self, noted: Noted) -> None:
        """Takes what was noted while the sides were read."""
        self.broken += noted.broken
        self.violations += noted.violations[: SHOWN - len(self.violations)]


class Finding(Noted, kw_only=True):
    """The result of one invariant."""

    name: str
    checked: int = 0
    unchecked: list[str] = []
    """What could not be looked at here, and why."""

    @property
    def held(self) -> bool:
        return self.broken == 0
