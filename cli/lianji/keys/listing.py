"""Key rings for people and programs: versions, check values, who holds them. Never a key, not even a wrapped one."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Column, Table

from key_store import RETIRED, KeyRing, KeyVersion, names
from lianji.keys.custodian import Address, Custodian
from lianji.keys.holders import Holders

ASKED_AT_MOST = 512
"""Rings that the holders are asked about; a thousand terminals with one version each say nothing."""


class Listed(NamedTuple):
    """One ring to show."""

    address: Address
    ring: KeyRing


def listed(custodian: Custodian, *, every: bool) -> tuple[list[Listed], int]:
    """All rings; of terminals without `every` only those that were ever rotated, and how many there are beside them."""
    found, quiet = [], 0
    for party, (_, store) in custodian.parties.items():
        for ring in store:
            if not every and names.terminal_of(ring.name) and len(ring.versions) == 1:
                quiet += 1
            else:
                found.append(Listed(Address(party, ring.name), ring))
    return found, quiet


def _held_by(row: Listed, version: KeyVersion, holders: Holders) -> list[str]:
    """Instances that can use the version; `*` behind those for which it is the current one."""
    held = holders.get(row.address, {})
    return [
        instance + ("*" if usable[0] == version.number else "")
        for instance, usable in sorted(held.items())
        if version.number in usable
    ]


def as_json(rows: Iterable[Listed], holders: Holders) -> list[dict[str, Any]]:
    return [
        {
            "ring": str(row.address),
            "party": row.address.party,
            "purpose": row.ring.current.key.purpose.value,
            "versions": [
                {
                    "number": version.number,
                    "state": version.state,
                    "algorithm": _algorithm(version),
                    "length_bytes": version.key.length,
                    "check_value": version.check_value,
                    "since_ms": version.since_ms,
                    "held_by": [name.rstrip("*") for name in _held_by(row, version, holders)],
                }
                for version in row.ring.versions
            ],
        }
        for row in rows
    ]


def show(rows: Iterable[Listed], holders: Holders, quiet: int) -> None:
    console = Console(highlight=False)
    columns = (Column(name, no_wrap=True) for name in ("ring", "", "state", "kind", "check", "since"))
    table = Table(*columns, "held by (* as current)")
    for row in rows:
        for version in row.ring.versions:
            style = "dim" if version.state == RETIRED else ""
            table.add_row(
                str(row.address) if version is row.ring.versions[0] else "",
                str(version.number),
                version.state,
                f"{_algorithm(version)} {version.key.length * 8}",
                version.check_value,
                time.strftime("%m-%d %H:%M:%S", time.localtime(version.since_ms / 1000)),
                ", ".join(_held_by(row, version, holders)),
                style=style,
            )
    console.print(table)
    if quiet:
        console.print(f"{quiet} terminals have the master key that they began with; --all lists them, too.")


def _algorithm(version: KeyVersion) -> str:
    return "hmac" if version.key.purpose == names.purpose_of(names.DATA) else version.key.algorithm.value
