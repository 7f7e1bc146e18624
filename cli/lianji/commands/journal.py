"""`lianji journal`: what the switch wrote down about one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from contracts.authorization import Totals
from contracts.response_codes import describe
from lianji import options
from lianji.commands.close import in_words
from lianji.journal import Entry, history, open_journal
from lianji.zone import SHANGHAI

TOTALS = {"totals", "host", "terminal_totals"}


def register(app: typer.Typer) -> None:
    @app.command()
    def journal(
        rrn: options.Rrn,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
        json: options.Json = False,
    ) -> None:
        """Show a transaction's records in the journal, from intent to settlement."""
        entries = options.run(read(options.broker(data_dir, nats), rrn))
        if json:
            print(msgspec.json.encode([_as_json(entry) for entry in entries]).decode())
        else:
            _show(rrn, entries)


async def read(broker: options.Broker, rrn: str) -> list[Entry]:
    """The transaction's entries; raises CliError."""
    async with options.connected(broker, "journal", within_s=options.ANSWER_S) as bus:
        return [entry async for entry in history(open_journal(bus, rrn), rrn)]


def _as_json(entry: Entry) -> dict[str, Any]:
    return {"sequence": entry.sequence, "index": entry.position, "record": msgspec.to_builtins(entry.record)}


def _show(rrn: str, entries: list[Entry]) -> None:
    table = Table("sequence", "time", "record", "facts", title=f"RRN {rrn}", title_justify="left")
    for entry in entries:
        row = msgspec.to_builtins(entry.record)
        at = datetime.fromtimestamp(row.pop("at_ms") / 1000, SHANGHAI).strftime("%H:%M:%S.%f")[:-3]
        table.add_row(f"{entry.sequence}.{entry.position}", at, row.pop("type"), facts(row))
    Console(highlight=False).print(table)


def facts(row: dict[str, Any]) -> str:
    """What a record says, on one line: without what nobody reads, and with cards, codes and totals in words."""
    row.pop("trace", None)
    row.pop("fingerprint", None)
    if "card" in row:
        card = row["card"]
        row["card"] = card["first6"] + "*" * (card["length"] - 10) + card["last4"]
    for key in TOTALS & row.keys():
        row[key] = in_words(msgspec.convert(row[key], Totals))
    if row.get("response_code"):
        row["response_code"] = describe(row["response_code"])
    return ", ".join(f"{key} {value}" for key, value in row.items() if value not in ("", False, []))
