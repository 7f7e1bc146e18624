"""W3C Trace Context: who called, in which trace."""

from __future__ import annotations

import re
from typing import NamedTuple

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
LONGEST_STATE = 512
"""Characters of a tracestate that are carried on; the standard asks for no more (3.3.1.5)."""


class TraceContext(NamedTuple):
    """Where in which trace: the content of a traceparent header (version 00), and the tracestate that came with it."""

    trace_id: str
    span_id: str
    sampled: bool = True
    state: str = ""

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def parse_traceparent(text: str | None, state: str | None = None) -> TraceContext | None:
    """The context of the two headers; None when there is none or it is not one (the standard says: start a new trace).

    A tracestate that is too long is left behind: it is somebody's hint and nothing rests on it.
    """
    if not text or (found := _TRACEPARENT.fullmatch(text)) is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    kept = state if state and len(state) <= LONGEST_STATE and state.isascii() and state.isprintable() else ""
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & 1), kept)
