"""One trace, noted span by span: small enough that every trace of a collector can be noted at once."""

from __future__ import annotations

from lianji.tracing import hops
from lianji.tracing.rows import SpanRow

UNHEARD = frozenset({"NOT_DELIVERED", "UNKNOWN", "NotDelivered", "NoAnswer"})
"""What a span that asks says when it was not answered."""


class Note:
    """What a trace has, whole or not yet."""

    __slots__ = ("duplicates", "head", "hops", "parents", "services", "spans", "start_ns", "unheard")

    def __init__(self) -> None:
        self.head: SpanRow | None = None
        """The span that speaks for it: that of a terminal's frame, or else one without a parent."""
        self.spans: set[int] = set()
        self.parents: list[int] = []
        self.hops: set[str] = set()
        self.unheard: set[str] = set()
        self.services: set[str] = set()
        self.duplicates = 0
        self.start_ns = 0
        """Of its first span."""

    def add(self, row: SpanRow) -> None:
        span_id = int(row.span_id, 16)
        if span_id in self.spans:
            self.duplicates += 1
            return
        self.spans.add(span_id)
        self.start_ns = min(self.start_ns or row.start_ns, row.start_ns)
        self.services.add(row.service)
        hop = hops.hop_of(row)
        if hop:
            self.hops.add(hop)
            if row.error in UNHEARD:
                self.unheard.add(hop)
            if row.attributes.get("lianji.repeated") == "true":
                self.hops.add(hops.REPEATED)
        if hop == hops.RECEIVE:
            self.head = row  # what is above it is another's
        elif row.parent_id:
            self.parents.append(int(row.parent_id, 16))
        elif self.head is None:
            self.head = row

    @property
    def is_swipe(self) -> bool:
        return self.head is not None and self.head.attributes.get("lianji.mti") == hops.SALE_MTI

    @property
    def orphans(self) -> int:
        """Spans whose parent is nowhere."""
        return sum(parent not in self.spans for parent in self.parents)

    def missing(self) -> list[str]:
        """The hops that are due and not there, in their order; only a swipe has any that are due."""
        if self.head is None or not self.is_swipe:
            return []
        due = hops.due(self.head.attributes, self.hops, self.unheard)
        return [hop for hop in hops.ALL if hop in due - self.hops]
