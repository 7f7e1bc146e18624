"""The audit: what counts as a finding, and what as not audited."""

from __future__ import annotations

import json
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from audit import __main__ as command
from audit import lock, sbom, vulnerabilities
from audit.vulnerabilities import AuditError

HASH = "sha256:" + "0f" * 32
REGISTRY = 'source = { registry = "https://registry.invalid/" }'


def locked(tmp_path: Path, text: str) -> lock.Locked:
    path = tmp_path / "uv.lock"
    path.write_text(text)
    return lock.read_lock(path)


def package(source: str, files: str) -> str:
    return f'[[package]]\nname = "a"\nversion = "1"\n{source}\n{files}\n'


def test_a_lock_whose_files_have_hashes(tmp_path: Path) -> None:
    files = f'sdist = {{ url = "x/a.tar.gz", hash = "{HASH}" }}\nwheels = [{{ url = "x/a.whl", hash = "{HASH}" }}]'
    member = package('source = { editable = "libs/a" }', "")
    assert locked(tmp_path, package(REGISTRY, files) + member) == (1, ())


@pytest.mark.parametrize(
    ("source", "files", "finding"),
    [
        (REGISTRY, 'wheels = [{ url = "x/a.whl" }]', "uv.lock: a 1: a.whl has no SHA-256"),
        (REGISTRY, f'sdist = {{ url = "x/a.tar.gz", hash = "{HASH[:-1]}" }}', "uv.lock: a 1: a.tar.gz has no SHA-256"),
        (REGISTRY, "", "uv.lock: a 1 has no file"),
        ('source = { git = "https://host.invalid/a" }', "", "uv.lock: a 1 comes from no registry: git"),
    ],
)
def test_a_lock_that_leaves_something_open(tmp_path: Path, source: str, files: str, finding: str) -> None:
    assert locked(tmp_path, package(source, files)).findings == (finding,)


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        (f"uv==1.0 \\\n    --hash={HASH} \\\n    --hash={HASH}\n# why\n", ()),
        ("uv==1.0\n", ("uv.txt: uv==1.0 has no SHA-256",)),
        (f"uv>=1.0 --hash={HASH}\n", ("uv.txt: uv>=1.0 is not one version",)),
        ("uv==1.0 --hash=md5:00\n", ("uv.txt: uv==1.0 has no SHA-256",)),
    ],
)
def test_requirements_with_hashes(tmp_path: Path, text: str, findings: tuple[str, ...]) -> None:
    path = tmp_path / "uv.txt"
    path.write_text(text)
    assert lock.read_requirements(path) == (1, findings)


CLEAN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found and could not be audited: b (2)"}
KNOWN = {"name": "c", "version": "3", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["3.1"], "aliases": []}]}
HOPELESS = {"name": "c", "version": "3", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": []}]}


@pytest.mark.parametrize(
    ("dependencies", "status", "says"),
    [
        ([CLEAN], command.HELD, "1 of 1 packages looked up at pypi, 0 known in 0 of them"),
        ([CLEAN, KNOWN], command.FOUND, "c 3: PYSEC-2026-1: mended in 3.1"),
        ([HOPELESS], command.FOUND, "no version mends it"),
        ([CLEAN, SKIPPED], command.NOT_AUDITED, "1 NOT looked up, pypi serves nothing about them here: b"),
        ([SKIPPED] * 7, command.NOT_AUDITED, "0 of 7 packages looked up at pypi"),
        ([SKIPPED, KNOWN], command.FOUND, "1 NOT looked up"),
        ([], command.NOT_AUDITED, "0 of 0 packages"),
    ],
)
def test_what_was_not_looked_up_has_not_been_audited(
    dependencies: list[Any], status: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """pip-audit itself ends well, and says that nothing is known, when the service knew none of the packages."""
    monkeypatch.setattr(command, "_hashes", lambda: command.HELD)
    monkeypatch.setattr(command, "_bill", lambda uv: command.HELD)
    monkeypatch.setattr(vulnerabilities, "requirements", lambda uv, target: None)
    report = json.dumps({"dependencies": dependencies, "fixes": []}).encode()
    monkeypatch.setattr(vulnerabilities, "look_up", lambda everything, service: vulnerabilities.judge(report))
    monkeypatch.setattr("sys.argv", ["audit"])
    assert command.main() == status
    output = capsys.readouterr().out
    assert says in output
    assert ("NOT audited" in output) == (status == command.NOT_AUDITED)
    assert ("all of it held" in output) == (status == command.HELD)


def test_a_service_that_cannot_be_asked_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A real process that fails as pip-audit does: nothing on its output, a trace of calls on its errors."""
    failing = tmp_path / "uv"
    failing.write_text("#!/bin/sh\nprintf 'Traceback\\n  File\\nConnectionError: no route\\n' >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr(command, "_hashes", lambda: command.HELD)
    monkeypatch.setattr(command, "_bill", lambda uv: command.HELD)
    monkeypatch.setattr("sys.argv", ["audit", "--uv", str(failing)])
    assert command.main() == command.NOT_AUDITED
    assert capsys.readouterr().out == "audit: NOT audited: uv export: ConnectionError: no route\n"


def test_a_report_that_is_none() -> None:
    with pytest.raises(AuditError, match="pip-audit's report cannot be read"):
        vulnerabilities.judge(b"No known vulnerabilities found")


def component(name: str, *, hashes: bool = True, **more: Any) -> dict[str, Any]:
    file = {"type": "distribution", "hashes": [{"alg": "SHA-256", "content": "0f" * 32}] if hashes else []}
    return {"type": "library", "name": name, "externalReferences": [file], **more}


def test_the_bill_takes_licences_from_what_is_installed() -> None:
    member = {"name": "lianji-x", "properties": [{"name": "uv:workspace:path", "value": "libs/x"}]}
    document = {"components": [component("a"), component("elsewhere"), member]}
    licences = {"a": [{"expression": "MIT"}]}
    bill = sbom.complete(document, "Apache-2.0", lambda name: licences.get(name, []))
    assert bill == (2, 1, ("elsewhere",))
    assert [c.get("licenses") for c in document["components"]] == [
        [{"expression": "MIT"}],
        None,
        [{"expression": "Apache-2.0"}],
    ]


@pytest.mark.parametrize("wrong", [component("a", hashes=False), {"name": "a", "externalReferences": []}])
def test_a_bill_without_hashes_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(AuditError, match="SBOM: a has a file without a hash"):
        sbom.complete({"components": [wrong]}, "Apache-2.0", lambda name: [])


@pytest.mark.parametrize(
    ("headers", "licences"),
    [
        ([("License-Expression", "MIT OR Apache-2.0"), ("License", "whatever")], [{"expression": "MIT OR Apache-2.0"}]),
        (
            [("License", "MIT"), ("Classifier", "License :: OSI Approved :: MIT License")],
            [{"license": {"name": "MIT License"}}],
        ),
        ([("License", "ISC License")], [{"license": {"name": "ISC License"}}]),
        ([("License", "The whole text\nof a licence")], []),
        ([], []),
    ],
)
def test_what_a_package_says_of_its_licence(headers: list[tuple[str, str]], licences: list[Any]) -> None:
    about: Any = Message()
    for name, value in headers:
        about[name] = value
    assert sbom.said(about) == licences


def test_an_installed_package_is_asked() -> None:
    assert metadata.version("msgspec")
    assert sbom.installed_licences("msgspec")
    assert sbom.installed_licences("not-installed-anywhere") == []
