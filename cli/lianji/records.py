"""Every record of logs, a group at a time: nothing is kept."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import msgspec

from runtime.log import LogDamaged, LogStore, Position, read_groups

R = TypeVar("R")
Progress = Callable[[str], None]

SAID_EVERY = 5_000
"""Groups between two words of progress: a second or so."""


async def every_record(
    stores: Sequence[LogStore], decode: Callable[[bytes], R], progress: Progress
) -> AsyncIterator[R]:
    """Log by log, up to where each ended when its turn came; raises LogDamaged and the stores' errors."""
    for store in stores:
        last = await store.last_sequence()
        async for group in read_groups(store, Position(), last):
            for raw in group.group.records:
                yield _decoded(bytes(raw), decode, store.name, group.sequence)
            if group.sequence % SAID_EVERY == 0 or group.sequence == last:
                progress(f"{store.name}: {group.sequence:,} of {last:,} groups")


def _decoded(raw: bytes, decode: Callable[[bytes], R], name: str, sequence: int) -> R:
    try:
        return decode(raw)
    except msgspec.MsgspecError as error:
        raise LogDamaged(f"{name}: sequence {sequence} holds no record ({type(error).__name__})") from None


def say_to_people(text: str) -> None:
    """Progress for whoever sits before it; a pipe gets none."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)
