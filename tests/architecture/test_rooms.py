"""Every service shows the same rooms, files stay small, and nothing in the tree belongs to one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(p.name for p in (ROOT / "services").iterdir() if (p / "pyproject.toml").exists())
PROJECTIONS = {"receipts", "settlement"}
LINES = 400


def files_in_the_tree() -> list[Path]:
    """What git tracks or would track; in a tree without git, all but what is built."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
        found = [ROOT / name for name in listed if name]
    except (FileNotFoundError, subprocess.CalledProcessError):
        built = {".venv", "__pycache__", "build", ".git"}
        found = [p for p in ROOT.rglob("*") if not built & set(p.relative_to(ROOT).parts)]
    found = [path for path in found if path.is_file()]
    assert ROOT / "pyproject.toml" in found
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_service_has_its_rooms(service: str) -> None:
    package = ROOT / "services" / service / service.replace("-", "_")
    rooms = ["__main__.py", "settings.py", "app.py", "handlers.py", "domain/__init__.py"]
    if service in PROJECTIONS:
        rooms.append("store.py")
    assert not [room for room in rooms if not (package / room).is_file()]


def test_five_services() -> None:
    assert set(SERVICES) >= {"auth", "issuer-sim", "receipts", "settlement", "terminal-gw"}


def test_no_python_file_is_long() -> None:
    lengths = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n")
        for path in files_in_the_tree()
        if path.suffix == ".py" and not path.is_relative_to(ROOT / "tests")  # a table of cases may be as long as it is
    }
    assert {name: lines for name, lines in lengths.items() if lines > LINES} == {}


# Spelled in pieces, so that this file does not find itself.
BELONGS_TO_A_MACHINE = re.compile(
    r"(?<![\w.])/(?:work|root|home|Users|mnt)/[\w.]"  # somebody's folders
    r"|\bpypi\."
    + r"org|pythonhosted\."
    + r"org|registry\.npmjs|/sim"
    + r"ple/?[\"'\s]"  # where somebody's packages come from
)


def text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def test_nothing_belongs_to_one_machine() -> None:
    """Registries are the user's own choice (only the lock names them), and a path of a machine helps nobody else."""
    found = []
    for path in files_in_the_tree():
        if path.name == "uv.lock" or (text := text_of(path)) is None:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if BELONGS_TO_A_MACHINE.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "/ro" + "ot/.pyenv",
        "cd /wo" + "rk/main",
        "https://py" + "pi.org/sim" + "ple/",
        'url = "https://files.python' + 'hosted.org/x"',
    ],
)
def test_what_belongs_to_a_machine_is_recognised(line: str) -> None:
    assert BELONGS_TO_A_MACHINE.search(line)


@pytest.mark.parametrize("line", ["src/work/x.py", "http://www.apache.org/licenses/", "/data/jetstream", "/tmp"])  # noqa: S108 - an example
def test_what_belongs_to_none_is_left_alone(line: str) -> None:
    assert not BELONGS_TO_A_MACHINE.search(line)
