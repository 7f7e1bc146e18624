"""What a check has found."""

from __future__ import annotations

import msgspec

SHOWN = 20
"""Violations that are kept with their evidence; more are counted."""


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One broken case, with the shortest evidence."""

    subject: str
    """The transaction's identity, or the log."""
    what: str
    evidence: dict[str, str] = {}


class Finding(msgspec.Struct, kw_only=True):
    """The result of one invariant."""

    name: str
    checked: int = 0
    broken: int = 0
    violations: list[Violation] = []

    @property
    def held(self) -> bool:
        return self.broken == 0

    def violate(self, subject: str, what: str, **evidence: object) -> None:
        self.broken += 1
        if len(self.violations) < SHOWN:
            row = Violation(
                subject=subject, what=what, evidence={k: str(v) for k, v in evidence.items() if v not in ("", None)}
            )
            self.violations.append(row)
