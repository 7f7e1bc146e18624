"""The journal's side: where each transaction stands, and whether a record can follow what is there."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from contracts.authorization import Totals
from contracts.identity import shard_of_rrn
from contracts.journal import (
    Advised,
    BatchClosed,
    BatchUnbalanced,
    Intent,
    Outcome,
    Record,
    Reversed,
    Reversing,
    SignedOn,
    Tombstone,
)
from contracts.kinds import CLAIMS, KINDS
from contracts.states import TRANSITIONS, State
from contracts.terms import InstalmentTerms
from lianji import claims

Batch = tuple[str, str]
"""Terminal and number."""


class Path(msgspec.Struct, kw_only=True):
    """One transaction."""

    state: State
    began: Intent | Tombstone
    response_code: str = ""
    authorization_code: str = ""
    waiting: tuple[str, ...] = ()
    """Institutions that have yet to acknowledge the reversal."""
    acknowledged: tuple[str, ...] = ()
    stood_in: bool = False
    """Approved by the switch in its bank's stead."""
    owed: bool = False
    """Its bank has yet to be told so."""
    part_minor: int = 0
    """What was approved of it, where that is less."""
    instalment: InstalmentTerms | None = None
    decided_ms: int = 0
    claiming: bool = False
    """Its claim stands on its original; `claims` that stand on it, those that are exclusive (`alone`), and what they come to."""
    claims: int = 0
    alone: int = 0
    taken_minor: int = 0
    falling: bool = False
    """Its claim is being reversed; how many of those on it are."""
    falling_claims: int = 0

    @property
    def kind(self) -> str:
        return self.began.kind

    @property
    def terminal(self) -> str:
        return self.began.terminal

    @property
    def merchant(self) -> str:
        return self.began.merchant

    @property
    def batch(self) -> str:
        return self.began.batch

    @property
    def currency(self) -> str:
        return self.began.currency

    @property
    def asked_minor(self) -> int:
        return self.began.amount_minor

    @property
    def amount_minor(self) -> int:
        return self.part_minor or self.began.amount_minor

    @property
    def original(self) -> str:
        return self.began.original if isinstance(self.began, Intent) else ""

    @property
    def place(self) -> Batch:
        return self.began.terminal, self.began.batch

    @property
    def institution(self) -> str:
        return self.began.institution if isinstance(self.began, Intent) else ""

    @property
    def target_institution(self) -> str:
        """Of a transfer: the bank that is given."""
        return self.began.target_institution if isinstance(self.began, Intent) else ""

    @property
    def settles(self) -> bool:
        return KINDS[self.began.kind].settles


