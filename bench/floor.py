"""The bare chain: what two request-reply hops and two durable appends cost with nothing in between.

    client ──request──▶ A ──request──▶ B      B: one synced append behind the account's last one, then the answer
           ◀──answer───   ◀──answer───        A: one synced append to a subject that must be new, then the answer

Client, A, B and nats-server are a process each. Plain nats-py on uvloop, payloads pass unread, one message per append,
compare-and-set per subject. The broker is the embedded stack's own (lianji.broker), the streams are set as its logs are (runtime.provision).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, Any

import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import DiscardPolicy, StorageType, StreamConfig

from bench.cpu import CpuMeter
from bench.figures import Figures, percentile_us
from lianji.broker import LocalBroker

EXPECTED = "Nats-Expected-Last-Subject-Sequence"
PAYLOAD_BYTES = 400
TIMEOUT_S = 10.0
STREAMS = {"ACCOUNTS": "account.>", "TRANSACTIONS": "transaction.>"}


# What runs in the chain's processes


async def append(client: Client, subject: str, payload: bytes, *, expected: int) -> int:
    """One synced append behind `expected`, the last sequence of the subject; returns the new one, RuntimeError when it is refused."""
    answer = await client.request(subject, payload, timeout=TIMEOUT_S, headers={EXPECTED: str(expected)})
    acknowledgement = json.loads(answer.data)
    if "error" in acknowledgement:
        raise RuntimeError(f"{subject}: {acknowledgement['error']}")
    return int(acknowledgement["seq"])


async def answer_concurrently(client: Client, subject: str, work: Callable[[bytes], Awaitable[bytes]]) -> None:
    """Serves `subject`, each request in a task of its own; a failed one ends the process, for a floor with errors is none."""
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[None]] = set()

    async def one(message: Msg) -> None:
        await client.publish(message.reply, await work(message.data))

    def done(task: asyncio.Task[None]) -> None:
        running.discard(task)
        if (error := task.exception()) is not None:
            loop.call_exception_handler({"message": f"{subject} failed", "exception": error})
            os._exit(1)

    async def on_message(message: Msg) -> None:
        task = asyncio.create_task(one(message))
        running.add(task)
        task.add_done_callback(done)

    await client.subscribe(subject, cb=on_message)


async def serve_b(client: Client) -> None:
    last: dict[str, int] = {}

    async def work(payload: bytes) -> bytes:
        account = f"account.{payload[:4].decode()}"
        last[account] = await append(client, account, payload, expected=last.get(account, 0))
        return payload

    await answer_concurrently(client, "b", work)


async def serve_a(client: Client) -> None:
    number = 0

    async def work(payload: bytes) -> bytes:
        nonlocal number
        number += 1
        transaction = f"transaction.{number}"
        answer = await client.request("b", payload, timeout=TIMEOUT_S)
        await append(client, transaction, answer.data, expected=0)
        return answer.data

    await answer_concurrently(client, "a", work)


async def drive(client: Client, *, concurrency: int, duration_s: float) -> dict[str, Any]:
    """Requests at `concurrency` in flight for `duration_s`. Each worker has an account of its own, so no compare-and-set fails."""
    latencies_s: list[float] = []
    clock = time.perf_counter
    started = clock()

    async def worker(index: int) -> None:
        payload = f"{index:04d}".encode().ljust(PAYLOAD_BYTES, b".")
        while (sent := clock()) - started < duration_s:
            answer = await client.request("a", payload, timeout=TIMEOUT_S)
            latencies_s.append(clock() - sent)
            if answer.data != payload:
                raise RuntimeError("the chain answered something else than it was asked")

    await asyncio.gather(*(worker(index) for index in range(concurrency)))
    wall_s = clock() - started
    return {
        "count": len(latencies_s),
        "p50_us": percentile_us(latencies_s, 0.50),
        "p99_us": percentile_us(latencies_s, 0.99),
        "tx_s": len(latencies_s) / wall_s,
    }


async def take_orders(client: Client) -> None:
    """The client's process: one JSON line with `concurrency` and `duration_s` in, one JSON line of results out."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await drive(client, **json.loads(line))), flush=True)


async def run_role(role: str, url: str) -> None:
    client = await nats.connect(url)
    if role != "client":
        await {"a": serve_a, "b": serve_b}[role](client)
        await client.flush()
    print("ready", flush=True)
    if role == "client":
        await take_orders(client)
    else:
        await asyncio.Event().wait()


# What the bench holds


class Floor:
    """The chain, standing. A context manager; `measure` is one run of it."""

    def __init__(self, directory: Path) -> None:
        self._broker = LocalBroker(directory)
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Floor:
        try:
            self._broker.start()
            uvloop.run(_make_streams(self._broker.url))
            for role in ("b", "a", "client"):
                self._start_role(role, self._broker.url)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes.values()):
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._broker.stop()

    @property
    def pids(self) -> dict[str, int]:
        broker = {"nats": self._broker.process.pid} if self._broker.process is not None else {}
        return broker | {name: process.pid for name, process in self._processes.items()}

    def measure(self, *, concurrency: int, duration_s: float) -> Figures:
        client = self._processes["client"]
        meter = CpuMeter(self.pids)
        _pipe(client.stdin).write(json.dumps({"concurrency": concurrency, "duration_s": duration_s}) + "\n")
        _pipe(client.stdin).flush()
        line = _pipe(client.stdout).readline()
        spent = meter.spent_us()
        if not line:
            raise RuntimeError("the bare chain's client ended; its error stands above")
        result = json.loads(line)
        return Figures(
            p50_us=result["p50_us"],
            p99_us=result["p99_us"],
            tx_s=result["tx_s"],
            cpu_us_per_process={name: us / result["count"] for name, us in spent.items()},
        )

    def _start_role(self, role: str, url: str) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.floor", role, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes[role] = process
        if _pipe(process.stdout).readline() != "ready\n":
            raise RuntimeError(f"{role} of the bare chain did not start; its error stands above")


async def _make_streams(url: str) -> None:
    client = await nats.connect(url)
    for name, subject in STREAMS.items():
        await client.jetstream().add_stream(
            StreamConfig(
                name=name,
                subjects=[subject],
                storage=StorageType.FILE,
                discard=DiscardPolicy.NEW,
                deny_delete=True,
                deny_purge=True,
                allow_direct=False,
                max_bytes=64 * 1024**3,
                duplicate_window=120,
            )
        )
    await client.close()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None  # noqa: S101 - every process here is started with its pipes
    return pipe


def main() -> None:
    """`python -m bench.floor [--concurrency C] [--duration S]` measures the bare chain alone; ROLE URL is one of its processes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("role", nargs="?", choices=("a", "b", "client"))
    parser.add_argument("url", nargs="?")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--duration", type=float, default=3.0)
    arguments = parser.parse_args()
    if arguments.role:
        uvloop.run(run_role(arguments.role, arguments.url))
        return
    with tempfile.TemporaryDirectory(prefix="lianji-floor-") as directory, Floor(Path(directory) / "floor") as floor:
        for concurrency in (1, arguments.concurrency):
            print(concurrency, floor.measure(concurrency=concurrency, duration_s=arguments.duration))


if __name__ == "__main__":
    main()
