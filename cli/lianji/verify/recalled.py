"""What the switch had forgotten and knows again, held against its path."""

from __future__ import annotations

from contracts.journal import Recalled
from lianji.verify.paths import Path


def misremembered(record: Recalled, path: Path | None, *, closed: bool) -> str:
    """What of a recalled transaction is not what its path says; empty when all is. Only one of a `closed` batch is ever forgotten."""
    if path is None:
        return "was recalled, and no journal holds it"
    if not closed:
        return "was recalled while its batch was open"
    differs = [name for name in _REMEMBERED if getattr(record, name) != getattr(path, name)]
    if record.spent != bool(path.alone):
        differs.append("spent")
    if record.original not in ("", path.original):  # empty: of a journal that did not say it yet
        differs.append("original")
    if record.asked_minor not in (0, path.asked_minor):  # 0: likewise
        differs.append("asked_minor")
    return f"was recalled otherwise than it stands: {', '.join(differs)}" if differs else ""


_REMEMBERED = (
    *("rrn", "kind", "terminal", "merchant", "batch", "stan", "amount_minor", "currency", "institution"),
    *("authorization_code", "state", "decided_ms", "taken_minor"),
)
