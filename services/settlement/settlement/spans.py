"""Every span of the ledger, each in the trace of what brought it about: from the groups that came to the tables that hold the entries."""

from __future__ import annotations

from runtime.tracing import CONSUMER, Shape

POST = Shape("post to ledger", CONSUMER)
BATCH_CLOSED = Shape("batch closed", CONSUMER)
"""In a sale's trace: its batch has been closed, and it is payable. A link leads to the trace of the close."""
