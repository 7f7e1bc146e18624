"""Damage to a log is found while it is read: a broken chain, a gap, an end that was lost, a record that is none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from contracts.codec import encode_stored
from contracts.journal import EpochStarted, Record, SignedOff, record_decoder
from lianji.verify.facts import Facts
from lianji.verify.journals import Journals
from lianji.verify.reader import TRIES, LogReader
from runtime.log import AppendUnknown, Group, digest
from runtime.memory_log import MemoryLog


def group(prev: bytes | None, *records: bytes, number: int = 1) -> bytes:
    """A group's payload behind `prev`."""
    raws = [msgspec.Raw(record) for record in records]
    before = digest(prev) if prev is not None else ""
    return msgspec.json.encode(Group(log="memory.log", epoch=1, number=number, prev=before, records=raws))


EPOCH = encode_stored(EpochStarted(epoch=1, owner="auth-a", at_ms=1))
SIGNED_OFF = encode_stored(SignedOff(terminal="10000001", merchant="482290058130001", at_ms=2))


@pytest.fixture
def store() -> MemoryLog:
    """Four groups."""
    log = MemoryLog()
    for number, records in enumerate(([EPOCH], [SIGNED_OFF], [SIGNED_OFF, SIGNED_OFF], [SIGNED_OFF]), 1):
        log.groups.append(group(log.groups[-1] if log.groups else None, *records, number=number))
    return log


@pytest.fixture
def taken() -> list[Record]:
    return []


@pytest.fixture
def reader(store: MemoryLog, taken: list[Record]) -> LogReader:
    return LogReader(store, lambda _sequence, _position, raw: taken.append(record_decoder.decode(raw)))


async def test_a_whole_log_is_read_once_and_on_from_there(
    reader: LogReader, store: MemoryLog, taken: list[Record]
) -> None:
    await reader.read_on()
    await reader.read_on()
    assert (reader.damage, reader.position.sequence, len(taken)) == ("", 4, 5)
    store.groups.append(group(store.groups[-1], SIGNED_OFF))
    await reader.read_on()
    assert (reader.damage, reader.position.sequence, len(taken)) == ("", 5, 6)


class Busy(MemoryLog):
    """Does not answer `silences` times, each time after a group."""

    silences = 0

    async def read_from(self, sequence: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
        async for found in super().read_from(sequence, last):
            yield found
            if self.silences:
                self.silences -= 1
                raise AppendUnknown("NoAnswer")


@pytest.mark.parametrize("silences", [1, 3, TRIES + 3])
async def test_a_broker_that_is_busy_is_asked_again(
    store: MemoryLog, taken: list[Record], monkeypatch: pytest.MonkeyPatch, silences: int
) -> None:
    monkeypatch.setattr("lianji.verify.reader.PAUSE_S", 0.0)
    busy = Busy()
    busy.groups, busy.silences = store.groups, silences
    reader = LogReader(busy, lambda _sequence, _position, raw: taken.append(record_decoder.decode(raw)))
    await reader.read_on()
    assert (reader.damage, reader.position.sequence, len(taken)) == ("", 4, 5)


async def test_a_broker_that_does_not_answer_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lianji.verify.reader.PAUSE_S", 0.0)
    asked = 0

    class Silent(MemoryLog):
        async def last_sequence(self) -> int:
            nonlocal asked
            asked += 1
            raise AppendUnknown("NoAnswer")

    with pytest.raises(AppendUnknown):
        await LogReader(Silent(), lambda _sequence, _position, _raw: None).read_on()
    assert asked == TRIES


async def test_a_changed_group_breaks_the_chain(reader: LogReader, store: MemoryLog) -> None:
    store.groups[1] = group(store.groups[0], EPOCH)
    await reader.read_on()
    assert reader.damage == "memory.log: the hash chain is broken at sequence 3"
    await reader.read_on()
    assert reader.position.sequence == 2, "what stands behind the damage is not taken"


async def test_a_missing_group_is_a_gap(reader: LogReader, store: MemoryLog) -> None:
    del store.groups[2]
    await reader.read_on()
    assert reader.damage == "memory.log: the hash chain is broken at sequence 3"


async def test_a_lost_end_is_noticed(reader: LogReader, store: MemoryLog) -> None:
    await reader.read_on()
    del store.groups[2:]
    await reader.read_on()
    assert reader.damage == "memory.log: it ends at 2, 4 has been read"


async def test_a_message_that_is_no_group(reader: LogReader, store: MemoryLog) -> None:
    store.groups[2] = b'{"log": 5}'
    await reader.read_on()
    assert reader.damage == "memory.log: sequence 3: cannot be read (ValidationError)"


async def test_a_record_that_is_none(reader: LogReader, store: MemoryLog) -> None:
    store.groups[3] = group(store.groups[2], b'{"type":"intent","at_ms":"soon"}')
    await reader.read_on()
    assert reader.damage == "memory.log: sequence 4 holds no record: $.at_ms: Expected `int`, got `str`"


def test_an_owner_s_epoch_moves_nothing() -> None:
    """A health check appends one: it must not keep the check of the books from coming to rest."""
    journals = Journals(Facts())
    journals.read(record_decoder.decode(EPOCH))
    assert (journals.records, journals.moves) == (1, 0)
    journals.read(record_decoder.decode(SIGNED_OFF))
    assert (journals.records, journals.moves) == (2, 1)
