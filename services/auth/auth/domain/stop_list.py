"""The stop list of a shard (contracts.stop_list): what its journal says of it, and what is refused by it."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

import msgspec

from contracts import response_codes as rc
from contracts.journal import StopLifted, StopListed
from contracts.pan import MaskedCard
from contracts.stop_list import (
    BASE,
    StopLine,
    StopListPage,
    StopListQuestion,
    StopReply,
    StopRequest,
)

MOST_ENTRIES = 100_000
"""Entries of one shard, lifted ones with them: some 40 MB. What comes above is refused, and its bank keeps telling it."""


class Stop(msgspec.Struct, kw_only=True):
    """An entry. One that was lifted stays, so that an older notice of it is known to be old."""

    institution: str
    entry: int
    revision: int
    reason: str = ""
    """Empty: lifted."""
    card: MaskedCard | None = None
    other_digests: tuple[str, ...] = ()
    prefix: str = ""

    @property
    def digests(self) -> tuple[str, ...]:
        return () if self.card is None else (self.card.digest, *self.other_digests)


class StopList(msgspec.Struct, kw_only=True):
    """`apply` is its only writer."""

    version: int = BASE
    entries: dict[str, Stop] = {}
    """Institution:entry → what is known of it, in the order in which they came on the list."""
    cards: dict[str, str] = {}
    """Digest, under whichever version of the data key → reason."""
    prefixes: dict[str, str] = {}
    """Prefix → reason."""
    size: int = 0
    """Entries that are not lifted."""

    @property
    def told(self) -> int:
        """The version as a request's record and answer say it: 0 for the one that nobody has changed."""
        return self.version if self.version != BASE else 0

    def reason(self, digest: str, others: tuple[str, ...], digits: str) -> str:
        """Field 39 of who uses a card with these digests, whose number begins with `digits`; empty when it is not on the list.

        A card's own entry wins over a prefix, and a longer prefix over a shorter one.
        """
        if self.version == BASE:
            return ""
        for one in (digest, *others):
            if found := self.cards.get(one):
                return found
        return self._of_prefix(digits) if self.prefixes else ""

    def _of_prefix(self, digits: str) -> str:
        longest = max((prefix for prefix in self.prefixes if digits.startswith(prefix)), key=len, default="")
        return self.prefixes.get(longest, "")


class Listing(NamedTuple):
    """What becomes of a notice. None: it says nothing new, and is acknowledged all the same."""

    record: StopListed | StopLifted | None
    reply: StopReply


def decide(stops: StopList, request: StopRequest, *, at_ms: int, trace: str) -> Listing:
    """A notice is taken once, however often it is told; behind a later one of its entry it changes nothing."""
    known = stops.entries.get(_key(request.institution, request.entry))
    if known is not None and not _is_news(known, request):
        return Listing(None, StopReply(response_code=rc.APPROVED, version=stops.version))
    if _malformed(request):
        return Listing(None, StopReply(response_code=rc.FORMAT_ERROR, version=stops.version))
    if known is None and len(stops.entries) >= MOST_ENTRIES:
        return Listing(None, StopReply(response_code=rc.SYSTEM_MALFUNCTION, version=stops.version))
    version = stops.version + 1
    record: StopListed | StopLifted
    if request.reason:
        record = StopListed(
            institution=request.institution,
            entry=request.entry,
            revision=request.revision,
            reason=request.reason,
            version=version,
            card=request.card,
            other_digests=request.other_digests,
            prefix=request.prefix,
            at_ms=at_ms,
            trace=trace,
        )
    else:
        record = StopLifted(
            institution=request.institution,
            entry=request.entry,
            revision=request.revision,
            version=version,
            at_ms=at_ms,
            trace=trace,
        )
    return Listing(record, StopReply(response_code=rc.APPROVED, version=version))


def _malformed(request: StopRequest) -> bool:
    """On the list comes a card or a prefix, and one of the two."""
    return bool(request.reason) and (request.card is None) == (not request.prefix)


def _is_news(known: Stop, request: StopRequest) -> bool:
    """A later report; or the same one with a digest that nobody has made yet, for the data key has changed since."""
    if request.revision != known.revision:
        return request.revision > known.revision
    if known.card is None or request.card is None or request.reason != known.reason:
        return False
    return request.card.digest not in known.digests


def apply(stops: StopList, record: StopListed | StopLifted) -> None:
    """Moves the list by one record of its shard's journal."""
    stops.version = record.version
    if isinstance(record, StopListed):
        _apply_listed(stops, record)
    else:
        _apply_lifted(stops, record)


def _apply_listed(stops: StopList, record: StopListed) -> None:
    key = _key(record.institution, record.entry)
    known = stops.entries.get(key)
    other_digests = record.other_digests
    if known is not None:
        if known.revision == record.revision and record.card is not None:
            # The same card under another data key: its former digests still find it.
            had = (digest for digest in known.digests if digest != record.card.digest)
            other_digests = tuple(dict.fromkeys((*other_digests, *had)))
        _take_off(stops, known)
        if not known.reason:  # back on the list: behind those that are on it
            del stops.entries[key]
    stop = stops.entries[key] = Stop(
        institution=record.institution,
        entry=record.entry,
        revision=record.revision,
        reason=record.reason,
        card=record.card,
        other_digests=other_digests,
        prefix=record.prefix,
    )
    stops.size += 1
    for digest in stop.digests:
        stops.cards[digest] = stop.reason
    if stop.prefix:
        stops.prefixes[stop.prefix] = stop.reason


def _apply_lifted(stops: StopList, record: StopLifted) -> None:
    key = _key(record.institution, record.entry)
    known = stops.entries.get(key)
    if known is not None:
        _take_off(stops, known)
    stops.entries[key] = Stop(institution=record.institution, entry=record.entry, revision=record.revision)


def _take_off(stops: StopList, stop: Stop) -> None:
    if not stop.reason:
        return
    stops.size -= 1
    for digest in stop.digests:
        stops.cards.pop(digest, None)
    stops.prefixes.pop(stop.prefix, None)


def page(stops: StopList, question: StopListQuestion) -> StopListPage:
    """The lines from `question.first` on, as many as it asks for."""
    listed = (stop for stop in stops.entries.values() if stop.reason)
    lines = tuple(
        StopLine(
            institution=stop.institution,
            entry=stop.entry,
            reason=stop.reason,
            card=stop.card,
            prefix=stop.prefix,
        )
        for stop in islice(listed, question.first, question.first + question.most)
    )
    return StopListPage(response_code=rc.APPROVED, version=stops.version, size=stops.size, lines=lines)


def _key(institution: str, entry: int) -> str:
    return f"{institution}:{entry}"
