"""Each kind of damage strikes what it says and nothing else, and the same seed strikes the same place."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reliability.corruption.damage import DAMAGES, LOG, Damage
from reliability.corruption.trial import Trial

STREAMS = ("JOURNAL_0", "JOURNAL_1", "LEDGER_huaxing", "KV_SNAPSHOTS_AUTH", "KV_LEASES")


def data_dir(root: Path) -> Path:
    """What a stopped stack leaves, as far as damage looks at it."""
    for name in STREAMS:
        messages = root / "broker" / "jetstream" / "jetstream" / "$G" / "streams" / name / "msgs"
        messages.mkdir(parents=True)
        (messages.parent / "meta.inf").write_bytes(b"{}" * 50)
        for block in (1, 2, 10):
            (messages / f"{block}.blk").write_bytes(bytes(range(256)) * 40)
    for name in ("receipts.db", "settlement.db"):
        with closing(sqlite3.connect(root / name)) as connection:
            connection.execute("CREATE TABLE t (b BLOB)")
            connection.execute("INSERT INTO t VALUES (zeroblob(50000))")
            connection.commit()
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", DAMAGES, ids=[kind.name for kind in DAMAGES])
@pytest.mark.parametrize("seed", range(5))
def test_it_strikes_one_thing_and_says_which(tmp_path: Path, kind: Damage, seed: int) -> None:
    first, second = data_dir(tmp_path / "first"), data_dir(tmp_path / "second")
    before = contents(first)
    struck, again = (kind.strike(random.Random(seed), root) for root in (first, second))  # noqa: S311 - to be repeated
    assert again == struck
    after = contents(first)
    assert after == contents(second)
    changed = {path for path in before if before[path] != after.get(path)}
    assert changed
    assert all(struck.name in path for path in changed), changed
    assert struck.name.startswith(("JOURNAL_", "LEDGER_")) == (kind.of == LOG)


def test_a_trial_is_good_when_it_was_noticed_and_the_world_came_back() -> None:
    facts = {"number": 1, "kind": "a bit", "where": "JOURNAL_0", "what": "bit 1", "stopped": "killed"}
    assert not Trial(**facts).good  # type: ignore[arg-type]
    assert Trial(**facts, detected=True).good  # type: ignore[arg-type]
    assert Trial(**facts, detected=True, restored=True).good  # type: ignore[arg-type]
    assert not Trial(**facts, detected=True, restored=False).good  # type: ignore[arg-type]
    assert not Trial(**facts, detected=True, complaint="somebody took office").good  # type: ignore[arg-type]
