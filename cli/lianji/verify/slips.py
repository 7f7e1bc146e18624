"""The slips of receipts, each held against the journal's path while it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import Engine, text

from contracts.chip import ChipFacts
from contracts.kinds import CLAIMS
from lianji.verify.facts import Facts
from lianji.verify.journals import Journals
from lianji.verify.paths import Path
from runtime.sql import LONGEST_LIST

_CHECKPOINTS = text("SELECT partition, sequence FROM checkpoints")
_SLIPS = text("SELECT rrn, transaction_id, shard, sequence, position, facts, reversed_at_ms, voids FROM slips")


class _Facts(msgspec.Struct):
    """What both copies of a slip are laid out from (column `facts`); no text is kept. Names are not compared: they are those of the day of the sale."""

    rrn: str
    kind: str
    terminal: str
    merchant: str
    operator: str
    card: str
    entry_mode: str
    batch: str
    stan: str
    amount_minor: int
    currency: str
    at_ms: int
    authorization_code: str = ""
    asked_minor: int = 0
    original: str = ""
    original_rrn: str = ""
    target_card: str = ""
    periods: int = 0
    first_minor: int = 0
    fee_minor: int = 0
    chip: ChipFacts | None = None


def _as_printed(path: Path) -> _Facts:
    """What a slip of this path must say."""
    return _Facts(
        **{name: getattr(path, name) for name in _LIKE_THE_PATH},
        at_ms=path.decided_ms,
        asked_minor=path.asked_minor if path.asked_minor != path.amount_minor else 0,
        target_card=path.target,
        chip=_chip.decode(path.chip) if path.chip else None,
    )


_LIKE_THE_PATH = sorted({*_Facts.__struct_fields__} - {"at_ms", "asked_minor", "target_card", "chip"})

_VOIDS = frozenset(kind.value for kind, claim in CLAIMS.items() if claim.whole)
"""Kinds whose slip, as long as it is not reversed, makes that of their original say that it is void."""

_chip = msgspec.json.Decoder(ChipFacts)
_facts = msgspec.json.Decoder(_Facts)


class Slips:
    """Receipts' database, opened for reading only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def checkpoints(self) -> dict[str, int]:
        """Shard → sequence of the last group in here."""
        with self._engine.begin() as connection:
            return {str(p): int(s) for p, s in connection.execute(_CHECKPOINTS)}

    def read(self, facts: Facts, journals: Journals) -> Iterator[int]:
        """Fills the table `slips`: what of a slip is not what the journal says, empty when all is. Counts; raises SQLAlchemyError."""
        facts.table("slips", "id", "rrn", "differs", "reversed")
        with self._engine.begin() as connection:
            pages = connection.execution_options(yield_per=LONGEST_LIST).execute(_SLIPS).partitions(LONGEST_LIST)
            yield from facts.writing(
                "INSERT INTO slips VALUES (?, ?, ?, ?)",
                chain.from_iterable(_compared(page, journals) for page in pages),
            )
        facts.index("slips_of", "slips", "id")


def _compared(page: Sequence[Any], journals: Journals) -> Iterator[tuple[str, str, str, bool]]:
    paths = journals.paths(row.transaction_id for row in page)
    for row in page:
        differs = ", ".join(_differences(row, paths.get(row.transaction_id)))
        yield row.transaction_id, row.rrn, differs, row.reversed_at_ms is not None


def _differences(row: Any, path: Path | None) -> Iterator[str]:
    """What of a slip's row differs from the journal, by name."""
    if path is None or not path.approved:
        yield "there is no such approval"
        return
    try:
        stored = _facts.decode(row.facts)
    except msgspec.MsgspecError:
        yield "facts cannot be read"
        return
    due = _as_printed(path)
    if stored != due:
        yield from (name for name in _Facts.__struct_fields__ if getattr(stored, name) != getattr(due, name))
    if row.rrn != path.rrn:
        yield "key"
    if (row.shard, row.sequence, row.position) != (path.shard, path.decided_sequence, path.decided_position):
        yield "place in the journal"
    if row.reversed_at_ms != (path.undone_ms if path.undone else None):
        yield "reversed mark"
    if row.voids != (path.original if path.kind in _VOIDS else ""):
        yield "void mark"
