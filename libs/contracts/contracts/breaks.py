"""In what host and terminal may differ about a batch, once its details have been compared."""

from __future__ import annotations

from enum import StrEnum


class Break(StrEnum):
    """About one transaction."""

    TERMINAL_ONLY = "terminal-only"
    """The terminal holds it approved, the host does not: it is in no total, and is never settled by itself."""
    AMOUNT_DIFFERS = "amount-differs"
    """Both hold it approved. It is settled with the host's amount, which is what its bank has approved."""
    HOST_ONLY = "host-only"
    """The host holds it approved, the terminal does not, and it cannot be reversed: a notice (0220), which tells of what has happened already,
    or the original of what stands. It is settled."""
