"""`lianji trace`: where one swipe's time went."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from contracts.journal import BatchClosed, Outcome, Reversing
from contracts.response_codes import describe
from contracts.states import State
from lianji import checks, options
from lianji.commands.journal import read
from lianji.errors import CliError
from lianji.journal import Entry
from lianji.tracing import hops, waterfall
from lianji.tracing.files import GrowingTrace, TraceFiles
from lianji.tracing.notes import Note
from lianji.tracing.rows import SpanRow
from lianji.tracing.tree import as_json, tree
from runtime.trace_context import TraceContext, parse_traceparent

PATIENCE_S = 4.0
"""Services export several times a second, and the projections follow the journal a moment behind."""


def register(app: typer.Typer) -> None:
    @app.command()
    def trace(
        rrn: Annotated[
            str,
            typer.Argument(
                help="Reference number (field 37); or a trace id, for what has none (`lianji traces`, trace_id in a log line).",
                callback=checks.rrn_or_trace_id,
            ),
        ],
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
        json: options.Json = False,
    ) -> None:
        """Show the trace of one transaction as a tree with a waterfall, from the gateway's frame to the settlement posting."""
        give_up = time.monotonic() + options.ANSWER_S
        if checks.is_trace_id(rrn):
            context, wanted = TraceContext(rrn, ""), set[str]()
        else:
            context, wanted = _of_transaction(options.run(read(options.broker(data_dir, nats), rrn)), rrn)
        rows = _complete(GrowingTrace(TraceFiles(data_dir), context.trace_id), wanted, give_up)
        if not rows:
            raise CliError(_where_else(context.trace_id, data_dir / "traces", context.sampled))
        if json:
            nodes = [as_json(node, rows[0].start_ns) for node in tree(rows)]
            print(msgspec.json.encode({"trace_id": context.trace_id, "spans": nodes}).decode())
        else:
            _show(context.trace_id, rows)


def _of_transaction(entries: list[Entry], rrn: str) -> tuple[TraceContext, set[str]]:
    """The trace that the journal names, and the hops that will be in it."""
    context = parse_traceparent(next((e.record.trace for e in entries if e.record.trace), ""))
    if context is None:
        raise CliError(f"rrn: the journal holds no trace of {rrn}")
    return context, due(entries)


def _where_else(trace_id: str, directory: object, sampled: bool) -> str:
    if not sampled:
        return f"trace {trace_id} is not recorded: the caller, or OTEL_TRACES_SAMPLER, has said so"
    return (
        f"no spans of trace {trace_id} in {directory}; a stack in Compose sends them to Jaeger: "
        f"http://localhost:16686/trace/{trace_id}"
    )


def due(entries: list[Entry]) -> set[str]:
    """The hops that the projections add to the trace of a transaction with these records, sooner or later."""
    found: set[str] = set()
    state: State | None = None
    for entry in entries:
        record = entry.record
        if isinstance(record, Outcome):
            state = record.state
            if state is State.APPROVED:
                found |= {hops.SLIPS, hops.CAPTURE}
        elif isinstance(record, Reversing):
            state = State.REVERSING
        elif isinstance(record, BatchClosed) and state is State.APPROVED:
            found.add(hops.CLOSED)
    return found


def is_whole(rows: list[SpanRow], wanted: set[str]) -> bool:
    """A span that begins it, every span's parent, and every hop that is due."""
    note = Note()
    for row in rows:
        note.add(row)
    return note.head is not None and not note.orphans and not note.missing() and wanted <= note.hops


def _complete(trace: GrowingTrace, wanted: set[str], give_up: float) -> list[SpanRow]:
    """The trace once all of it has been exported, or what there is after PATIENCE_S, or at `give_up` (monotonic)."""
    give_up = min(give_up, time.monotonic() + PATIENCE_S)
    while True:
        rows = trace.read()
        if is_whole(rows, wanted) or time.monotonic() > give_up:
            return rows
        time.sleep(0.1)


def _show(trace_id: str, rows: list[SpanRow]) -> None:
    console = Console(highlight=False)
    said = next((row.attributes for row in rows if hops.is_receive(row)), rows[0].attributes)
    code = said.get("lianji.response_code", "")
    facts = (said.get("lianji.kind", ""), describe(code) if code else "", said.get("lianji.institution", ""))
    console.print(f"trace {trace_id}  " + "  ".join(fact for fact in facts if fact))
    for line in waterfall.render(rows, max(console.width, 100)):
        console.print(line, soft_wrap=True)
    console.print(waterfall.LEGEND)
