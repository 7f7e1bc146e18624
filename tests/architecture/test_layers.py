"""The layers of ARCHITECTURE.md hold: import-linter's contracts, and what imports alone cannot say."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"
PARENTS = ("libs", "services", "simulators")
# At the root, beside the workspace: they drive a stack as a user would. `audit` and `fuzz` stand alone.
TOOLS = ("bench", "leaks", "reliability", "traces")


def packages(*parents: str) -> dict[str, Path]:
    """Package name → its folder, for every member of the workspace under `parents`."""
    found = {p.parent.name: p.parent for parent in parents for p in (ROOT / parent).glob("*/*/__init__.py")}
    assert found, f"nothing under {parents}"
    return found


def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


def names(parser: configparser.ConfigParser, section: str, option: str) -> set[str]:
    return set(parser[f"importlinter{section}"][option].split())


def lint(config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT_IMPORTS), "--no-logo", "--no-cache", "--config", str(config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_contracts_are_kept() -> None:
    result = lint(ROOT / ".importlinter")
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("was", "becomes", "broken"),
    [
        ("    uuid\n", "    uuid\n    msgspec\n", "Domains are pure"),  # an import from outside, on the list
        ("    uuid\n", "    uuid\n    datetime\n", "Domains are pure"),  # the standard library is seen as well
        ("    rows\n    bulk", "    bulk", "settlement BROKEN"),  # a file without a place
        # a library above its user
        (
            "    key_store | world\n    iso8583 | runtime | security_module\n",
            "    iso8583 | runtime | security_module\n    key_store | world\n",
            "Services and simulators",
        ),
    ],
)
def test_checker_sees_a_breach(tmp_path: Path, was: str, becomes: str, broken: str) -> None:
    """The same contracts with one of them bent so that the code as it is breaks it."""
    text = (ROOT / ".importlinter").read_text()
    assert text.count(was) == 1
    config = tmp_path / ".importlinter"
    config.write_text(text.replace(was, becomes))
    result = lint(config)
    assert result.returncode == 1, result.stdout
    assert broken in result.stdout


def test_every_package_is_under_the_contracts() -> None:
    parser = contracts()
    everything = set(packages(*PARENTS)) | {"lianji", *TOOLS}
    assert names(parser, "", "root_packages") == everything
    assert names(parser, ":contract:packages", "layers") - {"|"} == everything


def test_every_package_has_layers_of_its_own() -> None:
    parser = contracts()
    layered = {s["containers"] for s in (parser[name] for name in parser.sections()) if s.get("exhaustive") == "True"}
    assert layered >= set(packages(*PARENTS)) | {"lianji"}


def test_every_domain_is_held_pure() -> None:
    domains = {f"{name}.domain" for name, folder in packages("services").items() if (folder / "domain").is_dir()}
    assert names(contracts(), ":contract:pure", "source_modules") == domains | {"contracts"}


def sources(*folders: Path) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> set[str]:
    """Top-level names of every module that is imported anywhere in a file, conditionally or in a function too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_only_runtime_imports_nats() -> None:
    """Tests may, to look from outside; so may the bare chain, which is what the path is measured against."""
    folders = [ROOT / name for name in (*PARENTS, "cli", *TOOLS)]
    importers = {str(path) for path, tree in sources(*folders) if "nats" in imported(tree)}
    strangers = {p for p in importers if not p.startswith("libs/runtime/")}
    assert strangers <= {"bench/floor.py"}
    assert importers - strangers, "the scan finds nothing: it looks in the wrong place"


CLOCK_CALLS = {"now", "utcnow", "today"}


def test_domains_ask_no_clock() -> None:
    """`datetime` is welcome for reckoning with dates; asking it for the time is not: the time is passed in."""
    folders = [folder / "domain" for folder in packages("services").values()]
    asked = [
        f"{path}:{node.lineno}"
        for path, tree in sources(*folders, ROOT / "libs" / "contracts")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS
    ]
    assert not asked
