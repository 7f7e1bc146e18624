"""Every swipe leaves one trace with every hop, on a real stack under load; what a killed process costs is explained. And a simulator's own trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import world
from contracts import subjects
from contracts.access import TERMINAL
from lianji import options
from runtime.bus import Bus
from runtime.trace_context import TraceContext, parse_traceparent
from tests.e2e.support import StackProcess, wait_until
from traces.run import run

SWIPES, RATE = 240, 80.0


def test_every_swipe_is_one_whole_trace(fragile: StackProcess) -> None:
    outcome = run(fragile.data_dir, swipes=SWIPES, rate=RATE)
    assert outcome.sent == outcome.answered == outcome.count.swipes == outcome.count.whole == SWIPES
    assert outcome.complaints == []
    assert outcome.count.clean


def test_a_killed_bank_costs_the_spans_that_it_had_not_exported(fragile: StackProcess) -> None:
    outcome = run(fragile.data_dir, swipes=SWIPES, rate=RATE, kill="issuer-sim")
    assert outcome.complaints == []
    assert outcome.count.swipes == outcome.sent, "the gateway lives: each sale has its trace"
    assert set(outcome.count.missing) <= {"bank", "check card", "verify PIN", "decide", "append to ledger"}


def test_a_dead_collector_costs_nothing_while_there_is_room(fragile: StackProcess) -> None:
    outcome = run(fragile.data_dir, swipes=SWIPES, rate=RATE, kill="collector")
    assert outcome.complaints == []
    assert outcome.count.whole == outcome.sent == SWIPES


# ------------------------------------------------------------------ a trace from outside


async def publish(data_dir: Path, terminal: str, context: TraceContext) -> None:
    """An echo of a terminal that publishes JSON, in a trace of its own."""
    facts = world.built_in().terminal(terminal)
    assert facts is not None
    message = {"mti": "0820", "fields": {"41": terminal, "42": facts.merchant, "60": "00000001301"}}
    broker = options.broker(data_dir, "")
    bus = await Bus.connect(broker.url, "till", identity=broker.identity(TERMINAL), wait_s=10)
    try:
        answer = await bus.request(
            subjects.terminal_request(terminal), json.dumps(message).encode(), timeout_s=20, trace=context
        )
    finally:
        await bus.close()
    assert answer


@pytest.mark.parametrize("sampled", [True, False])
async def test_a_simulators_trace_is_taken_over_with_its_flag_and_state(stack: StackProcess, sampled: bool) -> None:
    context = TraceContext(f"{7 + sampled:032x}", "00f067aa0ba902b7", sampled, "till=42")
    assert parse_traceparent(context.traceparent, context.state) == context
    await publish(stack.data_dir, "10000002", context)
    marker = TraceContext("9" * 31 + str(int(sampled)), "00f067aa0ba902b7")
    await publish(stack.data_dir, "10000002", marker)

    def kept() -> list[dict[str, object]]:
        text = b"".join(path.read_bytes() for path in (stack.data_dir / "traces").glob("*.jsonl"))
        rows = []
        for line in text.splitlines():
            for resource in json.loads(line)["resourceSpans"]:
                rows += [span for scope in resource["scopeSpans"] for span in scope["spans"]]
        return rows

    wait_until(lambda: any(row["traceId"] == marker.trace_id for row in kept()), "the later trace is exported")
    taken = [row for row in kept() if row["traceId"] == context.trace_id]
    assert bool(taken) is sampled
    if sampled:
        (top,) = (row for row in taken if row["name"] == "process terminal.v1.{terminal}.request")
        assert (top["parentSpanId"], top["traceState"]) == (context.span_id, "till=42")
