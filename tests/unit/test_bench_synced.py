"""What was synced is counted by those who sync: SQLite's own count of commits, the broker's own of messages."""

from __future__ import annotations

import http.server
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest
from sqlalchemy import text

from bench.projections import groups_behind
from bench.synced import SyncMeter, commits, kind_of, stored
from runtime.sql import open_engine

STREAMS = {"JOURNAL_0": 7, "JOURNAL_1": 5, "LEDGER_huaxing": 4, "KV_LEASES": 9, "KV_KEYS_ACQUIRER": 2}


class Monitor(http.server.BaseHTTPRequestHandler):
    """As the broker's monitoring page /jsz."""

    streams: ClassVar[dict[str, int]] = {}

    def do_GET(self) -> None:
        assert self.path == "/jsz?accounts=true&streams=true"
        rows = [{"name": name, "state": {"messages": 1, "last_seq": last}} for name, last in self.streams.items()]
        body = json.dumps({"memory": 0, "account_details": [{"name": "$G", "stream_detail": rows}]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def monitor() -> Iterator[int]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Monitor)
    Monitor.streams = dict(STREAMS)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """A database as the projections have theirs."""
    path = tmp_path / "settlement.db"
    engine = open_engine(f"sqlite:///{path}", read_only=False)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE checkpoints (partition TEXT PRIMARY KEY, sequence INTEGER)"))
    yield path
    engine.dispose()


def take(database: Path, shard: str, sequence: int) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?)", (shard, sequence))


def test_a_commit_counts_once_and_a_reading_not_at_all(database: Path) -> None:
    before = commits(database)
    for sequence in range(1, 8):
        take(database, "0", sequence)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT sequence FROM checkpoints").fetchall() == [(7,)]
    assert commits(database) - before == 7


def test_what_is_not_there_has_committed_nothing(tmp_path: Path) -> None:
    assert commits(tmp_path / "nowhere.db") == 0


def test_streams_by_what_they_keep(monitor: int, database: Path) -> None:
    assert stored(monitor) == STREAMS
    meter = SyncMeter(monitor, {"settlement": database})
    Monitor.streams["JOURNAL_0"] += 3
    Monitor.streams["JOURNAL_1"] += 1
    Monitor.streams["KV_LEASES"] += 2
    take(database, "0", 1)
    assert meter.since() == {"journal": 4, "ledger": 0, "leases": 2, "buckets": 0, "settlement": 1}
    assert kind_of("ACCOUNTS") == "accounts"


def test_groups_that_a_projection_has_yet_to_take(database: Path, tmp_path: Path) -> None:
    journals = {"0": 7, "1": 5}
    assert groups_behind(tmp_path / "nowhere.db", journals) == 12
    take(database, "0", 4)
    assert groups_behind(database, journals) == 8
    take(database, "0", 9)
    take(database, "1", 5)
    assert groups_behind(database, journals) == 0
