"""The terminals' side: what each of them has seen, from its memory."""

from __future__ import annotations

from pathlib import Path

import msgspec

from contracts.authorization import Original, Totals
from contracts.identity import transaction_id
from contracts.kinds import KINDS, Kind
from contracts.response_codes import APPROVALS, DUPLICATE
from contracts.terms import InstalmentPlan
from lianji.errors import CliError
from terminal_sim.memory import MemoryFileError, read_memory


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction as its terminal saw it."""

    id: str
    terminal: str
    batch: str
    stan: str
    kind: Kind
    amount_minor: int
    """As it was asked for."""
    currency: str
    card: str
    """First 6, stars, last 4."""
    entry_mode: str
    at_ms: int
    response_code: str
    """Empty: no answer that could be trusted."""
    rrn: str
    authorization_code: str
    undone: bool
    """The host has confirmed that it has no effect."""
    waits: bool
    """Its reversal is kept at the terminal, and will be sent; of a notice: it will be sent itself."""
    part_minor: int = 0
    """With 10: what was approved of the amount."""
    original: Original | None = None
    """How it named the transaction that it is about."""
    target: str = ""
    """Of a transfer: the card that it went to, masked."""
    plan: InstalmentPlan | None = None

    @property
    def worth_minor(self) -> int:
        return self.part_minor or self.amount_minor

    @property
    def told_approved(self) -> bool:
        """Whatever has become of it since."""
        return self.response_code in APPROVALS

    @property
    def approved(self) -> bool:
        return self.told_approved and not self.undone and not self.waits

    @property
    def declined(self) -> bool:
        return self.response_code != "" and not self.told_approved and self.response_code != DUPLICATE

    @property
    def comes_again(self) -> bool:
        """It is a notice that its terminal will send until it is answered."""
        return self.waits and not KINDS[self.kind].reversible


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that the host called balanced."""

    terminal: str
    batch: str
    stan: str
    rrn: str
    totals: Totals
    at_ms: int


class Witnesses(msgspec.Struct, kw_only=True):
    seen: dict[str, Seen] = {}
    closes: list[Close] = []


def read_witnesses(data_dir: Path) -> Witnesses:
    """All that the terminals with a memory below `data_dir` have seen; raises CliError."""
    found = Witnesses()
    for path in sorted((data_dir / "terminals").glob("*.jsonl")):
        try:
            record = read_memory(path)
        except MemoryFileError as error:
            raise CliError(str(error)) from None
        pending = record.pending
        for one in record.transactions.values():
            id_ = transaction_id(record.tid, one.batch, one.stan)
            found.seen[id_] = Seen(
                id=id_,
                terminal=record.tid,
                batch=one.batch,
                stan=one.stan,
                kind=one.kind,
                amount_minor=one.amount_minor,
                currency=one.currency,
                card=one.card,
                entry_mode=one.entry_mode,
                at_ms=one.at_ms,
                response_code=one.response_code,
                rrn=one.rrn,
                authorization_code=one.authorization_code,
                undone=one.reversed,
                waits=record.is_stored(one)
                or (pending is not None and (pending.batch, pending.stan) == (one.batch, one.stan)),
                part_minor=one.part_minor,
                original=one.original,
                target=one.target,
                plan=one.plan,
            )
        for close in record.closed:
            found.closes.append(
                Close(
                    terminal=record.tid,
                    batch=close.batch,
                    stan=close.stan,
                    rrn=close.rrn,
                    totals=close.totals,
                    at_ms=close.at_ms,
                )
            )
    return found