class Paths:
    """One shard's journal, record by record. `take` never raises: what cannot follow is refused."""

    def __init__(self) -> None:
        self.of: dict[str, Path] = {}
        self.batches: dict[Batch, list[str]] = {}
        """Ids of each open batch."""
        self.closed: set[Batch] = set()
        self.last_closed: dict[str, str] = {}
        """Terminal → its batch that was closed last. The switch still knows that one; of what is older it forgets the transactions."""
        self.number = 0
        """The highest of the reference numbers that were given out."""

    def take(self, record: Record) -> bool:
        """Moves by `record`; False when it cannot stand here."""
        match record:
            case Intent() | Tombstone():
                taken = self._begin(record)
            case Outcome():
                taken = self._outcome(record)
            case Reversing():
                taken = self._reversing(record)
            case Reversed():
                taken = self._reversed(record)
            case Advised():
                taken = self._advised(record)
            case BatchClosed():
                taken = self._close(record)
            case BatchUnbalanced():
                batch = record.terminal, record.batch
                taken = batch not in self.closed and self.totals(batch) == record.host
            case _:
                taken = True
        if taken and isinstance(record, Intent | Tombstone | SignedOn | BatchClosed | BatchUnbalanced):
            self.number = max(self.number, number_of(record.rrn))
        return taken

    def forgotten(self, path: Path) -> bool:
        """Whether the switch has it no longer in memory, so that its reversal is a tombstone."""
        return path.place in self.closed and self.last_closed[path.terminal] != path.batch

    def totals(self, batch: Batch, *, without: Collection[str] = ()) -> Totals:
        """What stands approved in an open batch, as field 48 counts it."""
        minor, count = {True: 0, False: 0}, {True: 0, False: 0}
        for id_ in self.batches.get(batch, ()):
            path = self.of[id_]
            if path.state is State.APPROVED and path.settles and id_ not in without:
                debit = KINDS[path.began.kind].debit
                minor[debit] += path.amount_minor
                count[debit] += 1
        return Totals(
            debit_minor=minor[True], debit_count=count[True], credit_minor=minor[False], credit_count=count[False]
        )

    def _begin(self, record: Intent | Tombstone) -> bool:
        known = self.of.get(record.id)
        if known is not None:
            # The owner forgets old batches: a tombstone for what was settled there is its reversal.
            stands = known.state in (State.APPROVED, State.SETTLED)
            if isinstance(record, Intent) or known.place not in self.closed or (stands and claims.rests_on(known)):
                return False
            known.waiting = record.institutions
            return not stands or self._fall(record.id)
        state = State.INTENT if isinstance(record, Intent) else State.REVERSING
        waiting = () if isinstance(record, Intent) else record.institutions
        path = Path(state=state, began=record, waiting=waiting)
        original = self.of.get(path.original)
        if path.original:
            if claims.objection(path, original, closed=original is not None and original.place in self.closed):
                return False
            if original is not None:
                claims.lay(path, original)
        self.of[record.id] = path
        self.batches.setdefault((record.terminal, record.batch), []).append(record.id)
        return True

    def _outcome(self, record: Outcome) -> bool:
        path = self.of.get(record.id)
        approved = record.state is State.APPROVED
        if path is None or (approved and path.began.kind in CLAIMS and not path.claiming):
            return False
        if record.part_minor and not 0 < record.part_minor < path.asked_minor:
            return False
        if not self._move(record.id, record.state):
            return False
        path.response_code, path.authorization_code = record.response_code, record.authorization_code
        path.part_minor, path.decided_ms = record.part_minor, record.at_ms
        path.stood_in = path.owed = record.stand_in is not None
        path.instalment = record.instalment
        if not approved:
            self._lift(path)
        return True

    def _lift(self, path: Path) -> None:
        if path.claiming:
            claims.lift(path, self.of[path.original])

    def _fall(self, id_: str) -> bool:
        """To REVERSING, and its claim with it."""
        path = self.of[id_]
        if not self._move(id_, State.REVERSING):
            return False
        if path.claiming:
            claims.fall(path, self.of[path.original])
        return True

    def _reversing(self, record: Reversing) -> bool:
        path = self.of.get(record.id)
        if (
            path is None
            or self.forgotten(path)
            or self._rests(path, record)
            or record.after_close != (path.state is State.SETTLED)
        ):
            return False
        if not self._fall(record.id):
            return False
        path.owed = False
        path.waiting = tuple(dict.fromkeys(name for name in (path.institution, path.target_institution) if name))
        path.response_code = record.response_code or path.response_code
        return True

    def _rests(self, path: Path, record: Reversing) -> bool:
        """Whether a claim stands on it that stays: the host reverses a claim and its original together when their terminal holds neither."""
        if not path.claims or record.origin != "host":
            return path.claims > 0
        falling = sum(
            claim.claiming and claim.state is State.REVERSING and claim.original == record.id
            for claim in self.of.values()
        )
        return path.claims > falling

    def _reversed(self, record: Reversed) -> bool:
        path = self.of.get(record.id)
        if path is None or record.institution not in path.waiting:
            return False
        path.waiting = tuple(i for i in path.waiting if i != record.institution)
        path.acknowledged = (*path.acknowledged, record.institution)
        if not path.waiting and path.state is State.REVERSING:
            path.state = State.REVERSED
            self._lift(path)
        return True

    def _advised(self, record: Advised) -> bool:
        path = self.of.get(record.id)
        if path is None or not path.owed or record.institution != path.institution:
            return False
        path.owed = False
        return True

    def _close(self, record: BatchClosed) -> bool:
        batch = record.terminal, record.batch
        ids = self.batches.get(batch, [])
        if batch in self.closed or any(self.of[id_].state is State.INTENT for id_ in ids):
            return False
        if self.totals(batch) != record.totals:
            return False
        for id_ in ids:
            if self.of[id_].state is State.APPROVED and self.of[id_].settles:
                self._move(id_, State.SETTLED)
        self.batches.pop(batch, None)
        self.closed.add(batch)
        self.last_closed[record.terminal] = record.batch
        return True

    def _move(self, id_: str, to: State) -> bool:
        path = self.of.get(id_)
        if path is None or to not in TRANSITIONS[path.state]:
            return False
        path.state = to
        return True


def terminal_of(id_: str) -> str:
    """The terminal of a transaction's id."""
    return id_.rsplit(":", 2)[0]


def number_of(rrn: str) -> int:
    """The count in a reference number (contracts.identity.format_rrn).

    >>> number_of("010000000042")
    42
    """
    return int(rrn[2:])


def is_given_out(rrn: str) -> bool:
    """Whether a switch has given it out: an answer about which nothing was journalled carries zeros, some answers none.

    >>> is_given_out("010000000042"), is_given_out("000000000000"), is_given_out("")
    (True, False, False)
    """
    try:
        shard_of_rrn(rrn)
    except ValueError:
        return False
    return number_of(rrn) > 0
