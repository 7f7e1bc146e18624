"""The journal's edge of the slips: groups in, one SQL transaction, then the spans of what was filed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from receipts import spans
from receipts.domain.filing import File, FilingError, Names, Slip
from receipts.store import SlipStore
from runtime.projection import ProjectedGroup, ProjectionError
from runtime.trace_context import parse_traceparent
from runtime.tracing import Tracer


def _fresh(groups: Sequence[ProjectedGroup], checkpoint: int) -> list[ProjectedGroup]:
    """The groups behind `checkpoint`, each once; FilingError when one is missing."""
    fresh: list[ProjectedGroup] = []
    for group in groups:
        last = fresh[-1].sequence if fresh else checkpoint
        if group.sequence > last + 1:
            raise FilingError(f"sequence {last + 1} is missing, {group.sequence} follows")
        if group.sequence == last + 1:
            fresh.append(group)
    return fresh


def _take(file: File, group: ProjectedGroup) -> None:
    for position, record in enumerate(group.records):
        try:
            file.take(group.sequence, position, record)
        except FilingError as error:
            raise FilingError(f"sequence {group.sequence}, record {position}: {error}") from None


class SlipProjection:
    """`runtime.projection.Projection` on a SlipStore; called in worker threads, one call at a time per shard."""

    def __init__(self, store: SlipStore, names: Names, tracer: Tracer) -> None:
        self._store = store
        self._names = names
        self._tracer = tracer

    def checkpoint(self, partition: str) -> int:
        return self._store.checkpoint(partition)

    def apply(self, partition: str, groups: Sequence[ProjectedGroup]) -> None:
        """Files the groups that the tables do not hold yet; raises ProjectionError, with nothing filed, for a poison one."""
        started_ns = time.time_ns()
        try:
            with self._store.writing(partition) as writing:
                fresh = _fresh(groups, writing.sequence)
                if not fresh:
                    return
                file = writing.file(self._names, [record for group in fresh for record in group.records])
                for group in fresh:
                    _take(file, group)
                writing.save(file, fresh[-1].sequence)
        except FilingError as error:
            raise ProjectionError(f"shard {partition}: {error}") from None
        for slip in file.slips.values():
            self._trace(slip, started_ns)

    def _trace(self, slip: Slip, started_ns: int) -> None:
        parent = parse_traceparent(slip.trace)
        if parent is None or not parent.sampled:
            return
        span = self._tracer.span(spans.FILE_SLIP, parent=parent, attributes={"lianji.rrn": slip.facts.rrn})
        span.start_ns = started_ns  # the work that it tells of began with the list of groups
        span.end()
