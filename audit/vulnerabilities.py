"""Asks what is known against each locked version, by pip-audit.

pip-audit ends well, with "No known vulnerabilities found", also when the service knew none of the packages: it only notes each as
skipped. What was not looked up has not been audited, so here it counts as such.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

SERVICES = ("pypi", "osv")
ANSWER_S = 15
"""How long pip-audit waits for the service, per package."""


class AuditError(Exception):
    """The audit could not be made; the text says why, in one line."""


class Vulnerability(msgspec.Struct):
    id: str
    fix_versions: list[str] = []
    aliases: list[str] = []


class Dependency(msgspec.Struct):
    """One package of pip-audit's report."""

    name: str
    version: str = ""
    vulns: list[Vulnerability] = []
    skip_reason: str = ""


class _Report(msgspec.Struct):
    dependencies: list[Dependency]


class Verdict(NamedTuple):
    """What the service knew."""

    audited: int
    vulnerable: tuple[Dependency, ...]
    skipped: tuple[Dependency, ...]


_report = msgspec.json.Decoder(_Report).decode


def requirements(uv: Path, target: Path) -> None:
    """Everything of the lock that this platform would install, in all groups, with its hashes."""
    command = [str(uv), "export", "--quiet", "--frozen", "--all-packages", "--all-groups", "--no-emit-workspace"]
    run([*command, "--no-header", "--output-file", str(target)], "uv export")


def look_up(requirements: Path, service: str) -> Verdict:
    """What `service` knows of the requirements; AuditError when it cannot be asked."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--require-hashes"]
    command += ["--disable-pip", "--vulnerability-service", service, "--timeout", str(ANSWER_S)]
    command += ["--progress-spinner", "off", "--format", "json"]
    return judge(run(command, f"the vulnerability service ({service}) could not be asked"))


def judge(report: bytes) -> Verdict:
    """Sorts pip-audit's report (JSON).

    >>> judge(b'{"dependencies": [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}]}').audited
    1
    """
    try:
        dependencies = _report(report).dependencies
    except msgspec.MsgspecError as error:
        raise AuditError(f"pip-audit's report cannot be read: {error}") from None
    skipped = tuple(d for d in dependencies if d.skip_reason)
    vulnerable = tuple(d for d in dependencies if d.vulns)
    return Verdict(len(dependencies) - len(skipped), vulnerable, skipped)


def run(command: list[str], what: str) -> bytes:
    """The command's output; pip-audit's exit status 1 with a report means that something was found."""
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode and not done.stdout.strip():
        errors = done.stderr.decode(errors="replace").strip().splitlines()
        raise AuditError(f"{what}: {errors[-1] if errors else f'exit status {done.returncode}'}")
    return done.stdout
