"""I12: the search for card data."""

from __future__ import annotations

from lianji.verify.evidence import Evidence
from lianji.verify.report import Finding


def no_card_data(evidence: Evidence, finding: Finding) -> None:
    """What `lianji scan` finds is a violation each, with where it stands; the evidence is masked."""
    if evidence.scanned is None:
        finding.unchecked.append("nobody has looked for card data")
        return
    finding.checked = evidence.scanned.items
    for find in evidence.scanned.finds:
        finding.violate(find.place, f"holds a {find.kind}", form=find.form, value=find.value)
    finding.broken = evidence.scanned.found  # more than are kept
