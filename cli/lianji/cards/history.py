"""The transactions of one card, found by its digest under every version of the data key that can be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from contracts.journal import BatchClosed, Intent, LateAnswer, Outcome, Record, Reversed, Reversing, Tombstone
from contracts.pan import Pan
from contracts.states import State
from key_store import KeyVersion
from lianji.cards.journals import every_record
from lianji.records import Progress
from lianji.verify.facts import Facts
from lianji.verify.journals import Journals
from runtime.log import LogStore
from security_module import DataProtection


class CardTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction of the card, as it stands now."""

    rrn: str
    at_ms: int
    """When it was asked for, Unix milliseconds UTC."""
    terminal: str
    merchant: str
    amount_minor: int
    currency: str
    state: State
    response_code: str
    """Empty while there is no outcome."""
    card: str
    """Masked."""
    key_version: int


class CardHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, the oldest first, and what could not be searched."""

    transactions: list[CardTransaction]
    unsearched: dict[int, int]
    """Version of the data key → records whose digest no key here can make; version 0: older than versions."""


def digests(module: DataProtection, versions: Iterable[KeyVersion], pan: Pan) -> dict[int, str]:
    """Version → the card's digest under it."""
    return {version.number: module.digest(version.key, pan.clear().encode()) for version in versions}


async def history(stores: Sequence[LogStore], wanted: Mapping[int, str], progress: Progress) -> CardHistory:
    """All journals' transactions with these digests; raises LogDamaged and the stores' errors."""
    search = _Search(wanted)
    async for record in every_record(stores, progress):
        search.take(record)
    return search.found()


class _Search:
    """Keeps the card's transactions, and nothing of the others'."""

    def __init__(self, wanted: Mapping[int, str]) -> None:
        self._wanted = wanted
        self._intents: dict[str, Intent] = {}
        self._places: set[str] = set()
        self._paths = Journals(Facts())
        self._unsearched: dict[int, int] = {}

    def take(self, record: Record) -> None:
        match record:
            case Intent():
                version = record.card.key_version
                if version not in self._wanted:
                    self._unsearched[version] = self._unsearched.get(version, 0) + 1
                elif record.card.digest == self._wanted[version]:
                    self._intents[record.id] = record
                    self._places.add(f"{record.terminal}:{record.batch}")
                    self._paths.read(record)
            case Outcome() | Reversing() | Reversed() | Tombstone() | LateAnswer():
                if record.id in self._intents:
                    self._paths.read(record)
            case BatchClosed():
                if f"{record.terminal}:{record.batch}" in self._places:
                    self._paths.read(record)

    def found(self) -> CardHistory:
        rows = [self._row(intent) for intent in self._intents.values()]
        return CardHistory(
            transactions=sorted(rows, key=lambda row: (row.at_ms, row.rrn)),
            unsearched=dict(sorted(self._unsearched.items())),
        )

    def _row(self, intent: Intent) -> CardTransaction:
        path = self._paths.path(intent.id)
        assert path is not None  # noqa: S101 - its intent has been read
        return CardTransaction(
            rrn=intent.rrn,
            at_ms=intent.at_ms,
            terminal=intent.terminal,
            merchant=intent.merchant,
            amount_minor=intent.amount_minor,
            currency=intent.currency,
            state=State(path.state),
            response_code=path.response_code,
            card=str(intent.card),
            key_version=intent.card.key_version,
        )
