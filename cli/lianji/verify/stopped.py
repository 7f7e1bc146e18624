"""The stop list as journals have it: its versions count its changes, and nobody whose card is on it was approved (I7).

What is kept is as much as the list: digests of stopped cards. Prefixes are the switch's alone: a journal holds six digits of a card.
"""

from __future__ import annotations

from collections.abc import Callable

from contracts.journal import Intent, Outcome, Record, StopLifted, StopListed
from contracts.states import State
from contracts.stop_list import BASE, EXEMPT


class Stopped:
    """Of all shards."""

    def __init__(self, illegal: Callable[[str, str], None]) -> None:
        """`illegal` is told what is wrong: a subject, and words."""
        self._illegal = illegal
        self._versions: dict[str, int] = {}
        self._cards: dict[str, dict[str, set[str]]] = {}
        """Shard → digest → the entries that it is on the list by."""
        self._entries: dict[tuple[str, str], tuple[str, ...]] = {}
        """Shard and entry → its digests."""
        self._refused: set[str] = set()
        """Transactions of stopped cards that have no outcome yet."""

    def read(self, record: Record, shard: str, *, restored: bool) -> None:
        """Takes the next record. `restored`: of a transaction nobody knows any more against which version it was checked."""
        match record:
            case StopListed() | StopLifted():
                self._changed(record, shard)
            case Intent() if not restored:
                self._intent(record, shard)
            case Outcome() if record.id in self._refused:
                self._refused.discard(record.id)
                if record.state is State.APPROVED:
                    self._illegal(
                        record.id, "was approved, and its card was on the stop list that it was checked against"
                    )

    def _changed(self, record: StopListed | StopLifted, shard: str) -> None:
        before = self._versions.get(shard, BASE)
        self._versions[shard] = record.version
        digests: tuple[str, ...] = ()
        if isinstance(record, StopListed) and record.card is not None:
            digests = (record.card.digest, *record.other_digests)
        self._set(shard, f"{record.institution}:{record.entry}", digests)
        if record.version != before + 1:
            self._illegal(f"stop list of shard {shard}", f"version {record.version} came behind version {before}")

    def _set(self, shard: str, entry: str, digests: tuple[str, ...]) -> None:
        cards = self._cards.setdefault(shard, {})
        for digest in self._entries.pop((shard, entry), ()):
            cards[digest].discard(entry)
            if not cards[digest]:
                del cards[digest]
        for digest in digests:
            cards.setdefault(digest, set()).add(entry)
        if digests:
            self._entries[shard, entry] = digests

    def _intent(self, record: Intent, shard: str) -> None:
        version, checked = self._versions.get(shard, BASE), record.stop_list or BASE
        if record.kind not in EXEMPT and record.card.digest in self._cards.get(shard, ()):
            self._refused.add(record.id)
        if checked != version:
            self._illegal(record.id, f"was checked against version {checked} of the stop list, and {version} stood")
