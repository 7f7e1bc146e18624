"""What is said of every transaction: the same line as the logger's own, written once a turn, never behind what came after it."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from runtime import logs

FACTS: dict[str, Any] = {
    "kind": "sale",
    "duration_ms": 1.5,
    "trace_id": "8" * 32,
    "card": "6291010000000018",
    "pin": "1234",
}


class Errors(io.TextIOWrapper):
    """A standard error that counts its writes."""

    def __init__(self) -> None:
        self.raw_bytes = io.BytesIO()
        super().__init__(self.raw_bytes)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw_bytes.getvalue().splitlines()]

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines()]


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[Errors]:
    own = Errors()
    monkeypatch.setattr(sys, "stderr", own)
    before = structlog.get_config()
    logs.configure("test", "test-1")
    yield own
    structlog.configure(**before)


def test_it_is_the_line_that_the_logger_writes(errors: Errors) -> None:
    log = logs.get("lines")
    log.info("answered", **FACTS)
    logs.say(log, "answered", dict(FACTS))
    one, other = errors.lines()
    assert one.pop("timestamp") <= other.pop("timestamp")
    assert one == other
    assert (one["card"], one["pin"], one["trace_id"]) == ("629101******0018", "****", "8" * 32)


async def test_what_a_turn_says_leaves_at_its_end_and_ahead_of_what_is_said_otherwise(errors: Errors) -> None:
    log = logs.get("lines")
    logs.say(log, "first", {})
    logs.say(log, "second", {})
    assert errors.events() == []
    await asyncio.sleep(0)
    assert errors.events() == ["first", "second"]
    logs.say(log, "third", {})
    log.warning("fourth")
    assert errors.events() == ["first", "second", "third", "fourth"]
    await asyncio.to_thread(logs.say, log, "fifth", {})  # there is no turn that it could wait for
    assert errors.events()[-1] == "fifth"
    await asyncio.sleep(0)
    assert len(errors.events()) == 5


def test_a_level_above_leaves_it_out_and_who_listens_in_hears_it(errors: Errors) -> None:
    logs.configure("test", "test-1", "warning")
    log = logs.get("lines")
    logs.say(log, "answered", dict(FACTS))
    assert errors.events() == []
    logs.configure("test", "test-1")
    log = logs.get("lines")
    with structlog.testing.capture_logs() as heard:
        logs.say(log, "answered", {"kind": "sale"})
    assert heard == [{"component": "lines", "kind": "sale", "event": "answered", "log_level": "info"}]
    assert errors.events() == []
