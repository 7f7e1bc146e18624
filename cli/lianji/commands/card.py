"""`lianji card`: the transactions of a card, found without the number being kept in clear anywhere."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

import world
from contracts.money import Money
from contracts.response_codes import APPROVED
from lianji import options
from lianji.cards.history import CardHistory, digests, history
from lianji.cards.journals import journals_of
from lianji.cards.opened import data_key
from lianji.errors import WrongUseError
from lianji.records import say_to_people
from lianji.zone import SHANGHAI


def register(app: typer.Typer) -> None:
    @app.command()
    def card(
        card: Annotated[str, typer.Argument(help="A card of `lianji world`, by name.")],
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
        keys: options.KeysDir = None,
        json: options.Json = False,
    ) -> None:
        """List a card's transactions over all journals, found by its keyed digest under every version of the data key."""
        facts = world.built_in().card(card)
        if facts is None:
            raise WrongUseError(f"card: there is no {card!r}; `lianji world` lists them")
        found = options.run(_find(facts, data_dir, nats, keys))
        if json:
            answer = {"card": facts.name, "masked": str(facts.pan), **msgspec.to_builtins(found, str_keys=True)}
            print(msgspec.json.encode(answer).decode())
        else:
            show(facts, found)


async def _find(facts: world.Card, data_dir: Path, nats: str, keys: Path | None) -> CardHistory:
    async with data_key(data_dir, nats, keys, "card") as (bus, module, ring):
        wanted = digests(module, ring.usable(), facts.pan)
        return await history(journals_of(bus, world.built_in()), wanted, say_to_people)


def show(facts: world.Card, found: CardHistory) -> None:
    """The transactions as a table that fits 80 columns, and below it what could not be searched."""
    console = Console(highlight=False)
    fixed = [Column(name, no_wrap=True) for name in ("RRN", "time", "state", "key")]
    table = Table(*fixed, Column("amount", justify="right", no_wrap=True), "merchant", box=None, pad_edge=False)
    for row in found.transactions:
        merchant = world.built_in().merchant(row.merchant)
        table.add_row(
            row.rrn,
            datetime.fromtimestamp(row.at_ms / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S"),
            row.state.value if row.response_code in ("", APPROVED) else f"{row.state.value} {row.response_code}",
            str(row.key_version),
            str(Money(row.amount_minor, row.currency)),
            f"{row.merchant} {merchant.name}" if merchant else row.merchant,
        )
    console.print(table)
    console.print(f"{facts.name} {facts.pan}: {len(found.transactions):,} transactions")
    for version, count in found.unsearched.items():
        why = f"version {version} of the data key cannot be used" if version else "they are older than its versions"
        console.print(f"{count:,} records, of whichever card, were not searched: {why}")
