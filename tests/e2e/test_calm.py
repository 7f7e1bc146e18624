"""Calm operation: every process of a stack replaced while terminals sell, and a stack whose parts start in no order at all."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from lianji.broker import LocalBroker
from lianji.permissions import users_of
from lianji.ports import HeldPort
from lianji.rolling import ORDER
from lianji.stack import SERVICES
from lianji.stackfile import run_file
from lianji.supervisor import Child
from reliability.selling import Selling, failed
from tests.e2e.support import LIANJI, PATIENCE_S, StackProcess

pytestmark = pytest.mark.processes


def test_every_process_is_replaced_and_no_sale_fails(stack: StackProcess) -> None:
    before = {name: stack.pid(name) for name in ORDER}
    with Selling(stack.data_dir, rate=40, duration_s=PATIENCE_S) as selling:
        done = stack.run("restart", "all")
        assert done.returncode == 0, done.stderr
        assert not selling.over
        selling.end()
        report = selling.report()
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(ORDER)
    assert all(stack.pid(name) != before[name] for name in ORDER)
    assert report.tx > 0
    assert failed(report) == 0, report
    assert stack.json("verify")["held"]


def test_what_cannot_be_restarted_is_said(stack: StackProcess) -> None:
    done = stack.run("restart", "nobody")
    assert done.returncode == 2
    assert "service: 'nobody' is not one of all, issuer-sim, auth-a" in done.stderr


def _has_tried(child: Child) -> bool:
    """Whether it has looked for the broker, and there was none."""
    return child.log_file.exists() and "not connected yet" in child.log_file.read_text()


async def _lianji(*arguments: str, nats: str = "") -> str:
    """What a command prints."""
    process = await asyncio.create_subprocess_exec(
        LIANJI,
        *arguments,
        stdout=subprocess.PIPE,
        env={**os.environ, "LIANJI_WORLD": "test", **({"LIANJI_NATS_URL": nats} if nats else {})},
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, arguments
    return printed.decode()


async def test_services_may_start_before_their_broker(tmp_path: Path) -> None:
    """In any order, and each is started again if it gives up, as everywhere."""
    broker_port, gateway_port = HeldPort(), HeldPort()
    broker = LocalBroker(tmp_path / "broker", port=broker_port.number, users=users_of(None))
    order = list(SERVICES)
    random.shuffle(order)
    environment = {
        "LIANJI_NATS_URL": broker.url,
        "LIANJI_WORLD": "test",
        "LIANJI_DATA_DIR": str(tmp_path),
        "LIANJI_RUN_DIR": str(tmp_path / "run"),
        "LIANJI_LISTEN_PORT": str(gateway_port.number),
        "LIANJI_LOG_LEVEL": "debug",
        "OTEL_SDK_DISABLED": "true",
    }

    def child(name: str, module: str) -> Child:
        own = {**environment, "LIANJI_INSTANCE": name}
        return Child(name, [sys.executable, "-m", module], lambda: own, tmp_path / f"{name}.log", lambda _: None)

    children = [child(*row) for row in order]
    supervising = [asyncio.create_task(one.supervise()) for one in children]
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not all(_has_tried(one) for one in children):
                await asyncio.sleep(0.05)
            await asyncio.to_thread(broker.start)
            await _lianji("provision", nats=broker.url)
            while not all(run_file(tmp_path, one.name) for one in children):
                await asyncio.sleep(0.05)
        sold = await _lianji(
            "swipe", "--gateway", f"127.0.0.1:{gateway_port.number}", "--card", "debit-1", "--amount", "1.00",
            "--pin", "123456", "--data-dir", str(tmp_path / "terminal"), "--json",
        )  # fmt: skip
        assert json.loads(sold)["response_code"] == "00", (order, sold)
    finally:
        for one in children:
            await one.stop()
        await asyncio.gather(*supervising)
        await asyncio.to_thread(broker.stop)
