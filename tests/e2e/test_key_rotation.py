"""Keys change while terminals sell: zone keys, terminals' master keys and the data key, several times each, and no sale notices."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import world
from contracts.access import CUSTODIAN
from key_store import KeyRing, names
from lianji import options
from lianji.keys.custodian import Custodian
from lianji.keys.directory import master_keys
from lianji.keys.rotation import rotate_data, rotate_terminal, rotate_zone
from terminal_sim.memory import memory_path, read_memory
from tests.e2e.support import StackProcess, wait_until

pytestmark = pytest.mark.processes

BANKS = [institution.id for institution in world.built_in().institutions]
TERMINALS = [terminal.tid for terminal in world.built_in().terminals if terminal.tid.startswith("2")][:6]
ROUNDS = 3
LOAD_S = 15


async def until(custodian: Custodian, holds: Callable[[], bool], what: str) -> None:
    """Reads the acquirer's rings again until `holds`."""
    async with asyncio.timeout(30):
        while not holds():
            await custodian.acquirer.store.refresh()
            await asyncio.sleep(0.02)


async def rotate_everything(url: str, load: subprocess.Popen[str]) -> int:
    """All rounds, each when the terminals have taken the keys of the one before; how many rotations there were while sales went on."""
    rotations = 0
    async with options.connected(options.own_broker(url), "test", identity=CUSTODIAN) as bus:
        custodian = await Custodian.open(bus, world.built_in(), master_keys(None))

        def ring(terminal: str) -> KeyRing:
            return custodian.acquirer.store.ring(names.terminal(terminal))

        for _ in range(ROUNDS):
            for bank in BANKS:
                await rotate_zone(custodian, bank)
            await rotate_data(custodian)
            for terminal in TERMINALS:
                await rotate_terminal(custodian, terminal)
            await until(custodian, lambda: not any(ring(t).waiting for t in TERMINALS), "terminals take their keys")
            assert load.poll() is None, f"the load ended after {rotations} rotations"
            rotations += len(BANKS) + 1 + len(TERMINALS)
    return rotations


def rings_of(stack: StackProcess) -> dict[str, list[dict[str, Any]]]:
    """Ring → versions, as `lianji keys show` has them."""
    done = stack.keys("show", "--json")
    assert done.returncode == 0, done.stderr
    return {row["ring"]: row["versions"] for row in json.loads(done.stdout)["rings"]}


class Rotated(NamedTuple):
    stack: StackProcess
    rotations: int
    report: dict[str, Any]
    """What `lianji load` printed."""


@pytest.fixture(scope="module")
def rotated(fragile: StackProcess) -> Rotated:
    """A stack whose keys were rotated while it was under load."""
    # One sale after the other at each terminal, and more terminals than are rotated: those must not notice either.
    load = fragile.start("load", "--concurrency", str(len(TERMINALS) + 2), "--duration", str(LOAD_S), "--json")
    rotations = asyncio.run(rotate_everything(fragile.ready["nats"], load))
    assert load.stdout is not None
    report = json.loads(load.stdout.read().splitlines()[-1])
    assert load.wait(60) == 0
    sys.stderr.write(
        f"\n{rotations} rotations during {report['tx']} sales: approved {report['approved']}, declined {report['declined']}, "
        f"unknown {report['unknown']}, reversed {report['reversed']}, not sent {report['refused']}\n"
    )
    return Rotated(fragile, rotations, report)


def test_rotations_under_load_cost_no_transaction(rotated: Rotated) -> None:
    report = rotated.report
    assert rotated.rotations == ROUNDS * (len(BANKS) + 1 + len(TERMINALS))
    assert report["approved"] == report["tx"] > 0
    failed = {name: report[name] for name in ("declined", "unknown", "reversed", "pending", "refused")}
    assert failed == {"declined": {}, "unknown": 0, "reversed": 0, "pending": 0, "refused": 0}


def test_the_invariants_hold_afterwards(rotated: Rotated) -> None:
    verified = rotated.stack.json("verify")
    assert verified["held"], verified


def test_afterwards_the_new_versions_are_current_everywhere(rotated: Rotated) -> None:
    rings: dict[str, list[dict[str, Any]]] = {}

    def everybody_has_answered() -> bool:
        """Who holds what is asked for a moment only, in which a busy machine's processes need not have answered."""
        rings.update(rings_of(rotated.stack))
        asked = [f"zone.{bank}" for bank in BANKS] + [f"{bank}/zone" for bank in BANKS] + ["data"]
        return all(rings[name][-1]["held_by"] for name in asked)

    wait_until(everybody_has_answered, "the gateway and the banks say which versions they hold")
    for bank in BANKS:
        own, theirs = rings[f"zone.{bank}"], rings[f"{bank}/zone"]
        assert [v["state"] for v in own] == [v["state"] for v in theirs] == ["accepted"] * ROUNDS + ["current"]
        assert [v["check_value"] for v in own] == [v["check_value"] for v in theirs]
        assert own[-1]["held_by"] == ["terminal-gw"]
        assert theirs[-1]["held_by"] == ["issuer-sim"]
    assert [v["state"] for v in rings["data"]] == ["accepted"] * ROUNDS + ["current"]
    assert rings["data"][-1]["held_by"] == ["terminal-gw"]
    for terminal in TERMINALS:
        states = [v["state"] for v in rings[f"terminal.{terminal}"]]
        # The former one is retired by the sign-on that comes after the proof: of the last round that may have come, or not.
        assert states[-1] == "current", terminal
        assert states[:-2] == ["retired"] * (ROUNDS - 1), terminal
        assert states[-2] in ("accepted", "retired"), terminal


def test_terminals_go_on_with_the_keys_that_they_were_given(rotated: Rotated) -> None:
    """Their memory, opened by another process, names the new key; nothing but that key opens what the host sends."""
    before = rotated.stack.json("load", "--concurrency", str(len(TERMINALS)), "--duration", "0.5")
    assert before["approved"] == before["tx"] > 0
    rings = rings_of(rotated.stack)
    for terminal in TERMINALS:
        record = read_memory(memory_path(rotated.stack.data_dir, terminal))
        assert record.master is not None
        assert rings[f"terminal.{terminal}"][-1]["check_value"] == record.master.check_value
