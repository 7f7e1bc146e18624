"""A backup from a live stack, a journal that loses its end, nobody who approves on it, and the world back with nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import world
from lianji import stackfile
from tests.e2e.support import LIANJI, PATIENCE_S, StackProcess

LOG = "journal.v1.0"
LOAD = ("load", "--json", "--concurrency", "8", "--terminals", "8", "--duration", "2")


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LIANJI, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def kill_everything(stack: StackProcess) -> None:
    """The supervisor first, or it would start the others again."""
    pids = [
        int(row["pid"]) for row in json.loads((stack.data_dir / "run" / "stack.json").read_text())["processes"].values()
    ]
    stack.process.kill()
    stack.process.wait(PATIENCE_S)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def flip_in_the_middle(data_dir: Path) -> None:
    block = data_dir / "broker" / "jetstream" / "jetstream" / "$G" / "streams" / "JOURNAL_0" / "msgs" / "1.blk"
    data = bytearray(block.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    block.write_bytes(data)


def said(data_dir: Path, event: str) -> list[dict[str, Any]]:
    lines = [line for path in (data_dir / "logs").glob("auth-*.log") for line in path.read_text().splitlines()]
    rows = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return [row for row in rows if row.get("event") == event and row.get("log") == LOG]


def not_ready(data_dir: Path) -> str:
    """What the check of the log says, of whichever replica says anything."""
    for name in ("auth-a", "auth-b"):
        try:
            urllib.request.urlopen(stackfile.health_url(data_dir, name), timeout=10).close()  # noqa: S310 - its own address
        except urllib.error.HTTPError as error:
            says = str(json.loads(error.read()).get(LOG, "ok"))
            if says != "ok":
                return says
        except (OSError, ValueError):
            continue
    return ""


def test_a_damaged_journal_is_not_served_and_comes_back_from_backup_banks_and_terminals(tmp_path: Path) -> None:
    stack, backups = StackProcess(tmp_path / "data"), tmp_path / "backups"
    data_dir = stack.data_dir
    assert stack.run(*LOAD).returncode == 0
    held = stack.json("backup", str(backups))["manifest"]
    assert held["terminals"] == 8
    ledgers = {f"LEDGER_{bank.id}" for bank in world.built_in().institutions}
    assert {log["stream"] for log in held["logs"]} == {"JOURNAL_0", "JOURNAL_1"} | ledgers
    assert stack.run(*LOAD).returncode == 0
    closed = stack.run("close", "--terminal", "20000003")  # of a merchant of shard 0
    assert closed.returncode == 0, closed.stderr
    stack.run("verify")  # when it is quiet, everything that was acknowledged has been noted
    refused = call("restore", str(backups), "--data-dir", str(data_dir))
    assert (refused.returncode, "stop it first" in refused.stderr) == (1, True)

    kill_everything(stack)
    flip_in_the_middle(data_dir)
    owners = len(said(data_dir, "owner"))
    damaged = StackProcess(data_dir)  # the rest of it works
    assert f"{LOG} is damaged" in damaged.errors.read_text()
    assert "lianji restore" in not_ready(data_dir)
    reason = said(data_dir, "log damaged: not serving it")[0]["reason"]
    # The broker has dropped what stood behind the flip, or the one message that it hit.
    assert "had been acknowledged" in reason or "is missing" in reason
    assert len(said(data_dir, "owner")) == owners, "somebody took office on a damaged log"
    swipe = damaged.json("swipe", "--card", "debit-1", "--amount", "1.00", "--pin", "123456", "--terminal", "10000002")
    assert swipe["response_code"] == "00", swipe
    silent = damaged.json("swipe", "--card", "debit-1", "--amount", "1.00", "--pin", "123456", "--terminal", "10000003")
    assert silent["response_code"] != "00", silent  # a merchant of the damaged shard
    assert damaged.stop() == 0

    restored = call("restore", str(backups), "--data-dir", str(data_dir), "--json")
    assert restored.returncode == 0, restored.stderr
    report = json.loads(restored.stdout)
    journal = next(row for row in report["logs"] if row["stream"] == "JOURNAL_0")
    assert journal["from_backup"] == next(log["sequence"] for log in held["logs"] if log["stream"] == "JOURNAL_0")
    again = [row for row in report["found"] if row["action"] == "recorded again"]
    assert len(again) > 1
    assert [row["subject"] for row in again if row["subject"] == "20000003:000001"], "the close is there again, too"
    assert {row["action"] for row in report["found"]} <= {"recorded again", "outcome recorded again", "reversed"}

    revived = StackProcess(data_dir)
    verified = revived.run("verify")  # while the journal may still be shorter than it was
    assert verified.returncode == 0, verified.stdout
    assert revived.run(*LOAD).returncode == 0
    verified = revived.run("verify")
    assert verified.returncode == 0, verified.stdout
    slip = revived.run("slip", next(row["rrn"] for row in again if row["subject"].count(":") == 2))
    assert slip.returncode == 0, slip.stderr
    assert revived.stop() == 0
