"""The embedded broker: one server over a directory, whatever became of the one before; and a client that gives up in time."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from lianji.broker import LocalBroker
from runtime.bus import Bus, NotDelivered

pytestmark = pytest.mark.processes


def test_a_server_left_behind_is_stopped_before_another_starts(tmp_path: Path) -> None:
    orphan = LocalBroker(tmp_path)
    orphan.start()
    heir = LocalBroker(tmp_path)
    try:
        heir.start()
        assert not orphan.alive()
        assert heir.alive()
    finally:
        heir.stop()
        orphan.stop()


def test_a_stale_ports_file_hurts_nobody(tmp_path: Path) -> None:
    (tmp_path / "nats-server_1.ports").write_text("{}")  # process 1 runs, and not with this configuration
    broker = LocalBroker(tmp_path)
    broker.start()
    broker.stop()
    assert not (tmp_path / "nats-server_1.ports").exists()


async def test_connecting_ends_when_it_was_told_to() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(NotDelivered, match="no broker at"):
        await Bus.connect(f"nats://127.0.0.1:{port}", "test", wait_s=0.5)
    assert time.monotonic() - began < 30, "it has not tried for ever"
