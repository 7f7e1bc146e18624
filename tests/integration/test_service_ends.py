"""How a service's process ends when something escapes: soon, with exit status 1, and in words that hold no card data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import world

pytestmark = [pytest.mark.broker, pytest.mark.processes]

CARD = world.built_in().cards[0]
PAN, TRACK = CARD.pan.clear(), world.track2(CARD).clear()
SERVICE = """
import asyncio
from runtime.service import Service, run
from runtime.settings import BaseSettings
from world import nats_seed

async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass  # as a task would whose clean-up waits for another's

async def fail():
    raise {error}

async def wire(service):
    {how}

run("broken", BaseSettings, wire, seed_of=nats_seed)
"""
LATER = "service.spawn(stubborn(), name='stubborn'); service.spawn(fail(), name='fail')"
WORDS = f'f"cannot go on with {TRACK} pin={CARD.pin}"'


@pytest.mark.parametrize(
    ("how", "error", "event"),
    [
        ("await fail()", f"ValueError({WORDS})", "the process ends by an exception"),
        ("await fail()", f"SystemExit({WORDS})", "the process ends by an exception"),
        (LATER, f"SystemExit({WORDS})", "the process ends by an exception"),
        (LATER, f"KeyboardInterrupt({WORDS})", "the process ends by an exception"),
        ("service.spawn(fail(), name='fail')", f"KeyError({WORDS})", "task failed, the process stops"),
        (
            "raise ExceptionGroup('x', [KeyError(1)]) from ValueError(" + WORDS + ")",
            "0",
            "the process ends by an exception",
        ),
    ],
    ids=["at its start", "exit at its start", "exit in a task", "interrupt in a task", "a task", "chained"],
)
def test_it_ends_and_does_not_say_why_in_the_errors_words(
    broker: str, tmp_path: Path, how: str, error: str, event: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVICE.format(how=how, error=error)],
        env={"LIANJI_NATS_URL": broker, "LIANJI_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert [word for word in (PAN, TRACK, CARD.pin) if word in said] == []
    lines = [json.loads(line) for line in said.splitlines()]
    [line] = [row for row in lines if row["event"] == event]
    assert ":" in line["exception"], "it says where"
