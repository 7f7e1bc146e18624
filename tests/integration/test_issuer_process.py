"""The issuer simulator as a process on a real broker: answers, survives kill -9, is succeeded by a standby."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

import world
from contracts import codec, subjects
from contracts.authorization import CardData, IssuerReply, IssuerRequest, IssuerReverseReply, IssuerReverseRequest
from contracts.kinds import Kind
from contracts.money import CNY
from runtime.bus import Bus, BusError, NotDelivered
from runtime.provision import Declaration, LogDeclaration, provision
from security_module import Purpose, SecurityModule

pytestmark = [pytest.mark.broker, pytest.mark.processes]

BANK = "nanhai"


class Processes:
    """Issuer simulators, started and stopped by the test."""

    def __init__(self, url: str, directory: Path) -> None:
        self._environment = os.environ | {
            "LIANJI_NATS_URL": url,
            "LIANJI_INSTITUTIONS": BANK,
            "LIANJI_DATA_DIR": str(directory),
        }
        self._log = (directory / "issuer-sim.log").open("ab")
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-m", "issuer_sim"], env=self._environment, stderr=self._log)
        self.running.append(process)
        return process

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        self._log.close()


@pytest.fixture
async def processes(broker: str, bus: Bus, tmp_path: Path) -> AsyncIterator[Processes]:
    ledger = LogDeclaration(subjects.ledger_stream(BANK), subjects.ledger(BANK))
    buckets = (subjects.snapshots_issuer(BANK),)
    await provision(bus, Declaration((ledger,), subjects.LEASES, buckets, max_bytes=1 << 26))
    started = Processes(broker, tmp_path)
    yield started
    started.stop()


def sale(transaction: str, amount_minor: int = 1_00) -> bytes:
    card = world.built_in().card("credit-2")
    assert card is not None
    module = SecurityModule(world.lmk())
    zone = module.import_clear(Purpose.ZONE_PIN, world.zone_pin_key(BANK))
    data = CardData(
        pan=card.pan,
        expiry=card.expiry,
        track2=world.track2(card),
        pin_block=module.encrypt_pin(zone, card.pin, card.pan),
        pin_zone=BANK,
    )
    return codec.encode(
        IssuerRequest(
            transaction=transaction,
            rrn="000000000001",
            kind=Kind.SALE,
            terminal="10000001",
            merchant="001100053110001",
            amount_minor=amount_minor,
            currency=CNY,
            entry_mode="021",
            card=data,
        )
    )


async def ask(bus: Bus, operation: str, body: bytes) -> bytes:
    """The answer, asked for again while nobody owns the ledger; asking again is safe, a transaction id counts once."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await bus.request(subjects.issuer(BANK, operation), body, timeout_s=2)
            except NotDelivered:
                await asyncio.sleep(0.05)
            except BusError:
                continue


async def authorize(bus: Bus, body: bytes) -> IssuerReply:
    return msgspec.json.decode(await ask(bus, "authorize", body), type=IssuerReply)


async def reverse(bus: Bus, transaction: str) -> IssuerReverseReply:
    body = codec.encode(IssuerReverseRequest(transaction=transaction, reason="98"))
    return msgspec.json.decode(await ask(bus, "reverse", body), type=IssuerReverseReply)


async def test_what_was_answered_stands_after_kill_9_and_after_a_drain(bus: Bus, processes: Processes) -> None:
    run = uuid.uuid4().hex[:8]
    first = processes.start()
    approved = await authorize(bus, sale(f"{run}:1"))
    assert approved.response_code == "00"
    assert await reverse(bus, f"{run}:2") == IssuerReverseReply(response_code="00")
    standby = processes.start()
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert await authorize(bus, sale(f"{run}:1")) == approved
    assert (await authorize(bus, sale(f"{run}:2"))).response_code == "12"
    processes.start()
    standby.send_signal(signal.SIGTERM)
    assert standby.wait(30) == 0
    assert await authorize(bus, sale(f"{run}:1")) == approved
    second = await authorize(bus, sale(f"{run}:3"))
    assert int(second.authorization_code, 36) == int(approved.authorization_code, 36) + 1


async def test_many_at_once_are_each_answered_and_none_is_posted_twice(bus: Bus, processes: Processes) -> None:
    run = uuid.uuid4().hex[:8]
    processes.start()
    bodies = [sale(f"{run}:{n % 40}") for n in range(120)]
    replies = await asyncio.gather(*(authorize(bus, body) for body in bodies))
    assert {reply.response_code for reply in replies} == {"00"}
    for n in range(40):
        assert replies[n] == replies[n + 40] == replies[n + 80]
    assert len({reply.authorization_code for reply in replies}) == 40
