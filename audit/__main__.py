"""`python -m audit`: hashes of the lock, known vulnerabilities, the SBOM; one line each, and one with the verdict.

Exit status: 0 all of it held, 1 something was found, 2 not audited (the service could not be asked, or did not know the packages).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from audit import lock, sbom, vulnerabilities
from audit.vulnerabilities import AuditError, Verdict

TREE = Path(__file__).resolve().parents[1]
TARGET = TREE / "build" / "sbom.cdx.json"
HELD, FOUND, NOT_AUDITED = 0, 1, 2
VERDICTS = {
    HELD: "all of it held",
    FOUND: "FAILED: what was found stands above",
    NOT_AUDITED: "NOT audited: what nobody could look up stands above; try again where the service answers, or another (make audit AUDIT_SERVICE=osv)",
}
SHOWN = 5
"""Names in a line; of more, the number is said."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m audit", description="Hashes, known vulnerabilities, SBOM.")
    parser.add_argument(
        "--service", choices=vulnerabilities.SERVICES, default="pypi", help="who is asked about vulnerabilities"
    )
    parser.add_argument("--uv", type=Path, default=TREE / ".uv" / "bin" / "uv", help="the locked installer")
    arguments = parser.parse_args()
    try:
        statuses = [_hashes(), _bill(arguments.uv), _known(arguments.uv, arguments.service)]
    except AuditError as error:
        _say(f"NOT audited: {error}")
        return NOT_AUDITED
    status = FOUND if FOUND in statuses else max(statuses)
    _say(VERDICTS[status])
    return status


def _hashes() -> int:
    """uv.lock, and what installs the installer."""
    locked = lock.read_lock(TREE / "uv.lock")
    installer = lock.read_requirements(TREE / "deploy" / "uv.txt")
    for finding in (*locked.findings, *installer.findings):
        _say(finding)
    found = len(locked.findings) + len(installer.findings)
    _say(f"hashes: {locked.packages} packages of uv.lock, {installer.packages} of deploy/uv.txt, {found} findings")
    return FOUND if found else HELD


def _bill(uv: Path) -> int:
    from audit import schema  # noqa: PLC0415 - needs the `audit` group, which the tests of the rest do not have

    text, bill = sbom.make(uv, TREE)
    schema.check(text)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    without = (
        f", {_named(bill.without_licence)} not installed here and so without a licence" if bill.without_licence else ""
    )
    _say(
        f"SBOM: {TARGET.relative_to(TREE)}, {bill.packages} packages that run and {bill.members} members of the workspace, "
        f"valid CycloneDX 1.5{without}"
    )
    return HELD


def _known(uv: Path, service: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        everything = Path(folder) / "requirements.txt"
        vulnerabilities.requirements(uv, everything)
        verdict = vulnerabilities.look_up(everything, service)
    return _judged(verdict, service)


def _judged(verdict: Verdict, service: str) -> int:
    """Says what was found, and what was not looked up."""
    for dependency in verdict.vulnerable:
        for known in dependency.vulns:
            mended = f"mended in {', '.join(known.fix_versions)}" if known.fix_versions else "no version mends it"
            _say(f"{dependency.name} {dependency.version}: {known.id}: {mended}")
    asked = verdict.audited + len(verdict.skipped)
    _say(
        f"vulnerabilities: {verdict.audited} of {asked} packages looked up at {service}, "
        f"{sum(len(d.vulns) for d in verdict.vulnerable)} known in {len(verdict.vulnerable)} of them"
    )
    if verdict.skipped:
        names = _named(tuple(d.name for d in verdict.skipped))
        _say(f"{len(verdict.skipped)} NOT looked up, {service} serves nothing about them here: {names}")
    if verdict.vulnerable:
        return FOUND
    return NOT_AUDITED if verdict.skipped or not asked else HELD


def _named(names: tuple[str, ...]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _say(line: str) -> None:
    sys.stdout.write(f"audit: {line}\n")


if __name__ == "__main__":
    raise SystemExit(main())
