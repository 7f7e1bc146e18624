"""`lianji trace`: where one swipe's time went."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from contracts.journal import BatchClosed, Outcome, Reversing
from contracts.states import State
from lianji import options
from lianji.commands.journal import read
from lianji.errors import CliError
from lianji.journal import Entry
from lianji.spans import Node, SpanRow, TraceFiles, tree
from runtime.tracing import parse_traceparent

PATIENCE_S = 4.0
"""Services export twice a second, and the projections follow the journal a moment behind."""
FACTS = ("lianji.institution", "lianji.response_code", "response_code", "lianji.entry_kind")


def register(app: typer.Typer) -> None:
    @app.command()
    def trace(
        rrn: options.Rrn,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
        json: options.Json = False,
    ) -> None:
        """Show the trace of one transaction as a tree with durations, from the gateway's frame to the settlement posting."""
        give_up = time.monotonic() + options.ANSWER_S
        entries = options.run(read(options.broker(data_dir, nats), rrn))
        context = parse_traceparent(next((e.record.trace for e in entries if e.record.trace), ""))
        if context is None:
            raise CliError(f"rrn: the journal holds no trace of {rrn}")
        rows = _complete(TraceFiles(data_dir / "traces", context.trace_id), due(entries), give_up)
        if not rows:
            raise CliError(
                f"no spans of trace {context.trace_id} in {data_dir / 'traces'}; a stack in Compose sends them to Jaeger: "
                f"http://localhost:16686/trace/{context.trace_id}"
            )
        if json:
            print(
                msgspec.json.encode(
                    {"trace_id": context.trace_id, "spans": [_as_json(n, rows[0]) for n in tree(rows)]}
                ).decode()
            )
        else:
            _show(context.trace_id, rows)


Hop = tuple[str, str]
"""A span of a projection: its name, and the kind of entry where it posts one."""


def due(entries: list[Entry]) -> set[Hop]:
    """What the projections add to the trace of a transaction with these records, sooner or later."""
    hops: set[Hop] = set()
    state: State | None = None
    for entry in entries:
        record = entry.record
        if isinstance(record, Outcome):
            state = record.state
            if state is State.APPROVED:
                hops |= {("render slips", ""), ("post to ledger", "capture")}
        elif isinstance(record, Reversing):
            state = State.REVERSING
        elif isinstance(record, BatchClosed) and state is State.APPROVED:
            hops.add(("post to ledger", "settlement"))
    return hops


def is_whole(rows: list[SpanRow], hops: set[Hop]) -> bool:
    """A root, every span's parent, and every hop that is due."""
    known = {row.span_id for row in rows}
    orphans = [row for row in rows if row.parent_id and row.parent_id not in known]
    rooted = any(not row.parent_id for row in rows)
    return rooted and not orphans and hops <= {(row.name, row.attributes.get("lianji.entry_kind", "")) for row in rows}


def _complete(files: TraceFiles, hops: set[Hop], give_up: float) -> list[SpanRow]:
    """The trace once all of it has been exported, or what there is after PATIENCE_S, or at `give_up` (monotonic)."""
    give_up = min(give_up, time.monotonic() + PATIENCE_S)
    while True:
        rows = files.read()
        if is_whole(rows, hops) or time.monotonic() > give_up:
            return rows
        time.sleep(0.1)


def _as_json(node: Node, first: SpanRow) -> dict[str, Any]:
    row = node.row
    return {
        "service": row.service,
        "name": row.name,
        "offset_us": (row.start_ns - first.start_ns) / 1000,
        "duration_us": row.duration_us,
        "attributes": row.attributes,
        "error": row.error,
        "children": [_as_json(child, first) for child in node.children],
    }


def _show(trace_id: str, rows: list[SpanRow]) -> None:
    console = Console(highlight=False)
    roots = tree(rows)
    path_end = max(
        row.end_ns for row in rows if row.service == rows[0].service
    )  # what comes after the answer has no bar
    lines = [line for root in roots for line in _lines(root, "", last=True, root=True)]
    names, services = max(len(name) for name, _ in lines), max(len(row.service) for row in rows)
    bar = max(10, min(40, max(console.width, 100) - names - services - _FIXED))
    console.print(f"trace {trace_id}")
    for name, row in lines:
        at, took = (row.start_ns - rows[0].start_ns) / 1e6, row.duration_us / 1000
        line = Text(f"{name:{names}} {row.service:{services}} {at:9.2f} {took:8.2f} ms ")
        line.append(f"{_bar(row, rows[0].start_ns, path_end, bar):{bar}} ", style="red" if row.error else "green")
        line.append(_facts(row))
        console.print(line, soft_wrap=True)


_FIXED = 52
"""Columns that times and facts take."""


def _lines(node: Node, indent: str, *, last: bool, root: bool = False) -> list[tuple[str, SpanRow]]:
    """The node and all below it, with the branches of the tree drawn in front of their names."""
    branch = "" if root else indent + ("└─" if last else "├─")
    below = "" if root else indent + ("  " if last else "│ ")
    lines = [(branch + node.row.name, node.row)]
    for number, child in enumerate(node.children, 1):
        lines += _lines(child, below, last=number == len(node.children))
    return lines


def _facts(row: SpanRow) -> str:
    said = [row.attributes[key] for key in FACTS if row.attributes.get(key)]
    records, wait = row.attributes.get("lianji.group.records"), row.attributes.get("lianji.group.wait_us")
    if records:
        said.append(f"group of {records}, waited {wait} µs")
    return " ".join(said)


def _bar(row: SpanRow, start_ns: int, end_ns: int, width: int) -> str:
    if row.start_ns >= end_ns:
        return " " * (width - 1) + "›"  # after the answer
    scale = width / max(end_ns - start_ns, 1)
    left = min(int((row.start_ns - start_ns) * scale), width - 1)
    return " " * left + "█" * max(1, min(width - left, round((min(row.end_ns, end_ns) - row.start_ns) * scale)))
