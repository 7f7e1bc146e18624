"""What a terminal remembers of its customers' chips and their banks' orders: the entries about results that the host has yet to be told."""

from __future__ import annotations

import msgspec


class ResultsDue(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="results-due"):
    """Saved with the answer that brought the orders: from here the notice is due until it is answered for good."""

    batch: str
    stan: str
    results: str
    """Tag DF31, in hex."""


class ResultsEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="results-ended"):
    """The host has an answer that no repetition changes."""

    batch: str
    stan: str
    response_code: str
