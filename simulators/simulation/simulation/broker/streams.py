"""Streams as they stand on the disk: what they hold, what they take, and what they refuse (JetStream API, headers of a publish)."""

from __future__ import annotations

from typing import Any, NamedTuple

from simulation.broker.subjects import covers

WRONG_LAST_SEQUENCE = 10071
EXPECTED_STREAM = 10060

LARGE = 256
"""Bytes from which on a message is more than a head."""


def fields(header: bytes) -> dict[str, str]:
    """The lines of a header block by their names in lower case."""
    lines = header.decode("latin-1").split("\r\n")[1:] if header else []
    return {name.lower(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}


class Message(NamedTuple):
    """A message as it is kept."""

    sequence: int
    subject: str
    header: bytes
    data: bytes
    time_ns: int


class Refused(Exception):  # noqa: N818 - says what has happened
    """A publish that the stream does not take: code, error code, description."""

    def __init__(self, code: int, error: int, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.error = error
        self.description = description


class Stored(NamedTuple):
    """What a publish came to."""

    sequence: int
    duplicate: bool = False


class Stream:
    """One stream. `config` is what it was created with (JetStream API, STREAM.CREATE)."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.name: str = config["name"]
        self.messages: dict[int, Message] = {}
        self.last = 0
        self.last_by_subject: dict[str, int] = {}
        self.message_ids: dict[str, tuple[int, int]] = {}
        """Message id → sequence and time, within the window of duplicates."""
        self.consumers: dict[str, Consumer] = {}
        self.acknowledged: dict[int, bytes] = {}
        """Sequence → data, of what a publisher was told is stored: what must never be missing."""
        self._subjects: list[str] = list(config.get("subjects") or [])
        self._per_subject: int = config.get("max_msgs_per_subject") or -1
        self._max_age_ns: int = config.get("max_age") or 0
        self._window_ns: int = config.get("duplicate_window") or 120_000_000_000

    def takes(self, subject: str) -> bool:
        return any(covers(pattern, subject) for pattern in self._subjects)

    def copy(self) -> Stream:
        """Another one that holds the same; the messages themselves never change."""
        other = Stream(self.config)
        other.messages = dict(self.messages)
        other.last = self.last
        other.last_by_subject = dict(self.last_by_subject)
        other.message_ids = dict(self.message_ids)
        other.consumers = {name: consumer.copy() for name, consumer in self.consumers.items()}
        return other

    # ------------------------------------------------------------------ reading

    @property
    def first(self) -> int:
        return next(iter(self.messages), self.last + 1 if self.last else 0)

    def expire(self, now_ns: int) -> None:
        """Takes away what is older than the stream keeps (max_age)."""
        while self._max_age_ns and self.messages:
            oldest = next(iter(self.messages.values()))
            if now_ns - oldest.time_ns < self._max_age_ns:
                return
            self._drop(oldest.sequence)

    def _drop(self, sequence: int) -> None:
        message = self.messages.pop(sequence)
        if self.last_by_subject.get(message.subject) == sequence:
            del self.last_by_subject[message.subject]

    def forget(self, number: int) -> None:
        """Takes one message away, as if its time were over: of those there are the one that `number` falls upon."""
        if self.messages:
            sequences = list(self.messages)
            self._drop(sequences[number % len(sequences)])

    def damage(self, place: int) -> None:
        """Turns over one bit of each message that is more than a head, in a place where a digit stands."""
        for message in list(self.messages.values()):
            digits = [at for at, byte in enumerate(message.data) if at > LARGE and chr(byte).isdigit()]
            if digits:
                at = digits[place % len(digits)]
                data = message.data[:at] + bytes([message.data[at] ^ 1]) + message.data[at + 1 :]
                self.messages[message.sequence] = message._replace(data=data)

    def following(self, sequence: int, pattern: str) -> Message | None:
        """The first message at or behind `sequence` whose subject `pattern` covers."""
        for number in range(max(sequence, self.first), self.last + 1):
            message = self.messages.get(number)
            if message is not None and covers(pattern, message.subject):
                return message
        return None

    # ------------------------------------------------------------------ writing

    def store(self, subject: str, header: bytes, data: bytes, now_ns: int) -> Stored:
        """Takes a message, as the server does: duplicate first, then what the publisher expects. Raises Refused."""
        self.expire(now_ns)
        asked = fields(header)
        if (stream := asked.get("nats-expected-stream")) and stream != self.name:
            raise Refused(400, EXPECTED_STREAM, "expected stream does not match")
        message_id = asked.get("nats-msg-id")
        if message_id is not None and (known := self.message_ids.get(message_id)) is not None:
            if now_ns - known[1] < self._window_ns:
                return Stored(known[0], duplicate=True)
            del self.message_ids[message_id]
        self._expect(asked.get("nats-expected-last-sequence"), self.last)
        self._expect(asked.get("nats-expected-last-subject-sequence"), self.last_by_subject.get(subject, 0))
        former = self.last_by_subject.get(subject)
        if self._per_subject == 1 and former is not None:
            del self.messages[former]
        self.last += 1
        self.messages[self.last] = Message(self.last, subject, header, data, now_ns)
        self.last_by_subject[subject] = self.last
        if message_id is not None:
            self.message_ids[message_id] = (self.last, now_ns)
        return Stored(self.last)

    def _expect(self, expected: str | None, last: int) -> None:
        if expected is not None and int(expected) != last:
            raise Refused(400, WRONG_LAST_SEQUENCE, f"wrong last sequence: {last}")


class Pending(NamedTuple):
    """Delivered, and not acknowledged yet."""

    deliveries: int
    at_s: float


class Consumer:
    """A durable pull consumer that acknowledges all before a message (AckPolicy.ALL), as far as it is kept on the disk."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.name: str = config["durable_name"]
        self.ack_wait_s: float = (config.get("ack_wait") or 30_000_000_000) / 1e9
        self.most_pending: int = config.get("max_ack_pending") or 1000
        self.next = 1
        """The sequence that is delivered next."""
        self.delivered = 0
        """Deliveries, repeated ones too: the consumer's own sequence."""
        self.floor = 0
        """Everything up to this sequence is acknowledged."""
        self.pending: dict[int, Pending] = {}

    def copy(self) -> Consumer:
        other = Consumer(self.config)
        other.next, other.delivered, other.floor = self.next, self.delivered, self.floor
        other.pending = dict(self.pending)
        return other

    def acknowledge(self, sequence: int) -> None:
        self.floor = max(self.floor, sequence)
        for number in [n for n in self.pending if n <= sequence]:
            del self.pending[number]

    def again(self) -> None:
        """Everything that is not acknowledged is to be delivered once more."""
        self.next = self.floor + 1


class Store:
    """What survives the broker's death."""

    def __init__(self) -> None:
        self.streams: dict[str, Stream] = {}

    def stream_for(self, subject: str) -> Stream | None:
        return next((stream for stream in self.streams.values() if stream.takes(subject)), None)

    def copy(self) -> Store:
        other = Store()
        other.streams = {name: stream.copy() for name, stream in self.streams.items()}
        return other
