"""`python -m bench.slow_sockets`: honest terminals beside peers that waste the gateway's time. Prints two columns, writes build/bench-slow.json.

Three kinds of peers, a third each, all from one address: a frame that has begun and gets one byte more a second, a TLS handshake that
does the same, a connection on which nothing is said. The gateway cuts the first two after 5 s; each dials in again at once, so that there
are as many at every moment. Rounds without and with them alternate on one stack; every figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import threading
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.errors import BenchError
from bench.figures import Figures, medians
from bench.load import Load
from bench.report import as_json
from bench.stack import Stack, temporary_directory

REPORT = Path("build/bench-slow.json")
CUT_S = 5.0
"""As long as the gateway waits for a frame or a handshake: the peers begin spread over this, not all in one moment."""
DRIP_S = 1.0
STANDING_S = 60.0
FRAME_BEGINS = b"\x0f\xff\x60"
HELLO_BEGINS = bytes.fromhex("16030102000100")
KINDS = ("partial frame", "partial handshake", "idle")
SHOWN = {"p50_us": "p50 µs", "p99_us": "p99 µs", "tx_s": "tx/s", "cpu_us_per_tx": "CPU µs per tx"}


class SlowSockets(threading.Thread):
    """Keeps `count` slow connections open until `stop`; a context manager that is entered when all have been made once."""

    def __init__(self, count: int, ports: dict[str, int]) -> None:
        super().__init__(daemon=True)
        self._count, self._ports = count, ports
        self._first: set[int] = set()
        self._standing, self._stopping = threading.Event(), threading.Event()
        self.dialled: Counter[str] = Counter()
        self.refused = 0

    def run(self) -> None:
        asyncio.run(self._all())

    async def _all(self) -> None:
        tasks = [asyncio.create_task(self._keep(number)) for number in range(self._count)]
        await asyncio.to_thread(self._stopping.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, number: int) -> None:
        kind = KINDS[number % len(KINDS)]
        port = self._ports["tls" if kind == "partial handshake" else "listen"]
        await asyncio.sleep(CUT_S * number / self._count)
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                self.refused += 1
                await asyncio.sleep(DRIP_S)
                continue
            self.dialled[kind] += 1
            self._first.add(number)
            if len(self._first) == self._count:
                self._standing.set()
            try:
                await _hang(kind, reader, writer)
            finally:
                writer.transport.abort()

    def __enter__(self) -> SlowSockets:
        self.start()
        if not self._standing.wait(STANDING_S):
            self.__exit__()
            raise BenchError(f"only {len(self._first)} of {self._count} slow sockets got in")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()


async def _hang(kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Stays, as slow as its kind is, until the gateway closes."""
    ended = asyncio.ensure_future(_until_closed(reader))
    try:
        if kind != "idle":
            writer.write(FRAME_BEGINS if kind == "partial frame" else HELLO_BEGINS)
            while not (await asyncio.wait({ended}, timeout=DRIP_S))[0]:
                writer.write(b"\x00")
        await ended
    finally:
        ended.cancel()


async def _until_closed(reader: asyncio.StreamReader) -> None:
    try:
        await reader.read()
    except ConnectionError:
        return  # a reset is a close too


def measure(stack: Stack, ports: dict[str, int], arguments: argparse.Namespace) -> dict[str, list[Figures]]:
    """The rounds: `before` and `while`, by turns."""
    runs: dict[str, list[Figures]] = {"before": [], "while": []}
    load = Load(arguments.duration, concurrency=arguments.concurrency)
    stack.measure(load)  # warm
    for number in range(arguments.rounds):
        runs["before"].append(stack.measure(load))
        with SlowSockets(arguments.sockets, ports) as slow:
            runs["while"].append(stack.measure(load))
        line = ", ".join(f"{name} p99 {done[-1].p99_us:,.0f} µs" for name, done in runs.items())
        dialled = ", ".join(f"{kind} {slow.dialled[kind]}" for kind in KINDS)
        sys.stderr.write(
            f"round {number + 1} of {arguments.rounds}: {line}; dialled: {dialled}; not let in: {slow.refused}\n"
        )
    return runs


def show(columns: dict[str, Figures], sockets: int, concurrency: int) -> None:
    table = Table(f"honest terminals, {concurrency} in flight", "before", f"beside {sockets:,} slow sockets", "ratio")
    for name, title in SHOWN.items():
        before, beside = (float(getattr(columns[column], name)) for column in ("before", "while"))
        table.add_row(title, f"{before:,.0f}", f"{beside:,.0f}", f"{beside / before:.2f}")
    Console().print(table)


def allow_files(sockets: int) -> None:
    """Room for the peers here and, inherited, for their other ends in the gateway."""
    wanted = 2 * sockets + 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise BenchError(f"{sockets} slow sockets need {wanted} open files, and the limit is {hard} (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.slow_sockets", description="Honest terminals beside slow peers."
    )
    parser.add_argument("--sockets", type=int, default=1000, help="slow connections (default 1000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=float, default=5.0, help="seconds per run (default 5)")
    parser.add_argument("--concurrency", type=int, default=8, help="honest sales in flight (default 8)")
    arguments = parser.parse_args()
    try:
        allow_files(arguments.sockets)
        with temporary_directory() as name, Stack(Path(name) / "stack", tls=True) as stack:
            runs = measure(stack, {"listen": stack.port, "tls": stack.tls_port}, arguments)
    except BenchError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    columns = {name: medians(done) for name, done in runs.items()}
    show(columns, arguments.sockets, arguments.concurrency)
    REPORT.write_bytes(as_json({**columns, "run": vars(arguments) | {"cpus": os.cpu_count()}}))
    sys.stdout.write(f"written: {REPORT}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
