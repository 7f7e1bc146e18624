"""A request's headers: the short look at our own says what the long one says, and what is not quite ours goes the long way."""

from __future__ import annotations

import pytest

from runtime.client import header_block
from runtime.serving import _USUAL, DEADLINE, _asked_otherwise, asked
from runtime.trace_context import TraceContext

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
AT = "1764000000000"


def headers(deadline: str = AT, traceparent: str = f"00-{TRACE}-{SPAN}-01", **more: str) -> bytes:
    return header_block({DEADLINE: deadline, "traceparent": traceparent, **more})


@pytest.mark.parametrize("sampled", [True, False])
def test_our_own_are_read_in_one_look(sampled: bool) -> None:
    context = TraceContext(TRACE, SPAN, sampled)
    usual = headers(traceparent=context.traceparent)
    assert _USUAL(usual) is not None
    assert asked(usual) == (int(AT), context) == _asked_otherwise(usual)


@pytest.mark.parametrize(
    ("unusual", "meaning"),
    [
        (b"", (0, None)),
        (header_block({DEADLINE: AT}), (int(AT), None)),
        (header_block({"traceparent": f"00-{TRACE}-{SPAN}-01"}), (0, TraceContext(TRACE, SPAN))),
        (headers("99999999999999"), (0, TraceContext(TRACE, SPAN))),
        (headers("17640000000 0"), (0, TraceContext(TRACE, SPAN))),
        (headers("1"), (1, TraceContext(TRACE, SPAN))),
        (headers(tracestate="vendor=1"), (int(AT), TraceContext(TRACE, SPAN, state="vendor=1"))),
        (headers(traceparent=f"01-{TRACE}-{SPAN}-01-more"), (int(AT), TraceContext(TRACE, SPAN))),
        (headers(traceparent=f"00-{'0' * 32}-{SPAN}-01"), (int(AT), None)),
        (headers(traceparent=f"00-{TRACE}-{'0' * 16}-01"), (int(AT), None)),
        (headers(traceparent=f"00-{TRACE.upper()}-{SPAN}-01"), (int(AT), None)),
        (headers(traceparent=f"00-{TRACE}-{SPAN}-03"), (int(AT), TraceContext(TRACE, SPAN))),
        (headers(traceparent="ours"), (int(AT), None)),
    ],
)
def test_others_go_the_long_way(unusual: bytes, meaning: tuple[int, TraceContext | None]) -> None:
    assert _USUAL(unusual) is None
    assert asked(unusual) == meaning
