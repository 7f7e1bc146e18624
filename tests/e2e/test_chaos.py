"""`make chaos` in small: a handful of faults under load, nothing lost, nothing doubled; and a Ctrl-C that leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.support import PATIENCE_S, wait_until

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parents[2]
CHAOS = [sys.executable, "-m", "reliability.chaos", "--rate", "40"]
KILLS_LINES_POISON = "[kpt]*"


def test_a_handful_of_faults_loses_and_doubles_nothing(tmp_path: Path) -> None:
    written = tmp_path / "chaos.json"
    done = subprocess.run(
        [
            *CHAOS,
            "--minutes",
            "5",
            "--faults",
            "5",
            "--seed",
            "11",
            "--only",
            KILLS_LINES_POISON,
            "--report",
            str(written),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE_S,
        check=False,
    )
    said = done.stdout + done.stderr
    assert written.exists(), said
    report = json.loads(written.read_bytes())
    struck = [row for row in report["rows"] if row["back_s"]]
    assert sum(len(row["back_s"]) for row in struck) == 5, said
    assert not [row for row in report["rows"] if row["lost"] or row["doubled"] or row["never_back"]], said
    assert report["complaints"] == [], said
    [judged] = report["judged"]
    assert judged["differences"] == [], said
    assert judged["held"], said
    assert all(judged["held"].values()), said
    assert judged["approved"] > 50
    assert judged["acknowledged"] > 100


def of_this_run(folder: str) -> list[str]:
    """Processes that know of the run's folder, by their command or their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:  # it has ended, is another user's, or is no process
            continue
        if folder.encode() in text:
            found.append(f"{entry.name}: {text[:80]!r}")
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_an_interrupt_leaves_nothing_behind() -> None:
    process = subprocess.Popen(
        [*CHAOS, "--only", "SIGSTOP*", "--seed", "3"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # as from a terminal, the interrupt is for all of its processes
    )
    assert process.stdout is not None
    try:
        begun = process.stdout.readline()
        found = re.search(r"build/(chaos-\w+)", begun)
        assert found, begun
        first = process.stdout.readline()
        assert "SIGSTOP" in first, first
        assert of_this_run(found[1])
        os.killpg(process.pid, signal.SIGINT)
        rest = process.communicate(timeout=PATIENCE_S)[0]
        assert process.returncode == 130, rest
        wait_until(lambda: of_this_run(found[1]) == [], f"nothing of {found[1]} runs: {of_this_run(found[1])}")
        assert not (ROOT / "build" / found[1]).exists()
    finally:
        process.kill()
