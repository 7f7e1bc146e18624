"""`lianji world`: the built-in test world. Every key, card and PIN in it is invented and public."""

from __future__ import annotations

from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

import world as worlds
from contracts.access import TERMINAL
from lianji import options
from lianji.permissions import world_key
from runtime.rights import inbox
from terminal_sim.shipped import DEFAULT_OPERATOR, DEFAULT_PASSWORD

ALL_HELP = "List the terminals and cards that are there for load, too."


def register(app: typer.Typer) -> None:
    @app.command()
    def world(
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        gateway: options.Gateway = "",
        every: bool = typer.Option(False, "--all", help=ALL_HELP),
        json: options.Json = False,
    ) -> None:
        """List the terminals, cards and banks of the test world (with --json also keys, in clear on purpose).

        The table needs no stack. With --json it does, or --gateway: each terminal is printed with the address that it dials.
        """
        everything = worlds.built_in()
        if json:
            host, port = options.gateway_address(data_dir, gateway)
            print(msgspec.json.encode(as_json(everything, host, port, every)).decode())
        else:
            _show(everything, every)


def _terminals(everything: worlds.World, every: bool) -> list[worlds.Terminal]:
    return [t for t in everything.terminals if every or int(t.tid) < min(worlds.LOAD_FIRST.values())]


def _cards(everything: worlds.World, every: bool) -> list[worlds.Card]:
    return [c for c in everything.cards if every or not c.name.startswith(worlds.LOAD)]


def _keys(terminal: worlds.Terminal) -> dict[str, str]:
    """What the terminal was given, in clear: its master key, or its initial key and the serial number whose counter is still 0."""
    if terminal.scheme is worlds.KeyScheme.SESSION:
        return {"tmk": worlds.terminal_master_key(terminal.tid).hex().upper()}
    ksn, initial = worlds.initial_serial_number(terminal), worlds.initial_key(terminal)
    return {"ksn": ksn.hex().upper(), "ik": initial.hex().upper()}


def as_json(everything: worlds.World, host: str, port: int, every: bool) -> dict[str, Any]:
    """What a stranger's terminal needs to know."""
    return {
        "terminals": [
            {
                "tid": t.tid,
                "mid": t.merchant,
                "scheme": t.scheme.value,
                **_keys(t),
                "mac": t.mac_algorithm.value,
                "pin_format": t.pin_format.value,
                "status": t.status,
                "host": host,
                "port": port,
            }
            for t in _terminals(everything, every)
        ],
        "cards": [
            {
                "name": c.name,
                "pan": c.pan.clear(),
                "track2": worlds.track2(c).clear(),
                "expiry": c.expiry,
                "pin": c.pin,
                "issuer": c.issuer,
                "kind": c.kind,
            }
            for c in _cards(everything, every)
        ],
        "merchants": [
            {"mid": m.mid, "name": m.name, "name_en": m.name_en, "status": m.status, "limit_minor": m.limit_minor}
            for m in everything.merchants
        ],
        "institutions": [
            {"id": i.id, "code": i.code, "name": i.name, "name_en": i.name_en, "kind": i.kind, "bins": i.bins}
            for i in everything.institutions
        ],
        "operator": {"number": DEFAULT_OPERATOR, "password": DEFAULT_PASSWORD},
        "nats": {"nkey": world_key(TERMINAL).seed, "inbox_prefix": inbox(TERMINAL)},
    }


def _show(everything: worlds.World, every: bool) -> None:
    console = Console(highlight=False)
    terminals = Table(
        "terminal", Column("merchant", min_width=15), "name", Column("keys, MAC, PIN", min_width=25), "status"
    )
    for t in _terminals(everything, every):
        merchant = everything.merchant(t.merchant)
        shop = merchant.name if merchant else ""
        status = t.status if merchant is None or merchant.status == worlds.ACTIVE else f"merchant {merchant.status}"
        protection = ", ".join((t.scheme.value, t.mac_algorithm.value, t.pin_format.value))
        terminals.add_row(t.tid, t.merchant, shop, protection, status)
    cards = Table("card", Column("number", min_width=16), "expiry", "PIN", "issuer", "status")
    for c in _cards(everything, every):
        stopped = everything.stop_reason(c.pan)
        status = f"on the stop list ({stopped})" if stopped else c.status
        cards.add_row(c.name, str(c.pan), c.expiry, c.pin, c.issuer, status)
    console.print(terminals)
    console.print(cards)
    console.print(
        f"Operator {DEFAULT_OPERATOR}, password {DEFAULT_PASSWORD}. Every card and key here is invented and public."
    )
