"""`lianji verify` on real data: of a stack that runs, of the directory it leaves, and of one that is reached by URLs alone; and what was done to it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lianji.broker import LocalBroker
from lianji.permissions import world_users
from runtime.bus import Bus
from tests.e2e.support import LIANJI, StackProcess

pytestmark = pytest.mark.processes

INVARIANTS = [f"I{number}" for number in range(1, 15)]


def verified(*arguments: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [LIANJI, "verify", *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | environment,
    )
    assert done.stdout.strip(), done.stderr
    verdict: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if verdict["held"] else 1)
    return verdict


def broken(verdict: dict[str, Any]) -> set[str]:
    return {name for name, row in verdict["invariants"].items() if not row["held"]}


class Lived(NamedTuple):
    """A directory that a stack has left, and what was found while it ran."""

    data_dir: Path
    live: dict[str, Any]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    stack = StackProcess(tmp_path_factory.mktemp("lived") / "data")
    load = stack.run("load", "--concurrency", "4", "--terminals", "4", "--duration", "3", "--json")
    assert load.returncode == 0, load.stderr
    assert stack.run("close", "--terminal", "20000001").returncode == 0
    live = verified("--data-dir", str(stack.data_dir))
    assert stack.stop() == 0, stack.errors.read_text()
    return Lived(stack.data_dir, live)


@pytest.fixture
def data_dir(lived: Lived, tmp_path: Path) -> Path:
    """A copy, to be bent."""
    return Path(shutil.copytree(lived.data_dir, tmp_path / "data"))


def test_a_stack_that_runs(lived: Lived) -> None:
    assert list(lived.live["invariants"]) == INVARIANTS
    assert broken(lived.live) == set(), lived.live
    unseen = {name for name, row in lived.live["invariants"].items() if not row["checked"]}
    assert unseen <= {"I4"}, "nothing need have been reversed"


def test_the_directory_that_it_leaves(data_dir: Path) -> None:
    """The banks have left snapshots when they were stopped; nothing is left behind in the directory for work."""
    work = data_dir / "work"
    work.mkdir()
    verdict = verified("--data-dir", str(data_dir), "--work-dir", str(work))
    assert broken(verdict) == set(), verdict
    assert not any(row["unchecked"] for row in verdict["invariants"].values())
    assert not list(work.iterdir())


def bend(data_dir: Path, name: str, statement: str) -> None:
    with closing(sqlite3.connect(data_dir / f"{name}.db")) as database:
        assert database.execute(statement).rowcount
        database.commit()


@pytest.mark.parametrize(
    ("name", "statement", "found"),
    [
        ("receipts", "DELETE FROM slips WHERE rrn IN (SELECT rrn FROM slips LIMIT 1)", {"I11", "I14"}),
        (
            "settlement",
            "UPDATE postings SET amount_minor = amount_minor + 1 WHERE entry IN (SELECT id FROM entries WHERE entry_kind = 'settlement' LIMIT 1)",
            {"I1", "I3", "I11"},
        ),
        ("settlement", "UPDATE batches SET debit_minor = debit_minor + 1 WHERE closed", {"I8", "I11"}),
    ],
)
def test_a_row_that_somebody_has_touched(data_dir: Path, name: str, statement: str, found: set[str]) -> None:
    bend(data_dir, name, statement)
    assert broken(verified("--data-dir", str(data_dir))) == found


def test_an_acknowledged_append_that_is_gone(data_dir: Path) -> None:
    (data_dir / "acks.jsonl").write_text('{"log": "journal.v1.0", "sequence": 100000, "digest": "d"}\n{"log": "jour')
    verdict = verified("--data-dir", str(data_dir))
    assert broken(verdict) == {"I13"}
    (row,) = verdict["invariants"]["I13"]["violations"]
    assert row["subject"] == "journal.v1.0 sequence 100000"
    assert row["what"] == "was acknowledged and is not there"


async def test_a_stream_that_is_gone(data_dir: Path) -> None:
    """A broker that has lost a log answers everything else: that is damage, and not a broker that does not answer."""
    broker = LocalBroker(data_dir / "broker")
    broker.start()
    try:
        bus = await Bus.connect(broker.url, "test", wait_s=10)
        await bus.client.jetstream().delete_stream("LEDGER_nanhai")
        await bus.close()
    finally:
        broker.stop()
    verdict = verified("--data-dir", str(data_dir))
    assert broken(verdict) == {name for name in INVARIANTS if name not in ("I1", "I12", "I13")}
    lost = [row["what"] for row in verdict["invariants"]["I7"]["violations"]]
    assert lost == ["ledger.v1.nanhai: the broker has no stream LEDGER_nanhai"]


def test_a_directory_for_work_that_cannot_be_written(data_dir: Path) -> None:
    done = subprocess.run(
        [LIANJI, "verify", "--data-dir", str(data_dir), "--work-dir", str(data_dir / "none")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("is no directory that can be written")


def test_a_stack_of_which_only_urls_are_known(data_dir: Path) -> None:
    """As Compose's: the broker and each database somewhere, terminals nowhere."""
    broker = LocalBroker(data_dir / "broker", users=world_users())
    broker.start()
    urls = [f"sqlite:///{data_dir}/{name}.db" for name in ("settlement", "receipts")]
    try:
        verdict = verified("--nats", broker.url, "--settlement", urls[0], "--receipts", urls[1], LIANJI_WORLD="test")
        missing = subprocess.run(
            [LIANJI, "verify", "--nats", broker.url, "--settlement", urls[0]],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ | {"LIANJI_WORLD": "test"},
        )
    finally:
        broker.stop()
    assert broken(verdict) == set(), verdict
    assert verdict["invariants"]["I9"]["checked"] == 0
    assert missing.returncode == 1
    assert missing.stderr.splitlines()[-1].startswith("lianji: receipts: missing; give the URL of its database")
