"""I11: what follows the journals, against the same made again from zero."""

from __future__ import annotations

from lianji.verify.evidence import Evidence
from lianji.verify.report import Finding


def rebuilt_equal_live(evidence: Evidence, finding: Finding) -> None:
    rebuilt = evidence.rebuilt
    finding.checked = rebuilt.rows
    finding.take(rebuilt.differences)
    finding.unchecked += [
        f"{name}: its code is not installed here, or its database was not given" for name in rebuilt.missing
    ]
