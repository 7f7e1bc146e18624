"""`python -m receipts.rebuild URL`: the slips made again from the journal's groups on standard input (runtime.rebuilding)."""

from __future__ import annotations

from contracts import access
from contracts.journal import record_decoder
from receipts.app import names_of
from receipts.projection import SlipProjection
from receipts.store import SlipStore
from runtime import rebuilding
from runtime.sql import open_engine
from runtime.tracing import Tracer
from world import built_in


def projection(url: str) -> SlipProjection:
    """The service's own, on a database of its own; its spans go nowhere."""
    tracer = Tracer(access.RECEIPTS, "rebuild")
    tracer.queue.close()
    return SlipProjection(SlipStore(open_engine(url, read_only=False, scratch=True)), names_of(built_in()), tracer)


if __name__ == "__main__":
    rebuilding.run(projection, record_decoder.decode)
