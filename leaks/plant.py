"""Leaks planted on purpose, one in each kind of place: what a search finds there, and nothing else, says that it can find at all.

Each function plants one and gives its place, as `lianji scan` names it, and the kind of card data.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import world
from runtime.bus import Bus

_CARD = world.built_in().cards[0]
NUMBER, PIN = _CARD.pan.clear(), _CARD.pin
STREAM = "SCRATCH"
Planted = tuple[str, str]


async def in_a_stream(bus: Bus) -> Planted:
    """A message of a stream that nobody has declared, behind one that is clean."""
    js = bus.client.jetstream()
    await js.add_stream(name=STREAM, subjects=[f"{STREAM.lower()}.>"])
    await js.publish(f"{STREAM.lower()}.clean", b"nothing")
    await js.publish(f"{STREAM.lower()}.leak", json.dumps({"pan": NUMBER}).encode())
    return f"{STREAM} sequence 2", "pan"


def in_a_log(data_dir: Path) -> Planted:
    """A line at the end of the gateway's log."""
    line = json.dumps({"event": "refused", "track": f"{NUMBER}D35121011230000000000"}) + "\n"
    return _append(data_dir / "logs" / "terminal-gw.log", line, line.index(NUMBER), data_dir), "track2"


def in_a_span(data_dir: Path) -> Planted:
    """A span more in the newest file of traces."""
    span = {"name": "decide", "attributes": [{"key": "pin", "value": {"stringValue": PIN}}]}
    line = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n"
    path = max((data_dir / "traces").glob("*.jsonl"))
    return _append(path, line, line.index(f'"{PIN}"') + 1, data_dir), "pin"


def in_a_row(data_dir: Path) -> Planted:
    """The facts of a slip."""
    with sqlite3.connect(data_dir / "receipts.db") as database:
        (rrn,) = database.execute("SELECT rrn FROM slips ORDER BY rrn LIMIT 1").fetchone()
        database.execute("UPDATE slips SET facts = ? WHERE rrn = ?", (json.dumps({"card": NUMBER}), rrn))
    database.close()
    return f"receipts.db slips.facts rrn={rrn}", "pan"


def _append(path: Path, line: str, at: int, data_dir: Path) -> str:
    end = path.stat().st_size
    with path.open("a") as file:
        file.write(line)
    return f"{path.relative_to(data_dir)} at {end + at}"


def is_beneath(place: str) -> bool:
    """Whether `place` is a file under a stream or a table: what is planted there stands in the file too."""
    return place.startswith(("broker/", "receipts.db at ", "receipts.db-wal at "))
