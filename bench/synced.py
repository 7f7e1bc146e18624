"""What a side puts on the disk for good, counted and not guessed.

The broker syncs each message that it stores before it acknowledges it (`sync_interval: always`), so the messages that a stream has
taken are its syncs: the stream's last sequence, before and after. SQLite in WAL mode with `synchronous=FULL` syncs at each commit: its
WAL index counts them (SQLite's "WAL-mode file format", the header of the -shm file: iChange, 4 bytes at offset 8). Both can be read
without any right over the processes. Not in the count: SQLite's checkpoints, and what the broker writes about consumers.
"""

from __future__ import annotations

import http.client
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

TIMEOUT_S = 10.0
_CHANGES = struct.Struct("=8xI")


class _State(msgspec.Struct):
    last_seq: int = 0


class _Stream(msgspec.Struct):
    name: str
    state: _State


class _Account(msgspec.Struct):
    stream_detail: list[_Stream] = []


class _JetStream(msgspec.Struct):
    """The broker's monitoring page /jsz, as far as it matters here."""

    account_details: list[_Account] = []


_decode = msgspec.json.Decoder(_JetStream).decode


def stored(monitor: int) -> dict[str, int]:
    """Messages that each stream of the broker has taken since it was made; `monitor` is the port of its monitoring page."""
    connection = http.client.HTTPConnection("127.0.0.1", monitor, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/jsz?accounts=true&streams=true")
        page = _decode(connection.getresponse().read())
    finally:
        connection.close()
    return {stream.name: stream.state.last_seq for account in page.account_details for stream in account.stream_detail}


def commits(database: Path) -> int:
    """Write transactions that SQLite's WAL index of a database has counted; 0 while there is none."""
    try:
        with Path(f"{database}-shm").open("rb") as index:
            head = index.read(_CHANGES.size)
    except FileNotFoundError:
        return 0
    return int(_CHANGES.unpack(head)[0]) if len(head) == _CHANGES.size else 0


def kind_of(stream: str) -> str:
    """What a stream keeps, in a word.

    >>> kind_of("JOURNAL_1"), kind_of("LEDGER_huaxing"), kind_of("KV_LEASES"), kind_of("KV_KEYS_ACQUIRER"), kind_of("ACCOUNTS")
    ('journal', 'ledger', 'leases', 'buckets', 'accounts')
    """
    if stream.startswith("KV_"):
        return "leases" if stream == "KV_LEASES" else "buckets"
    return stream.partition("_")[0].lower()


class SyncMeter:
    """What a broker and some databases sync from now on."""

    def __init__(self, monitor: int, databases: Mapping[str, Path]) -> None:
        self._monitor = monitor
        self._databases = dict(databases)
        self._before = self._read()

    def _read(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for stream, messages in stored(self._monitor).items():
            counts[kind_of(stream)] += messages
        for name, database in self._databases.items():
            counts[name] = commits(database)
        return counts

    def since(self) -> dict[str, int]:
        """By kind of stream or database, since the meter was made."""
        now = self._read()
        return {name: now[name] - self._before[name] for name in now}
