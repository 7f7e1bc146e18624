"""Questions to JetStream that only read are asked again, and not for ever."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from runtime import streams
from runtime.bus import Bus, NoAnswer
from runtime.bus import NotDelivered as Undelivered


class Forgetful:
    """A bus that loses the first questions."""

    def __init__(self, lost: int, error: type[Exception] = NoAnswer) -> None:
        self.asked: list[str] = []
        self._lost = lost
        self._error = error

    async def exchange(self, subject: str, body: bytes, header: bytes, timeout_s: float) -> Any:
        self.asked.append(subject)
        if len(self.asked) <= self._lost:
            raise self._error("lost")
        return type("Answer", (), {"data": msgspec.json.encode({"state": {"last_seq": 7}})})


async def last(bus: Forgetful) -> int:
    return (await streams.state_of(cast(Bus, bus), "LEDGER_bank")).last_seq


async def test_a_lost_question_is_asked_again() -> None:
    bus = Forgetful(lost=1)
    assert await last(bus) == 7
    assert bus.asked == ["$JS.API.STREAM.INFO.LEDGER_bank"] * 2


async def test_nobody_is_asked_for_ever() -> None:
    bus = Forgetful(lost=1000)
    with pytest.raises(NoAnswer):
        await last(bus)
    assert len(bus.asked) == streams.READ_TRIES


async def test_what_never_left_is_not_asked_again() -> None:
    bus = Forgetful(lost=1, error=Undelivered)
    with pytest.raises(Undelivered):
        await last(bus)
    assert len(bus.asked) == 1
