"""`lianji journal`: what the switch wrote down about one transaction."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from contracts.response_codes import describe
from lianji import options
from lianji.errors import CliError
from lianji.journal import Entry, history, open_journal
from runtime.log import LogError

SHANGHAI = timezone(timedelta(hours=8))


def register(app: typer.Typer) -> None:
    @app.command()
    def journal(
        rrn: Annotated[str, typer.Argument(help="Reference number (field 37).")],
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
        json: options.Json = False,
    ) -> None:
        """Show a transaction's records in the journal, from intent to settlement."""
        entries = options.run(read(options.nats_url(data_dir, nats), rrn))
        if json:
            print(msgspec.json.encode([_as_json(entry) for entry in entries]).decode())
        else:
            _show(rrn, entries)


async def read(url: str, rrn: str) -> list[Entry]:
    """The transaction's entries; raises CliError."""
    async with options.connected(url, "journal") as bus:
        try:
            return [entry async for entry in history(open_journal(bus, rrn), rrn)]
        except LogError as error:
            raise CliError(f"journal not readable: {error}") from None


def _as_json(entry: Entry) -> dict[str, Any]:
    return {"sequence": entry.sequence, "index": entry.position, "record": msgspec.to_builtins(entry.record)}


def _show(rrn: str, entries: list[Entry]) -> None:
    table = Table("sequence", "time", "record", "", title=f"RRN {rrn}", title_justify="left")
    for entry in entries:
        row = msgspec.to_builtins(entry.record)
        at = datetime.fromtimestamp(row.pop("at_ms") / 1000, SHANGHAI).strftime("%H:%M:%S.%f")[:-3]
        table.add_row(f"{entry.sequence}.{entry.position}", at, row.pop("type"), _facts(row))
    Console(highlight=False).print(table)


def _facts(row: dict[str, Any]) -> str:
    row.pop("trace", None)
    row.pop("fingerprint", None)
    if "card" in row:
        card = row["card"]
        row["card"] = card["first6"] + "*" * (card["length"] - 10) + card["last4"]
    if row.get("response_code"):
        row["response_code"] = describe(row["response_code"])
    return ", ".join(f"{key} {value}" for key, value in row.items() if value not in ("", False, []))
