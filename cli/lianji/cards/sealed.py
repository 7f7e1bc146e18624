"""Every sealed card number in the journals, opened with the version of the data key that its record names, and checked.

A number that opens must be the one whose digest, first 6 and last 4 stand beside it. None is ever shown. What is counted says which versions
are still needed: a version that no record names can be retired.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from contracts.journal import Intent
from contracts.pan import MaskedCard, Pan, sealed_with
from key_store import KeyRing
from lianji.cards.journals import every_record
from lianji.records import Progress
from runtime.log import LogStore
from security_module import DataProtection, SealedDataError

FAULTS_KEPT = 100
"""Faults that are kept; more are counted."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A card number that could not be read, or is not what stands beside it."""

    rrn: str
    version: int
    reason: str


class VersionUse(msgspec.Struct, kw_only=True):
    """What the journals hold under one version."""

    records: int = 0
    opened: int = 0
    """Of them, those whose number was opened and is the one that stands beside it."""


class SealedReport(msgspec.Struct, kw_only=True):
    """The result of reading everything."""

    versions: dict[int, VersionUse] = {}
    """By the version's number; those that no record names are not here."""
    unsealed: int = 0
    """Records of cards that are older than sealing."""
    faults: int = 0
    first_faults: list[Fault] = []

    @property
    def records(self) -> int:
        return sum(use.records for use in self.versions.values())

    @property
    def opened(self) -> int:
        return sum(use.opened for use in self.versions.values())

    def spare(self, ring: KeyRing) -> list[int]:
        """The versions of `ring` that can be retired: accepted, older than the current one, and named by no record.

        A newer one is on its way to become current. Whether every gateway has stopped writing under an older one, `lianji keys show` says.
        """
        current = ring.current.number
        return [v.number for v in ring.usable() if v.number < current and v.number not in self.versions]


async def read_sealed(
    stores: Sequence[LogStore], module: DataProtection, ring: KeyRing, progress: Progress
) -> SealedReport:
    """Reads all journals; raises LogDamaged, the stores' errors, and KeyFormatError when a key of the ring does not open."""
    reader = _Reader(module, ring)
    async for record in every_record(stores, progress):
        if isinstance(record, Intent):
            reader.take(record)
    return reader.report


class _Reader:
    def __init__(self, module: DataProtection, ring: KeyRing) -> None:
        self._module = module
        self._ring = ring
        self._keys = {version.number: version.key for version in ring.usable()}
        self.report = SealedReport()

    def take(self, intent: Intent) -> None:
        card = intent.card
        if not card.sealed:
            self.report.unsealed += 1
            return
        use = self.report.versions.setdefault(card.key_version, VersionUse())
        use.records += 1
        reason = self._trouble(card, intent.id)
        if not reason:
            use.opened += 1
            return
        self.report.faults += 1
        if len(self.report.first_faults) < FAULTS_KEPT:
            self.report.first_faults.append(Fault(rrn=intent.rrn, version=card.key_version, reason=reason))

    def _trouble(self, card: MaskedCard, transaction: str) -> str:
        """Why the number cannot be read or is another's; empty when all is well."""
        key = self._keys.get(card.key_version)
        if key is None:
            known = self._ring.numbered(card.key_version)
            return "this version of the data key is retired" if known else "the data key has no such version"
        try:
            digits = self._module.unseal(key, card.sealed, sealed_with(transaction))
        except SealedDataError:
            return "does not open: changed, or sealed for another transaction"
        pan = Pan(digits.decode("ascii", "replace"))
        if self._module.digest(key, digits) != card.digest:
            return "the digest beside it is another number's"
        if (pan.first6, pan.last4, len(digits)) != (card.first6, card.last4, card.length):
            return "first 6, last 4 or length beside it are another number's"
        return ""
