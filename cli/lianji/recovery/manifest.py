"""What a backup holds: one file of JSON beside its files, written last."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from lianji.errors import CliError
from lianji.permissions import everybody, key_of
from world import World

NAME = "manifest.json"
VERSION = 1
_PIECE = 1 << 20


class FileEntry(msgspec.Struct, kw_only=True):
    """One file of the backup, by its path in it."""

    path: str
    bytes: int
    sha256: str


class LogEntry(msgspec.Struct, kw_only=True):
    """A log: one group a line, as it stands in its stream."""

    path: str
    stream: str
    subject: str
    sequence: int
    """Of the last group, which is the number of lines."""
    digest: str
    """Of the last group: the end of the hash chain."""
    records: int


class BucketEntry(msgspec.Struct, kw_only=True):
    """A bucket: one `{"key", "value"}` a line, the value in Base64. Keys in it are wrapped, as they are in the bucket."""

    path: str
    bucket: str
    keys: int


class DatabaseEntry(msgspec.Struct, kw_only=True):
    """A projection's database, by SQLite's online backup. It is behind the logs, never ahead of them."""

    path: str
    checkpoints: dict[str, int]


class Manifest(msgspec.Struct, kw_only=True):
    version: int
    made_at: str
    """UTC, as in the name of the backup's folder."""
    world: str
    """SHA-256 over the public keys of everybody at the broker: whose world this is."""
    logs: list[LogEntry]
    buckets: list[BucketEntry]
    databases: list[DatabaseEntry]
    terminals: int
    """Memories of terminals, in the test world."""
    files: list[FileEntry]


_decode = msgspec.json.Decoder(Manifest).decode


def fingerprint(world: World, keys: Path | None) -> str:
    """Whose world it is: everybody's public key at the broker, hashed; raises CliError."""
    lines = sorted(
        f"{one.identity} {key_of(keys, one.identity).public}" for one in everybody(world, drills=keys is None)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def file_entry(backup: Path, path: str) -> FileEntry:
    """A file of the backup as it is now."""
    size, total = 0, hashlib.sha256()
    with (backup / path).open("rb") as file:
        while piece := file.read(_PIECE):
            size += len(piece)
            total.update(piece)
    return FileEntry(path=path, bytes=size, sha256=total.hexdigest())


def newest(path: Path) -> Path:
    """`path` itself when it is a backup, else the newest of those in it; raises CliError."""
    if (path / NAME).is_file():
        return path
    found = sorted(entry.parent for entry in path.glob(f"*/{NAME}"))
    if not found:
        raise CliError(
            f"backup: {path} holds no {NAME}, nor does a folder in it: name what `lianji backup` wrote, "
            "a backup without its manifest was not finished"
        )
    return found[-1]


def read(backup: Path) -> Manifest:
    """The manifest of a backup whose files are all what they were; raises CliError that names the first that is not."""
    try:
        manifest = _decode((backup / NAME).read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise CliError(f"backup: {backup / NAME} cannot be read ({error}): take another backup") from None
    if manifest.version != VERSION:
        raise CliError(f"backup: {backup} is of version {manifest.version}, and this `lianji` reads {VERSION}")
    for expected in manifest.files:
        if not (backup / expected.path).is_file():
            raise CliError(f"backup: {backup / expected.path} is missing: take another backup")
        found = file_entry(backup, expected.path)
        if found != expected:
            raise CliError(
                f"backup: {backup / expected.path} is not what was written (SHA-256 {found.sha256[:12]}…, "
                f"{found.bytes} bytes; it was {expected.sha256[:12]}…, {expected.bytes} bytes): take another backup"
            )
    return manifest
