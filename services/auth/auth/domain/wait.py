"""A decision that has to wait for others."""

from __future__ import annotations

from typing import NamedTuple


class Wait(NamedTuple):
    """Transactions that have no outcome yet: to be decided again when they have one."""

    ids: tuple[str, ...]
