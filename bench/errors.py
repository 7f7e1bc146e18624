"""The bench's one error."""

from __future__ import annotations


class BenchError(Exception):
    """The bench cannot do its work; the message says which command or process failed, and how."""
