"""CycloneDX's own schema, as cyclonedx-python-lib ships it. The one file that needs the `audit` group installed."""

from __future__ import annotations

from audit.vulnerabilities import AuditError


def check(text: str) -> None:
    """Raises AuditError when a document is not CycloneDX 1.5; unknown properties are errors too."""
    # Here, so that the rest of the audit can be imported, and tried, without the group.
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
    if error is not None:
        raise AuditError(f"SBOM: does not fit CycloneDX 1.5: {' '.join(str(error).split())[:300]}")
