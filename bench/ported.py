"""The bare chain as a FastStream user would write it: subscribers that return their answer, `publish` into a stream, `request`.

The same hops, appends and streams as bench.floor, bytes for payloads, no log line per message. With a file for spans the framework's own
telemetry middleware is on, through the stock SDK's batch processor; the file gets what a collector would get (OTLP, protobuf).
`python -m bench.ported ROLE URL [SPANS]`.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvloop
from faststream.nats import NatsBroker
from faststream.nats.opentelemetry import NatsTelemetryMiddleware
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from bench.roles import stand, take_orders

EXPECTED = "Nats-Expected-Last-Subject-Sequence"
TIMEOUT_S = 10.0
AT_ONCE = 512
"""Requests in hand per subject, as many as the switch takes."""


class FileExporter(SpanExporter):
    """Appends each batch to a file, behind its length in four bytes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        body = encode_spans(spans).SerializeToString()
        self._file.write(len(body).to_bytes(4, "big") + body)
        self._file.flush()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._file.close()


def broker_at(url: str, role: str, spans: str) -> NatsBroker:
    """`spans` is a directory; empty: no telemetry."""
    if not spans:
        return NatsBroker(url, logger=None)
    Path(spans).mkdir(exist_ok=True)
    provider = TracerProvider(resource=Resource.create({"service.name": role}))
    provider.add_span_processor(BatchSpanProcessor(FileExporter(Path(spans) / f"{role}.otlp")))
    return NatsBroker(url, logger=None, middlewares=(NatsTelemetryMiddleware(tracer_provider=provider),))


async def append(broker: NatsBroker, stream: str, subject: str, payload: bytes, *, expected: int) -> int:
    """One synced append behind `expected`; the new sequence. The client's own error when it is refused."""
    acknowledgement = await broker.publish(
        payload, subject, headers={EXPECTED: str(expected)}, stream=stream, timeout=TIMEOUT_S
    )
    if acknowledgement is None:
        raise RuntimeError(f"{subject}: published past its stream")
    return int(acknowledgement.seq)


async def serve_b(broker: NatsBroker) -> None:
    last: dict[str, int] = {}

    async def work(payload: bytes) -> bytes:
        account = f"account.{payload[:4].decode()}"
        last[account] = await append(broker, "ACCOUNTS", account, payload, expected=last.get(account, 0))
        return payload

    broker.subscriber("b", max_workers=AT_ONCE)(work)
    await broker.start()
    await stand()


async def serve_a(broker: NatsBroker) -> None:
    number = 0

    async def work(payload: bytes) -> bytes:
        nonlocal number
        number += 1
        transaction = f"transaction.{number}"
        answer = await broker.request(payload, "b", timeout=TIMEOUT_S)
        await append(broker, "TRANSACTIONS", transaction, answer.body, expected=0)
        return bytes(answer.body)

    broker.subscriber("a", max_workers=AT_ONCE)(work)
    await broker.start()
    await stand()


async def ask_a(broker: NatsBroker) -> None:
    async def ask(payload: bytes) -> bytes:
        return bytes((await broker.request(payload, "a", timeout=TIMEOUT_S)).body)

    await broker.start()
    await take_orders(ask)


ROLES: dict[str, Callable[[NatsBroker], Awaitable[None]]] = {"b": serve_b, "a": serve_a, "client": ask_a}


async def play(role: str, url: str, spans: str = "") -> None:
    await ROLES[role](broker_at(url, role, spans))


if __name__ == "__main__":
    uvloop.run(play(*sys.argv[1:4]))
