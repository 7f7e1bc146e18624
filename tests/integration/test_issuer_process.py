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
from lianji.keys.custodian import Custodian
from lianji.keys.directory import master_keys
from lianji.keys.fill import fill_standing
from runtime.bus import Bus, BusError, NotDelivered
from runtime.provision import Declaration, LogDeclaration, provision
from security_module import PinFormat, Purpose, SecurityModule

pytestmark = [pytest.mark.broker, pytest.mark.processes]

BANK = "nanhai"


class Processes:
    """Issuer simulators, started and stopped by the test."""

    def __init__(self, url: str, directory: Path) -> None:
        self._environment = os.environ | {
            "LIANJI_NATS_URL": url,
            "LIANJI_INSTITUTIONS": BANK,
            "LIANJI_DATA_DIR": str(directory),
            "LIANJI_WORLD": "test",
        }
        self._log_file = directory / "issuer-sim.log"
        self._log = self._log_file.open("ab")
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, more: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        environment = {**self._environment, **(more or {})}
        process = subprocess.Popen(
            [sys.executable, "-m", "issuer_sim"], env=environment, stdout=self._log, stderr=self._log
        )
        self.running.append(process)
        return process

    def said(self) -> str:
        return self._log_file.read_text()

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        self._log.close()


@pytest.fixture
async def processes(broker: str, bus: Bus, tmp_path: Path) -> AsyncIterator[Processes]:
    ledger = LogDeclaration(subjects.ledger_stream(BANK), subjects.ledger(BANK))
    buckets = (
        subjects.snapshots_issuer(BANK),
        subjects.KEYS_ACQUIRER,
        *(subjects.keys_issuer(i.id) for i in world.built_in().institutions),
    )
    await provision(bus, Declaration((ledger,), subjects.LEASES, buckets, max_bytes=1 << 26))
    custodian = await Custodian.open(bus, world.built_in(), master_keys(None))
    await fill_standing(custodian, test_world=True)
    started = Processes(broker, tmp_path)
    yield started
    started.stop()


def sale(transaction: str, amount_minor: int = 1_00) -> bytes:
    card = world.built_in().card("credit-2")
    assert card is not None
    module = SecurityModule(world.lmk("issuer"))
    zone = module.import_clear(Purpose.ZONE_PIN, world.zone_pin_key(BANK), world.zone_pin_algorithm(BANK))
    data = CardData(
        pan=card.pan,
        expiry=card.expiry,
        track2=world.track2(card),
        pin_block=module.encrypt_pin(zone, card.pin, card.pan, PinFormat.ISO_4),
        pin_zone=BANK,
        pin_format=PinFormat.ISO_4,
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
    approved = await authorize(bus, sale(f"{run}:000001:000001"))
    assert approved.response_code == "00"
    assert await reverse(bus, f"{run}:000001:000002") == IssuerReverseReply(response_code="00")
    standby = processes.start()
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert await authorize(bus, sale(f"{run}:000001:000001")) == approved
    assert (await authorize(bus, sale(f"{run}:000001:000002"))).response_code == "12"
    processes.start()
    standby.send_signal(signal.SIGTERM)
    assert standby.wait(30) == 0
    assert await authorize(bus, sale(f"{run}:000001:000001")) == approved
    second = await authorize(bus, sale(f"{run}:000001:000003"))
    assert int(second.authorization_code, 36) == int(approved.authorization_code, 36) + 1


async def test_many_at_once_are_each_answered_and_none_is_posted_twice(bus: Bus, processes: Processes) -> None:
    run = uuid.uuid4().hex[:8]
    processes.start()
    bodies = [sale(f"{run}:000001:{n % 40:06d}") for n in range(120)]
    replies = await asyncio.gather(*(authorize(bus, body) for body in bodies))
    assert {reply.response_code for reply in replies} == {"00"}
    for n in range(40):
        assert replies[n] == replies[n + 40] == replies[n + 80]
    assert len({reply.authorization_code for reply in replies}) == 40


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        (
            {"LIANJI_WORLD": ""},
            "no local master key: set LIANJI_LMK_FILE to a file made by `lianji keys new`, or LIANJI_LMK",
        ),
        ({"LIANJI_LMK": "00"}, "LIANJI_LMK: a local master key is 32, 48 or 64 hexadecimal digits"),
        (
            {"LIANJI_LMK": "00" * 32},
            "nanhai: key ring cvk version 1 does not open: the local master key (LMK) is not the one",
        ),
    ],
)
def test_without_the_right_master_key_it_does_not_start(
    processes: Processes, environment: dict[str, str], reason: str
) -> None:
    process = processes.start(environment)
    assert process.wait(60) == 2
    said = [line for line in processes.said().splitlines() if "cannot start" in line]
    assert len(said) == 1
    assert msgspec.json.decode(said[0])["reason"].startswith(reason)
    assert "Traceback" not in processes.said()
