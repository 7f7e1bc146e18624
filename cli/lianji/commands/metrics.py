"""`lianji metrics`: rate, errors and duration of every service, what waits and what lags, from the running stack itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from lianji import checks, options, stackfile
from lianji.errors import CliError
from lianji.overview import BankRow, LogRow, Overview, ShardRow, TransactionRow, overview
from lianji.scraping import scrape

LONGEST_S = 600.0
WIDTH = 100
"""Columns that the tables take, however narrow the window says it is."""


def register(app: typer.Typer) -> None:
    @app.command()
    def metrics(
        service: Annotated[str, typer.Argument(help="Of one service only, like auth; left out: of all.")] = "",
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        seconds: Annotated[
            float,
            typer.Option(
                help="Over so many seconds from now on; 0: since the processes started.",
                callback=checks.between(0, LONGEST_S),
            ),
        ] = 0.0,
        json: options.Json = False,
    ) -> None:
        """Show rate, errors and durations by service and kind, banks, logs, lag and what is open."""
        shown = options.run(_look(data_dir, service, seconds))
        print(msgspec.json.encode(shown).decode()) if json else _show(shown)


async def _look(data_dir: Path, service: str, seconds: float) -> Overview:
    stack = stackfile.running(data_dir)
    before, _ = await scrape(stack) if seconds else ([], [])
    await asyncio.sleep(seconds)
    told, silent = await scrape(stack)
    known = sorted({one.service for one in told})
    if service and service not in known:
        raise CliError(f"service: {service!r} tells nothing; those that do: {', '.join(known) or 'none'}")
    return overview(told, before, silent, service=service, seconds=seconds)


def _show(shown: Overview) -> None:
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    over = f"over {shown.seconds:g} s" if shown.seconds else "since they started"
    if shown.transactions:
        console.print(_transactions(shown.transactions, f"transactions {over}"))
    else:
        console.print(f"no transactions {over}")
    if shown.banks:
        console.print(_banks(shown.banks, f"banks as the switch sees them {over}"))
    if shown.logs:
        console.print(_logs(shown.logs, f"logs {over}"))
    if shown.shards:
        console.print(_shards(shown.shards))
    for row in shown.projections:
        state = "stopped" if row.stopped else "follows"
        console.print(f"{row.durable}: {state}, {row.lag} groups behind, {row.redelivered} delivered again")
    for check in shown.not_ready:
        console.print(f"not ready: {check}", style="red")
    for name in shown.silent:
        console.print(f"does not answer: {name}", style="red")
    for name, apart_s in shown.clocks_apart.items():
        console.print(f"clock apart: {name} by {apart_s:+.1f} s", style="red")
    lost = shown.spans_dropped + shown.spans_undelivered
    console.print(f"spans: {shown.spans_ended} ended, {lost} lost")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=True)
    return table


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.2f}" if seconds < 0.1 else f"{seconds * 1000:.0f}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if part else ""


def _transactions(rows: list[TransactionRow], title: str) -> Table:
    table = _table(title, "service", "kind", "count", "per s", "declined", "failed", "p50 ms", "p95 ms", "p99 ms")
    for row in rows:
        table.add_row(
            row.service,
            row.kind,
            str(row.count),
            f"{row.per_s:.1f}",
            _share(row.declined, row.count),
            _share(row.failed, row.count),
            *map(_milliseconds, (row.p50_s, row.p95_s, row.p99_s)),
        )
    return table


def _banks(rows: list[BankRow], title: str) -> Table:
    table = _table(title, "bank", "asked", "no answer", "not delivered", "p50 ms", "p95 ms", "reversals queued")
    for row in rows:
        table.add_row(
            row.institution,
            str(row.asked),
            str(row.no_answer or ""),
            str(row.not_delivered or ""),
            _milliseconds(row.p50_s),
            _milliseconds(row.p95_s),
            str(row.queued or ""),
        )
    return table


def _logs(rows: list[LogRow], title: str) -> Table:
    table = _table(
        title, "log", "owner", "epoch", "sequence", "groups", "records", "append p50 ms", "p95 ms", "unknown"
    )
    for row in rows:
        table.add_row(
            row.log,
            row.owner,
            str(row.epoch),
            str(row.sequence),
            str(row.groups),
            str(row.records),
            _milliseconds(row.p50_s),
            _milliseconds(row.p95_s),
            str(row.unknown or ""),
        )
    return table


def _shards(rows: list[ShardRow]) -> Table:
    table = _table("shards now", "shard", "open intents", "oldest s", "oldest batch s")
    for row in rows:
        table.add_row(row.shard, str(row.intents), f"{row.oldest_intent_s:.1f}", f"{row.oldest_batch_s:.0f}")
    return table
