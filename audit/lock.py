"""Reads uv.lock and deploy/uv.txt: each file that may be installed is named with its SHA-256, or it is a finding."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_PINNED = re.compile(r"[\w.-]+(?:\[[\w,-]+\])?==\S+")
OURS = ("editable", "virtual")
"""How the lock names a member of the workspace: a folder of this tree."""


class Locked(NamedTuple):
    """What a lock names."""

    packages: int
    """From a registry; the workspace's own members are not counted."""
    findings: tuple[str, ...]
    """One line each; empty when every file has its hash."""


def read_lock(path: Path) -> Locked:
    """uv.lock."""
    lock = tomllib.loads(path.read_text(encoding="utf-8"))
    theirs = [package for package in lock["package"] if not set(package["source"]) & set(OURS)]
    return Locked(len(theirs), tuple(line for package in theirs for line in _findings(package)))


def _findings(package: dict[str, Any]) -> list[str]:
    name = f"{package['name']} {package['version']}"
    if set(package["source"]) != {"registry"}:
        return [f"uv.lock: {name} comes from no registry: {', '.join(package['source'])}"]
    files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
    if not files:
        return [f"uv.lock: {name} has no file"]
    return [
        f"uv.lock: {name}: {file['url'].rpartition('/')[2]} has no SHA-256"
        for file in files
        if not _SHA256.fullmatch(file.get("hash", ""))
    ]


def read_requirements(path: Path) -> Locked:
    """A file for `pip install --require-hashes`: every requirement is one version with at least one SHA-256."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in (row.partition("#")[0].strip() for row in text.splitlines()) if line]
    findings = []
    for line in lines:
        name, *options = line.split()
        if not _PINNED.fullmatch(name):
            findings.append(f"{path.name}: {name} is not one version")
        if not any(_SHA256.fullmatch(option.removeprefix("--hash=")) for option in options):
            findings.append(f"{path.name}: {name} has no SHA-256")
    return Locked(len(lines), tuple(findings))
