"""`python -m settlement.rebuild URL`: the ledger made again from the journal's groups on standard input (runtime.rebuilding)."""

from __future__ import annotations

from contracts import access
from contracts.journal import record_decoder
from runtime import rebuilding
from runtime.sql import open_engine
from runtime.tracing import Tracer
from settlement.projection import LedgerProjection
from settlement.store import Ledger


def projection(url: str) -> LedgerProjection:
    """The service's own, on a database of its own; its spans go nowhere."""
    tracer = Tracer(access.SETTLEMENT, "rebuild")
    tracer.queue.close()
    return LedgerProjection(Ledger(open_engine(url, read_only=False, scratch=True)), tracer)


if __name__ == "__main__":
    rebuilding.run(projection, record_decoder.decode)
