"""Gateway, switch and banks in one process, without a broker between them: what a terminal finds at the other end of its line."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import world
from auth.app import register_of
from auth.domain.state import Shard
from auth.handlers import ShardOffice
from auth.issuers import Issuers
from auth.machine import ShardMachine
from auth.recall import Ledger
from contracts.identity import shard_of
from contracts.journal import Record
from runtime.bus import Request
from runtime.log import decode_group
from runtime.memory_log import MemoryLog
from runtime.ownership import Term
from runtime.tracing import Tracer
from security_module import SecurityModule
from terminal_gw.admission import Admission
from terminal_gw.answers import Sealer
from terminal_gw.downloaded import Downloads, Offers
from terminal_gw.keyring import Keyring
from terminal_gw.masters import Masters
from terminal_gw.pipeline import Pipeline
from terminal_gw.requests import Desk, Ingress
from terminal_gw.sessions import Sessions
from terminal_gw.stop_versions import StopVersions
from terminal_gw.switch import Switch
from tests.support_auth import Serving, approve, take_office
from tests.support_keys import acquirers_rings
from tests.unit.test_gateway_pipeline import FakeBucket

WORLD = world.built_in()
FACTS = next(terminal for terminal in WORLD.terminals if terminal.tid == "10000001")
SHARD = shard_of(FACTS.merchant, WORLD.shards)
"""Of the one shard that has an owner."""
MODULE = SecurityModule(world.lmk("acquirer"))
RINGS = acquirers_rings(MODULE)
Handler = Callable[[Request], Awaitable[bytes]]


class Host:
    """Gateway, switch and banks, without a broker between them."""

    def __init__(self, offers: Offers = world.offer) -> None:
        self.shard = SHARD
        self.bucket = FakeBucket()
        self.log = MemoryLog()
        self.handlers: dict[str, Handler] = {}
        self.office: ShardOffice | None = None
        self.term: Term[Shard] | None = None
        tracer = Tracer("terminal-gw", "test")
        desk = Desk(
            world=WORLD,
            module=MODULE,
            keyring=Keyring(MODULE, RINGS, WORLD),
            masters=Masters(RINGS, lambda: 1),
            sessions=Sessions(self.bucket, MODULE),
            downloads=Downloads(self.bucket, offers),
            stops=StopVersions(self.bucket),
            switch=Switch(self, tracer, WORLD.shards, answer_timeout_s=5.0, retry_s=0.001),
            admission=Admission(),
            tracer=tracer,
            now_ms=lambda: 1,
        )
        self.desk = desk
        self.pipeline = Pipeline(desk, Sealer(MODULE))

    async def serve(self, subject: str, handler: Handler, *, queue: str = "", concurrency: int = 1) -> Serving:
        self.handlers[subject] = handler
        return Serving()

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Any = None) -> bytes:
        if subject.startswith("issuer."):
            return approve(subject)
        return await self.handlers[subject](Request(subject, body, None, 0))

    async def take_office(self) -> None:
        """A new owner, from the log alone."""
        await self.leave()
        self.term = await take_office(self.log)
        self.office = ShardOffice(
            shard=self.shard,
            register=register_of(WORLD),
            bus=self,  # type: ignore[arg-type]
            issuers=Issuers(self, 2),  # type: ignore[arg-type]
            ledger=Ledger(self, 0.5),  # type: ignore[arg-type]
            tracer=Tracer("auth", "test"),
            now_ms=lambda: time.time_ns() // 1_000_000,
            concurrency=8,
        )
        await self.office.open(self.term)

    async def leave(self) -> None:
        if self.office is not None:
            await self.office.close()

    async def answer(self, body: bytes) -> bytes:
        received = await self.pipeline.receive(body, Ingress("tcp", "192.0.2.1:1"))
        return received.answer or b""

    def journal(self) -> list[list[Record]]:
        machine = ShardMachine()
        return [[machine.decode(bytes(raw)) for raw in decode_group(payload).records] for payload in self.log.groups]
