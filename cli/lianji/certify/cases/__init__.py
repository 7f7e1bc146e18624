"""The list: one file a section (or two that belong together), one function or row a case."""

from __future__ import annotations

from fnmatch import fnmatchcase

from lianji.certify.case import Case
from lianji.certify.cases import (
    advices,
    answers,
    authorizations,
    batches,
    cards,
    chips,
    downloads,
    instalments,
    keys,
    line,
    macs,
    refunds,
    repetitions,
    requests,
    reversals,
    sales,
    scripts,
    sign_on,
    transfers,
    uploads,
    voids,
)

SECTIONS = (
    line.SECTION,
    sign_on.SECTION,
    keys.SECTION,
    macs.SECTION,
    requests.SECTION,
    answers.SECTION,
    sales.SECTION,
    cards.SECTION,
    chips.SECTION,
    scripts.SECTION,
    voids.SECTION,
    refunds.SECTION,
    authorizations.SECTION,
    instalments.SECTION,
    transfers.SECTION,
    advices.SECTION,
    reversals.SECTION,
    repetitions.SECTION,
    batches.SECTION,
    uploads.SECTION,
    downloads.SECTION,
)
ALL: tuple[Case, ...] = tuple(case for section in SECTIONS for case in section.cases)


def chosen(pattern: str) -> tuple[Case, ...]:
    """Cases whose name fits, or begins with the pattern and a slash; all of them for an empty one."""
    if not pattern:
        return ALL
    return tuple(case for case in ALL if fnmatchcase(case.name, pattern) or case.name.startswith(f"{pattern}/"))
