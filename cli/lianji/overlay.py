"""What a drill adds to the environment of one process of the stack, from its next start on: a file for each process, read by the supervisor."""

from __future__ import annotations

from pathlib import Path

import msgspec

_decode = msgspec.json.Decoder(dict[str, str]).decode


def _folder(data_dir: Path) -> Path:
    return data_dir / "run" / "overlay"


def _path(data_dir: Path, name: str) -> Path:
    return _folder(data_dir) / f"{name}.json"


def read(data_dir: Path, name: str) -> dict[str, str]:
    """What is added to the environment of this process; empty when nothing is."""
    try:
        return _decode(_path(data_dir, name).read_bytes())
    except FileNotFoundError:
        return {}


def put(data_dir: Path, name: str, variable: str, value: str) -> None:
    """Adds a variable. Atomically, for the supervisor may look at any moment."""
    path = _path(data_dir, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode({**read(data_dir, name), variable: value}))
    partial.replace(path)


def drop(data_dir: Path, name: str, variable: str) -> None:
    """Takes a variable away again."""
    left = {key: value for key, value in read(data_dir, name).items() if key != variable}
    remove(data_dir, name)
    for key, value in left.items():
        put(data_dir, name, key, value)


def remove(data_dir: Path, name: str) -> None:
    _path(data_dir, name).unlink(missing_ok=True)


def having(data_dir: Path, variable: str) -> dict[str, str]:
    """The processes to whose environment this variable is added, with its value."""
    names = sorted(path.stem for path in _folder(data_dir).glob("*.json"))
    return {name: value for name in names if (value := read(data_dir, name).get(variable)) is not None}
