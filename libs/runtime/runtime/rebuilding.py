"""A projection made again, from groups that somebody else has read: no broker is asked, and no consumer is disturbed.

The wire, on standard input: for each group a line `PARTITION SEQUENCE LENGTH` and LENGTH bytes, the group as it stands in its log; and a
line that says `REST`, when everything so far is wanted in the tables. It is answered on standard output by one line of JSON, `{"stopped": …}`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec

from runtime.collecting import collect_seldom
from runtime.log import LogDamaged, decode_group
from runtime.projection import ProjectedGroup, Projection, ProjectionError

LIST = 2_500
"""Records in one SQL transaction: groups hold from one to some hundreds, and what a transaction costs apart from them is to be shared."""
REST = b"REST\n"


class Rested(msgspec.Struct, frozen=True):
    """Everything that came is in the tables; or why not, as the projection's own process would have said."""

    stopped: str = ""


class Rebuilding:
    """Takes groups in their order, each partition's for itself."""

    def __init__(self, projection: Projection, decode: Callable[[bytes], Any]) -> None:
        self._projection = projection
        self._decode = decode
        self._waiting: dict[str, list[ProjectedGroup]] = defaultdict(list)
        self._records: dict[str, int] = defaultdict(int)
        """How many wait, by partition."""
        self.stopped = ""

    def take(self, partition: str, sequence: int, payload: bytes) -> None:
        """The next group of a partition; nothing is taken any more once a group could not be projected."""
        if self.stopped:
            return
        try:
            records = decode_group(payload, f"sequence {sequence}").records
            group = ProjectedGroup(sequence, tuple(self._decode(bytes(raw)) for raw in records))
        except (LogDamaged, msgspec.ValidationError):
            self.stopped = f"partition {partition}: sequence {sequence} cannot be read"
            return
        self._waiting[partition].append(group)
        self._records[partition] += len(records)
        if self._records[partition] >= LIST:
            self._apply(partition)

    def rest(self) -> Rested:
        """Everything that came is in the tables when this returns."""
        for partition in self._waiting:
            self._apply(partition)
        return Rested(self.stopped)

    def _apply(self, partition: str) -> None:
        groups, self._waiting[partition], self._records[partition] = self._waiting[partition], [], 0
        if self.stopped or not groups:
            return
        try:
            self._projection.apply(partition, groups)
        except ProjectionError as error:
            self.stopped = str(error)


def serve(rebuilding: Rebuilding, received: BinaryIO, answers: BinaryIO) -> None:
    """Until the end of what is received."""
    while line := received.readline():
        if line == REST:
            answers.write(msgspec.json.encode(rebuilding.rest()) + b"\n")
            answers.flush()
            continue
        partition, sequence, length = line.split()
        rebuilding.take(partition.decode(), int(sequence), received.read(int(length)))


def run(make: Callable[[str], Projection], decode: Callable[[bytes], Any]) -> None:
    """A process that projects what comes on standard input into the empty database whose URL is its one argument."""
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} SQLALCHEMY-URL < groups")
    rebuilding = Rebuilding(make(sys.argv[1]), decode)
    collect_seldom()
    serve(rebuilding, sys.stdin.buffer, sys.stdout.buffer)


def framed(partition: str, sequence: int, payload: bytes) -> bytes:
    """A group as `serve` reads it."""
    return b"%s %d %d\n%s" % (partition.encode(), sequence, len(payload), payload)
