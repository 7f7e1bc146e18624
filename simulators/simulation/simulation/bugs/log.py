"""Bugs of the log: of the fence, of unknown outcomes, of snapshots."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from runtime import jetstream, snapshots
from runtime.client import header_block
from runtime.jetstream import JetStreamLog
from runtime.log import AppendUnknown, GroupLog, Position, WrongSequence
from runtime.ownership import Owner
from runtime.snapshots import Snapshot
from simulation.bugs.bug import Replaced

_append = JetStreamLog.append
_consider = Owner._consider_snapshot
_copies = itertools.count()


def _without_fence(headers: Mapping[str, str]) -> bytes:
    return header_block({name: value for name, value in headers.items() if name != "Nats-Expected-Last-Sequence"})


async def _taken_for_landed(
    self: JetStreamLog, payload: bytes, *, expected: int, message_id: str, sent: Callable[[], None]
) -> int:
    try:
        return await _append(self, payload, expected=expected, message_id=message_id, sent=sent)
    except AppendUnknown:
        return expected + 1


async def _behind_whatever_stands(self: GroupLog, payload: bytes, message_id: str, sent: Callable[[], None]) -> int:
    """Refused or unknown: the same once more, behind what stands there now. It is never fenced."""
    while True:
        try:
            expected = await self.store.last_sequence()
            return await self.store.append(payload, expected=expected, message_id=message_id, sent=sent)
        except (WrongSequence, AppendUnknown):
            await asyncio.sleep(self.RETRY_S)


async def _taken_for_lost(self: GroupLog, payload: bytes, message_id: str, sent: Callable[[], None]) -> int:
    """Unknown: once more, as another message, behind what stands there now."""
    expected = self.position.sequence
    while True:
        try:
            copy = f"{message_id}-{next(_copies)}"
            return await self.store.append(payload, expected=expected, message_id=copy, sent=sent)
        except AppendUnknown:
            await asyncio.sleep(self.RETRY_S)
            expected = await self.store.last_sequence()


def _trusted(data: bytes) -> Snapshot:
    line, _, state = data.partition(b"\n")
    head = msgspec.json.decode(line)
    return Snapshot(Position(head["sequence"], head["digest"]), state)


def _ahead(self: Owner[Any], term: Any, whole: bool) -> Any:
    """A snapshot is made of a state that knows more than the log will hold at that place."""
    return _consider(self, term, True)


NO_FENCE = (Replaced(jetstream, "header_block", _without_fence),)
TAKEN_FOR_LANDED = (Replaced(JetStreamLog, "append", _taken_for_landed),)
TAKEN_FOR_LOST = (Replaced(GroupLog, "_store", _taken_for_lost),)
NEVER_FENCED = (Replaced(GroupLog, "_store", _behind_whatever_stands),)
SNAPSHOT_TRUSTED = (Replaced(snapshots, "unpack", _trusted),)
SNAPSHOT_AHEAD = (Replaced(Owner, "_consider_snapshot", _ahead),)
