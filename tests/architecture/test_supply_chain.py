"""What is installed is locked by hash, and there for a reason that somebody wrote down."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from audit import lock, sbom

ROOT = Path(__file__).resolve().parents[2]
ADR = ROOT / "docs" / "adr" / "0010-dependencies.md"
MEMBERS = sorted(
    [ROOT / "pyproject.toml", *ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]
)
MEMBERS += [*ROOT.glob("simulators/*/pyproject.toml"), ROOT / "cli" / "pyproject.toml"]
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def name(requirement: object) -> str:
    """`nats-py[nkeys]>=2` → `nats-py`."""
    found = _NAME.match(str(requirement))
    assert found, requirement
    return found.group().lower().replace("_", "-")


def direct(path: Path) -> set[str]:
    """What a member asks for by name: to run, in its groups, to be built."""
    file = tomllib.loads(path.read_text(encoding="utf-8"))
    project = file["project"]
    lists = [project.get("dependencies", []), file.get("build-system", {}).get("requires", [])]
    lists += [*project.get("optional-dependencies", {}).values(), *file.get("dependency-groups", {}).values()]
    return {name(requirement) for row in lists for requirement in row}


def ours() -> set[str]:
    return {tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"] for path in MEMBERS}


def table_of(page: str) -> set[str]:
    """The names in the table's second column."""
    rows = [line.split("|") for line in page.splitlines() if line.startswith("|")]
    return {
        found.lower().replace("_", "-")
        for row in rows[2:]
        for found in re.findall(r"`([\w.-]+)(?:\[[\w,-]+\])?`", row[2])
    }


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_direct_dependency_has_its_reason(member: Path) -> None:
    missing = direct(member) - ours() - table_of(ADR.read_text(encoding="utf-8"))
    assert not missing, f"give each a line in {ADR.relative_to(ROOT)}"


def test_a_dependency_without_a_line_is_seen() -> None:
    page = ADR.read_text(encoding="utf-8")
    without = "\n".join(line for line in page.splitlines() if "`msgspec`" not in line)
    assert "msgspec" in table_of(page) - table_of(without)


def test_every_locked_file_has_its_hash() -> None:
    locked = lock.read_lock(ROOT / "uv.lock")
    assert locked.packages > 20, "the reader finds nothing"
    assert not locked.findings


def test_the_installer_is_locked_by_hash_too() -> None:
    installer = lock.read_requirements(ROOT / "deploy" / "uv.txt")
    assert installer.packages == 1
    assert not installer.findings


def test_the_bill_of_materials_names_what_runs() -> None:
    """Written by the locked uv from the lock: packages with hashes, every member with its licence."""
    _, bill = sbom.make(ROOT / ".uv" / "bin" / "uv", ROOT)
    assert bill.members == len(MEMBERS)
    assert bill.packages > 15
