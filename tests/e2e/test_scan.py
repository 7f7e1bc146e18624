"""`lianji scan` on real stacks: clean after sales and errors of all sorts; and what is leaked on purpose it finds, everywhere."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

import iso8583
from lianji.broker import LocalBroker
from runtime.bus import Bus
from tests.e2e.support import LIANJI, StackProcess, wait_until

pytestmark = pytest.mark.processes

CARD = "6291010000000012"
MASKED = "629101******0012"


def scan(data_dir: Path, expected: int) -> dict[str, Any]:
    done = subprocess.run(
        [LIANJI, "scan", "--data-dir", str(data_dir), "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    assert CARD not in done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def places(report: dict[str, Any]) -> set[str]:
    return {find["place"] for find in report["finds"]}


def sell(stack: StackProcess, terminal: str) -> None:
    """Sales of all ends: approved, declined for every reason, a wrong PIN, an answer that is lost, its reversal, the close."""
    cards = {card["name"]: card for card in stack.world["cards"]}
    for name in ("debit-1", "credit-1", "debit-poor", "debit-lost", "debit-stopped", "credit-expired"):
        stack.run("swipe", "--terminal", terminal, "--card", name, "--amount", "77.00", "--pin", cards[name]["pin"])
    stack.run("swipe", "--terminal", terminal, "--card", "debit-1", "--amount", "1.00", "--pin", "9999")
    lost = stack.run("swipe", "--terminal", terminal, "--card", "credit-1", "--amount", "5.00", "--lose-answer")
    assert lost.returncode == 1
    last = stack.json("swipe", "--terminal", terminal, "--card", "debit-1", "--amount", "2.00", "--pin", "123456")
    assert stack.run("close", "--terminal", terminal).returncode == 0

    def followed() -> bool:
        return stack.run("slip", last["rrn"]).returncode == 0 and stack.run("trace", last["rrn"]).returncode == 0

    wait_until(followed, "slip and trace of the last sale are there")


def send_damaged(stack: StackProcess, terminal: str) -> None:
    """Frames that hold a card and cannot be taken: cut within the track, with a wrong MAC, with letters for an amount."""
    track = next(card["track2"] for card in stack.world["cards"] if card["name"] == "debit-1")
    merchant = next(t["mid"] for t in stack.world["terminals"] if t["tid"] == terminal)
    fields: dict[int, str | bytes] = {
        2: CARD,
        3: "000000",
        4: "000000000100",
        11: "000001",
        22: "021",
        25: "00",
        35: track,
        41: terminal,
        42: merchant,
        49: "156",
        60: "22000001",
        64: bytes(8),
    }
    body = iso8583.encode(iso8583.Message(mti="0200", fields=fields))
    cut = body[: body.index(bytes.fromhex(CARD)) + 30]
    for damaged in (body, cut, body.replace(b"156", b"1x6"), body.replace(bytes.fromhex("000000000100"), b"\xab" * 6)):
        with socket.create_connection(stack.gateway, 10) as line:
            line.settimeout(20)
            line.sendall(iso8583.frame(damaged))
            try:
                line.recv(4096)
            except ConnectionResetError:
                continue


def test_nothing_is_found_after_sales_and_errors(stack: StackProcess) -> None:
    since = len(stack.logs("terminal-gw"))
    sell(stack, "10000005")
    send_damaged(stack, "10000005")
    wait_until(lambda: len(stack.logs("terminal-gw")) > since, "the gateway has logged what it refused")
    report = scan(stack.data_dir, 0)
    assert (report["found"], report["finds"]) == (0, [])
    searched = report["searched"]
    assert searched["streams"]["streams"] == 18, "2 journals, 4 ledgers, leases, sessions, 5 of keys, 5 of snapshots"
    assert searched["streams"]["messages"] > 10
    assert searched["sql"]["databases"] == 2
    assert searched["sql"]["rows"] > 10
    for kind in ("logs", "traces", "terminals", "other files"):
        assert searched[kind]["files"] > 0, kind
        assert searched[kind]["bytes"] > 0, kind


def test_the_table(stack: StackProcess) -> None:
    done = stack.run("scan")
    assert done.returncode == 0
    assert "streams" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("0 found, ")
    assert "searching" in done.stderr


async def plant_in_streams(data_dir: Path) -> dict[str, str]:
    """A stream, a bucket and an object store that nobody has declared, and a snapshot cut within a card's number: where they are and what.

    The stack's broker would let nobody do that. Another one over its directory, which takes everybody, does.
    """
    broker = LocalBroker(data_dir / "broker")
    broker.start()
    try:
        return await plant(await Bus.connect(broker.url, "leak"))
    finally:
        broker.stop()


async def plant(bus: Bus) -> dict[str, str]:
    js = bus.client.jetstream()
    await js.add_stream(name="SCRATCH", subjects=["scratch.>"])
    await js.publish("scratch.clean", b"nothing")
    await js.publish("scratch.leak", b'{"pan":"' + CARD.encode() + b'"}')
    await js.publish("scratch.header", b"", headers={"Card": CARD})
    bucket = await js.create_key_value(bucket="SCRATCH")
    await bucket.put("card.pin", b"123456")
    await (await js.create_object_store("SCRATCH")).put("dump", b"x" * 131_065 + CARD.encode())
    await js.publish("$KV.SNAPSHOTS_AUTH.journal.v1.9.0.0", b"x" * 100 + CARD[:7].encode())
    cut = await js.publish("$KV.SNAPSHOTS_AUTH.journal.v1.9.0.1", CARD[7:].encode() + b"x" * 100)
    await bus.close()
    return {
        "SCRATCH sequence 2": "pan",
        "SCRATCH sequence 3": "pan",
        "KV_SCRATCH sequence 1": "pin",
        "OBJ_SCRATCH sequence 2": "pan",
        f"KV_SNAPSHOTS_AUTH sequence {cut.seq}": "pan",
    }


async def test_leaks_planted_on_purpose_are_found(tmp_path: Path) -> None:
    """Streams while a stack runs over them; then a copy of its directory, with a log line, a span and a row of SQL more."""
    clean = StackProcess(tmp_path / "data")
    sell(clean, "10000001")
    assert scan(clean.data_dir, 0)["found"] == 0
    assert clean.stop() == 0
    in_streams = await plant_in_streams(clean.data_dir)

    leaking = StackProcess(clean.data_dir)
    running = scan(leaking.data_dir, 1)
    assert in_streams.keys() <= places(running)
    in_all = {place.partition(" ")[0] for place in in_streams} | {"broker"}
    assert {place.partition(" ")[0].partition("/")[0] for place in places(running)} <= in_all

    verified = leaking.run("verify", "--json")
    assert verified.returncode == 1
    broken = {name for name, row in json.loads(verified.stdout)["invariants"].items() if not row["held"]}
    assert broken == {"I12"}

    assert leaking.stop() == 0
    copy = tmp_path / "copy"
    shutil.copytree(leaking.data_dir, copy, ignore=shutil.ignore_patterns("run"))
    planted = {**in_streams, **plant_in_files(copy)}
    report = scan(copy, 1)
    kinds = {find["place"]: find["kind"] for find in report["finds"]}
    assert {place: kinds.get(place) for place in planted} == planted
    assert {find["value"] for find in report["finds"]} == {MASKED, f"{MASKED}D****", "****"}


def plant_in_files(data_dir: Path) -> dict[str, str]:
    """A log line, a span and a row; where they are and what they are."""
    log = data_dir / "logs" / "terminal-gw.log"
    log_end = log.stat().st_size
    row = json.dumps({"event": "refused", "track": f"{CARD}D35121011230000000000"}) + "\n"
    with log.open("a") as file:
        file.write(row)
    trace = max((data_dir / "traces").glob("*.jsonl"))
    trace_end = trace.stat().st_size
    span = {"name": "decide", "attributes": [{"key": "pin", "value": {"stringValue": "123456"}}]}
    line = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n"
    with trace.open("a") as file:
        file.write(line)
    database = sqlite3.connect(data_dir / "receipts.db")
    (rrn,) = database.execute("SELECT rrn FROM slips ORDER BY rrn LIMIT 1").fetchone()
    database.execute("UPDATE slips SET facts = ? WHERE rrn = ?", (json.dumps({"card": CARD}), rrn))
    database.commit()
    database.close()
    return {
        f"logs/terminal-gw.log at {log_end + row.index(CARD)}": "track2",
        f"traces/{trace.name} at {trace_end + line.index('123456')}": "pin",
        f"receipts.db slips.facts rrn={rrn}": "pan",
    }
