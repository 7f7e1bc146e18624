"""What the broker has acknowledged, as seen on the owners' lines: evidence from outside that no owner and no broker can take back.

`<data-dir>/acks.jsonl`, a line for each acknowledged append: the log's subject, the sequence of the acknowledgement, and the SHA-256 of
the payload, hex. Written when the acknowledgement has been passed on, so that the owner may have acted upon it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

FILE = "acks.jsonl"
LOGS = ("journal.", "ledger.")
MOST_UNANSWERED = 10_000
"""Appends of one connection that wait for their acknowledgement; older ones will not get any."""


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """An append that was acknowledged."""

    log: str
    sequence: int
    digest: str


class _PubAck(msgspec.Struct):
    """A publish acknowledgement (JetStream API, pub_ack_response); one that says no has no sequence."""

    stream: str = ""
    seq: int = 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Ack).decode
_pub_ack = msgspec.json.Decoder(_PubAck).decode


class AckFile:
    """The file, open for writing."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("ab")
        self.written = 0

    def write(self, ack: Ack) -> None:
        self._file.write(_encode(ack) + b"\n")
        self.written += 1

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class AckWatch:
    """One connection's appends and what becomes of them."""

    def __init__(self, file: AckFile) -> None:
        self._file = file
        self._waiting: dict[str, tuple[str, str]] = {}

    def published(self, subject: str, reply: str, payload: bytes) -> None:
        """Something has been published; an append when it went to a log and wants an answer."""
        if not reply or not subject.startswith(LOGS):
            return
        if len(self._waiting) >= MOST_UNANSWERED:
            self._waiting.pop(next(iter(self._waiting)))
        self._waiting[reply] = subject, hashlib.sha256(payload).hexdigest()

    def answered(self, subject: str, data: bytes) -> None:
        """Something has been passed on to the owner; an acknowledgement when it answers an append and says a sequence."""
        appended = self._waiting.pop(subject, None)
        if appended is None or not data:
            return
        ack = _pub_ack(data)
        if ack.seq:
            self._file.write(Ack(log=appended[0], sequence=ack.seq, digest=appended[1]))


def read_acks(path: Path) -> Iterator[Ack]:
    """The acknowledgements of a file, in their order; none when there is no file."""
    if path.exists():
        with path.open("rb") as lines:
            for line in lines:
                yield _decode(line)
