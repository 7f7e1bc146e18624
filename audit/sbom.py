"""The bill of materials: what runs, in CycloneDX 1.5 JSON.

uv writes packages, versions, hashes, dependencies and the workspace's members from the lock; the licences, which no lock knows, come
from what is installed. A package that this platform does not install stands there without one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from audit.vulnerabilities import AuditError, run

OURS = {"uv:workspace:path", "uv:package:is_project_root"}
"""The properties that uv gives the members of the workspace, and the workspace itself."""
_CLASSIFIER = "License :: "

License = dict[str, Any]


class Bill(NamedTuple):
    """What the document names."""

    packages: int
    members: int
    without_licence: tuple[str, ...]


def make(uv: Path, root: Path) -> tuple[str, Bill]:
    """The document's text; AuditError when uv cannot write it, or a package has no hash."""
    command = [str(uv), "export", "--quiet", "--frozen", "--all-packages", "--no-dev"]
    command += ["--format", "cyclonedx1.5", "--preview-features", "sbom-export", "--directory", str(root)]
    document = msgspec.json.decode(run(command, "uv export"))
    own = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["license"]
    bill = complete(document, own, installed_licences)
    return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n", bill


def complete(document: dict[str, Any], own: str, licences: Callable[[str], list[License]]) -> Bill:
    """Adds each component's licences; a file without a hash raises AuditError."""
    packages, members, without = 0, 0, []
    for component in document["components"]:
        name = component["name"]
        if OURS & {row["name"] for row in component.get("properties", ())}:
            members += 1
            component["licenses"] = [{"expression": own}]
            continue
        packages += 1
        files = component.get("externalReferences", ())
        if not files or not all(file.get("hashes") for file in files):
            raise AuditError(f"SBOM: {name} has a file without a hash")
        if found := licences(name):
            component["licenses"] = found
        else:
            without.append(name)
    return Bill(packages, members, tuple(without))


def installed_licences(name: str) -> list[License]:
    """What the installed package says of its licence."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return []
    return said(about)


def said(about: metadata.PackageMetadata) -> list[License]:
    """The SPDX expression (PEP 639), or what packages wrote before there was one: classifiers, else a line of their own."""
    if "License-Expression" in about:
        return [{"expression": about["License-Expression"]}]
    names = [text.rpartition(" :: ")[2] for text in about.get_all("Classifier") or [] if text.startswith(_CLASSIFIER)]
    if not names and "License" in about and len(about["License"].splitlines()) == 1:
        names = [about["License"].strip()]
    return [{"license": {"name": name}} for name in names]
