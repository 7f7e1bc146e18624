"""The span of the slips."""

from __future__ import annotations

from runtime.tracing import CONSUMER, Shape

FILE_SLIP = Shape("file slip", CONSUMER)
"""In the trace of the approval: from the groups that came to the tables that hold the slips."""
