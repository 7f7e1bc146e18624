"""CycloneDX's own schema, as cyclonedx-python-lib ships it. The one file that needs the `audit` group installed."""

from __future__ import annotations

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from audit.vulnerabilities import AuditError


def check(text: str) -> None:
    """Raises AuditError when a document is not CycloneDX 1.5; unknown properties are errors too."""
    error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
    if error is not None:
        raise AuditError(f"SBOM: does not fit CycloneDX 1.5: {' '.join(str(error).split())[:300]}")
