"""A backup is what its manifest says, or it is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import world
from lianji.app import run
from lianji.errors import CliError
from lianji.recovery import manifest
from lianji.recovery.manifest import Manifest, file_entry, fingerprint, newest, read


def make(folder: Path, *, version: int = manifest.VERSION, world_: str = "w") -> Path:
    """A backup of one log."""
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "JOURNAL_0.jsonl").write_bytes(b"{}\n")
    held = Manifest(
        version=version,
        made_at=folder.name,
        world=world_,
        logs=[],
        buckets=[],
        databases=[],
        terminals=0,
        files=[file_entry(folder, "logs/JOURNAL_0.jsonl")],
    )
    (folder / manifest.NAME).write_bytes(msgspec.json.encode(held))
    return folder


def test_the_newest_backup_of_a_folder_is_taken_or_the_one_that_is_named(tmp_path: Path) -> None:
    first, second = make(tmp_path / "20260101T000000Z"), make(tmp_path / "20260102T000000Z")
    (tmp_path / "20260103T000000Z.partial").mkdir()  # was not finished
    assert newest(tmp_path) == second
    assert newest(first) == first
    assert read(second).files[0].bytes == 3


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda backup: (backup / "logs" / "JOURNAL_0.jsonl").write_bytes(b"{ \n"), "is not what was written"),
        (lambda backup: (backup / "logs" / "JOURNAL_0.jsonl").write_bytes(b"{}\n{}\n"), "is not what was written"),
        (lambda backup: (backup / "logs" / "JOURNAL_0.jsonl").unlink(), "JOURNAL_0.jsonl is missing"),
        (lambda backup: (backup / manifest.NAME).write_bytes(b"{"), "manifest.json cannot be read"),
    ],
    ids=["a byte", "longer", "a file gone", "the manifest"],
)
def test_a_damaged_backup_is_refused(tmp_path: Path, damage: Callable[[Path], object], says: str) -> None:
    backup = make(tmp_path / "20260101T000000Z")
    damage(backup)
    with pytest.raises(CliError, match=says):
        read(backup)


def test_a_backup_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="of version 9"):
        read(make(tmp_path / "20260101T000000Z", version=9))


def test_worlds_are_told_apart_by_their_public_keys(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    prints = [fingerprint(world.built_in(), keys) for keys in (None, one, other)]
    assert len(set(prints)) == 3
    assert fingerprint(world.built_in(), one) == prints[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("restore", "{empty}"), "holds no manifest.json"),
        (("restore", "{backup}"), "is of a world with other keys"),
        (("backup", "{to}"), "is no stack's data directory"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, str], says: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {
        "empty": tmp_path / "empty",
        "backup": make(tmp_path / "20260101T000000Z"),
        "to": tmp_path / "to",
    }
    command, place = arguments
    assert run((command, place.format(**places), "--data-dir", str(tmp_path / "data"))) == 1
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "data").exists()
