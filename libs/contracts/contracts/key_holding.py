"""Who holds which versions of which key rings: what the custodian asks on `keys.v1.held`, and every process with key rings answers.

Versions and check values only; no key, wrapped or not, is in these messages.
"""

from __future__ import annotations

import msgspec


class HeldQuestion(msgspec.Struct, frozen=True, kw_only=True):
    rings: tuple[str, ...]
    """Names of rings; a process answers for those that it has."""


class HeldRing(msgspec.Struct, frozen=True, kw_only=True):
    """One ring as a process has it in memory."""

    party: str
    """Whose ring it is: `acquirer`, or a bank's institution."""
    name: str
    current: int
    usable: tuple[int, ...]
    """Numbers of the versions that the process can use, the current one first."""


class HeldAnswer(msgspec.Struct, frozen=True, kw_only=True):
    instance: str
    held: tuple[HeldRing, ...] = ()
