"""Lines cut into units: what can be lost, doubled or late as a whole. One cutter for each direction of each connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

LONGEST_LINE = 65_536
_END = b"\r\n"
_LENGTH_SIZE = 2


class Unit(NamedTuple):
    """Some bytes of a line that belong together."""

    raw: bytes
    whole: bool = True
    """A message. What is none (a subscription, a ping) holds the line itself together and is never lost, doubled or late alone."""
    verb: str = ""
    subject: str = ""
    reply: str = ""
    body: bytes = b""


class Cutter(Protocol):
    def push(self, data: bytes) -> Iterator[Unit]:
        """The units that are complete with `data`; ValueError when the peer does not speak the line's language."""


class Frames:
    """A terminal's line: a 2-byte big-endian length, which does not count itself, then a body.

    >>> [unit.raw for unit in Frames().push(b"\\0\\1a\\0\\2bc\\0")]
    [b'\\x00\\x01a', b'\\x00\\x02bc']
    """

    def __init__(self) -> None:
        self._rest = b""

    def push(self, data: bytes) -> Iterator[Unit]:
        data, at = self._rest + data, 0
        while len(data) - at >= _LENGTH_SIZE:
            end = at + _LENGTH_SIZE + int.from_bytes(data[at : at + _LENGTH_SIZE], "big")
            if end > len(data):
                break
            yield Unit(data[at:end])
            at = end
        self._rest = data[at:]


class NatsMessages:
    """The broker's line (NATS client protocol): PUB, HPUB, MSG and HMSG are messages, every other line is the line's own.

    >>> [(unit.verb, unit.subject, unit.reply, unit.body) for unit in NatsMessages().push(b"PING\\r\\nPUB a b 2\\r\\nhi\\r\\nMSG c 1 0\\r\\n\\r\\n")]
    [('PING', '', '', b''), ('PUB', 'a', 'b', b'hi'), ('MSG', 'c', '', b'')]
    """

    def __init__(self) -> None:
        self._rest = b""

    def push(self, data: bytes) -> Iterator[Unit]:
        data, at = self._rest + data, 0
        while (end := data.find(_END, at)) >= 0:
            words = data[at:end].decode("latin-1").split()
            verb = words[0].upper() if words else ""
            if verb not in _MESSAGES:
                yield Unit(data[at : end + 2], whole=False, verb=verb)
                at = end + 2
                continue
            reply_at, counts = _MESSAGES[verb]
            total = int(words[-1])
            start, stop = end + 2, end + 2 + total
            if len(data) < stop + 2:
                break
            header_size = int(words[-2]) if counts == 2 else 0
            reply = words[reply_at] if len(words) - counts > reply_at else ""
            yield Unit(data[at : stop + 2], True, verb, words[1], reply, data[start + header_size : stop])
            at = stop + 2
        self._rest = data[at:]
        if len(self._rest) > LONGEST_LINE and _END not in self._rest[:LONGEST_LINE]:
            raise ValueError("a line that does not end")


_MESSAGES = {"PUB": (2, 1), "HPUB": (2, 2), "MSG": (3, 1), "HMSG": (3, 2)}
"""Verb → at which word the reply's subject stands, where there is one, and how many sizes end the line."""
