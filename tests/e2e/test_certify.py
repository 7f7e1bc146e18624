"""`lianji certify` against a stack of its own: every case passes, the report is the golden file's, and the books hold afterwards."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.support import LIANJI, StackProcess

pytestmark = [pytest.mark.broker, pytest.mark.processes]

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "certification.txt"
CASES_AT_LEAST = 60
NEW = "LIANJI_NEW_GOLDEN"
"""Set: the golden file is written anew."""


def certify(stack: StackProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    host, port = stack.gateway
    return subprocess.run(
        [LIANJI, "certify", "--host", host, "--port", str(port), "--data-dir", str(stack.data_dir), *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def without_what_varies(report: str) -> str:
    """Host and time."""
    report = re.sub(r"^Certification of \S+,", "Certification of HOST:PORT,", report)
    return re.sub(r", in [0-9.]+ s\n$", "\n", report)


def test_the_stack_passes_and_the_report_is_the_golden_one(fragile: StackProcess, tmp_path: Path) -> None:
    done = certify(fragile, "--json", str(tmp_path / "report.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    said = without_what_varies(done.stdout)
    if os.environ.get(NEW):
        GOLDEN.write_text(said)
    assert said == GOLDEN.read_text()
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["cases"]) >= CASES_AT_LEAST
    assert {case["name"] for case in report["cases"] if not case["passed"]} == set()
    assert report["passed"] == len(report["cases"])
    # Once more: nothing of the first run is in the way of the second.
    again = certify(fragile, "--only", "batch")
    assert again.returncode == 0, again.stdout
    assert fragile.run("verify").returncode == 0
