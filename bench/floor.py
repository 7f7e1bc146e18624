"""The bare chain: what two request-reply hops and two durable appends cost with nothing in between.

    client ──request──▶ A ──request──▶ B      B: one synced append behind the account's last one, then the answer
           ◀──answer───   ◀──answer───        A: one synced append to a subject that must be new, then the answer

Client, A, B and nats-server are a process each. Plain nats-py on uvloop, payloads pass unread, one message per append,
compare-and-set per subject. The streams are set as the stack's logs are (runtime.provision). `python -m bench.floor ROLE URL`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable

import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import DiscardPolicy, StorageType, StreamConfig

from bench.roles import stand, take_orders

EXPECTED = "Nats-Expected-Last-Subject-Sequence"
TIMEOUT_S = 10.0
STREAMS = {"ACCOUNTS": "account.>", "TRANSACTIONS": "transaction.>"}


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
    await client.flush()


async def serve_b(client: Client) -> None:
    last: dict[str, int] = {}

    async def work(payload: bytes) -> bytes:
        account = f"account.{payload[:4].decode()}"
        last[account] = await append(client, account, payload, expected=last.get(account, 0))
        return payload

    await answer_concurrently(client, "b", work)
    await stand()


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
    await stand()


async def ask_a(client: Client) -> None:
    async def ask(payload: bytes) -> bytes:
        return (await client.request("a", payload, timeout=TIMEOUT_S)).data

    await take_orders(ask)


async def make_streams(client: Client) -> None:
    """Also those of a chain of other processes (bench.ported)."""
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


ROLES: dict[str, Callable[[Client], Awaitable[None]]] = {
    "streams": make_streams,
    "b": serve_b,
    "a": serve_a,
    "client": ask_a,
}


async def play(role: str, url: str) -> None:
    await ROLES[role](await nats.connect(url))


if __name__ == "__main__":
    uvloop.run(play(*sys.argv[1:3]))
