"""The journal's edge of the ledger: groups in, one SQL transaction, then the spans of what was posted."""

from __future__ import annotations

import time
from collections.abc import Sequence

from runtime.projection import ProjectedGroup, ProjectionError
from runtime.trace_context import parse_traceparent
from runtime.tracing import Tracer
from settlement import spans
from settlement.domain.book import Book
from settlement.domain.ledger import Posted, PostingError
from settlement.domain.postings import post
from settlement.store import Ledger


def _fresh(groups: Sequence[ProjectedGroup], checkpoint: int) -> list[ProjectedGroup]:
    """The groups behind `checkpoint`, each once; PostingError when one is missing."""
    fresh: list[ProjectedGroup] = []
    for group in groups:
        last = fresh[-1].sequence if fresh else checkpoint
        if group.sequence > last + 1:
            raise PostingError(f"sequence {last + 1} is missing, {group.sequence} follows")
        if group.sequence == last + 1:
            fresh.append(group)
    return fresh


def _post(book: Book, group: ProjectedGroup) -> None:
    for index, record in enumerate(group.records):
        try:
            post(book, record)
        except PostingError as error:
            raise PostingError(f"sequence {group.sequence}, record {index}: {error}") from None


class LedgerProjection:
    """`runtime.projection.Projection` on a Ledger; called in worker threads, one call at a time per shard."""

    def __init__(self, ledger: Ledger, tracer: Tracer) -> None:
        self._ledger = ledger
        self._tracer = tracer

    def checkpoint(self, partition: str) -> int:
        return self._ledger.checkpoint(partition)

    def apply(self, partition: str, groups: Sequence[ProjectedGroup]) -> None:
        """Posts the groups that the ledger does not hold yet; raises ProjectionError, with nothing posted, for a poison one."""
        started_ns = time.time_ns()
        try:
            with self._ledger.writing(partition) as writing:
                fresh = _fresh(groups, writing.sequence)
                if not fresh:
                    return
                records = [record for group in fresh for record in group.records]
                book = writing.book(records)
                for group in fresh:
                    _post(book, group)
                writing.save(book, fresh[-1].sequence)
        except PostingError as error:
            raise ProjectionError(f"shard {partition}: {error}") from None
        for posted in book.posted:
            self._trace(posted, started_ns)

    def _trace(self, posted: Posted, started_ns: int) -> None:
        parent = parse_traceparent(posted.trace)
        if parent is None or not parent.sampled:
            return
        cause = parse_traceparent(posted.caused_by)
        span = self._tracer.span(
            spans.POST if cause is None else spans.BATCH_CLOSED,
            parent=parent,
            attributes={
                "lianji.entry_kind": posted.kind.value,
                "lianji.entries": posted.entries,
                "lianji.rrn": posted.rrn,
            },
        )
        if cause is not None:
            span.links = (cause,)
        span.start_ns = started_ns  # the work that it tells of began with the list of groups
        span.end()
