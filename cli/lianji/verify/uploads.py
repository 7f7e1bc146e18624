"""Uploads of unbalanced batches, as the journal tells of them: the tables `uploaded` and `breaks`."""

from __future__ import annotations

import msgspec

from contracts.identity import identity_of
from contracts.journal import BatchClosed, BatchUnbalanced, BatchUploaded, BreakFound, Intent, Record, Reversing
from lianji.verify.facts import Facts


class _Upload(msgspec.Struct):
    stan: str
    """Of the close that was asked for."""
    details: dict[str, int]


class Uploads:
    """Follows the journals; in memory is what terminals have told of batches that are open."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._open: dict[str, _Upload] = {}
        facts.table("uploaded", "terminal", "batch", "stan", "amount_minor", key="terminal, batch, stan")
        facts.table(
            "breaks",
            "terminal",
            "batch",
            "stan",
            "difference",
            "terminal_minor",
            "host_minor",
            key="terminal, batch, stan",
        )

    def read(self, record: Record) -> None:
        """Takes the next record."""
        match record:
            case BatchUnbalanced():
                known = self._open.get(record.terminal)
                if known is None or known.stan != record.stan:
                    self._open[record.terminal] = _Upload(record.stan, {})
            case BatchUploaded():
                if upload := self._open.get(record.terminal):
                    upload.details.update((detail.stan, detail.amount_minor) for detail in record.details)
            case Intent():
                self._open.pop(record.terminal, None)
            case Reversing() if record.origin == "terminal":
                self._open.pop(identity_of(record.id)[0], None)
            case BreakFound():
                row = record.terminal, record.batch, record.stan, record.difference.value
                amounts = record.terminal_minor, record.host_minor
                self._facts.write("INSERT OR REPLACE INTO breaks VALUES (?, ?, ?, ?, ?, ?)", [(*row, *amounts)])
            case BatchClosed():
                upload = self._open.pop(record.terminal, None)
                if record.uploaded and upload is not None:
                    told = ((record.terminal, record.batch, *detail) for detail in upload.details.items())
                    self._facts.write("INSERT OR REPLACE INTO uploaded VALUES (?, ?, ?, ?)", told)
