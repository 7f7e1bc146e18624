"""The switch's journals, read record by record: each transaction's path through the table of states."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from contracts import subjects
from contracts.journal import (
    RESTORER,
    Advised,
    BatchClosed,
    EpochStarted,
    Intent,
    LateAnswer,
    Outcome,
    Recalled,
    Record,
    Reversed,
    Reversing,
    Tombstone,
)
from contracts.kinds import KINDS, Kind
from contracts.response_codes import PARTIAL_APPROVAL
from contracts.states import IllegalMoveError, State, advance
from lianji import claims
from lianji.verify import paths
from lianji.verify.facts import Facts
from lianji.verify.paths import Path, banks, begin, trace_id
from lianji.verify.recalled import misremembered
from lianji.verify.report import Noted
from lianji.verify.stopped import Stopped
from lianji.verify.uploads import Uploads


class Place(NamedTuple):
    """Where a record stands."""

    shard: str = "0"
    sequence: int = 0
    position: int = 0


_SETTLE = f"state = '{State.SETTLED.value}', steps = steps || ' → {State.SETTLED.value}', settled = 1"
"""SQL: what a close does to each path that stands approved, as `_move` would: the table of states lets it."""


class Batch(msgspec.Struct, gc=False):
    """A closed batch with the totals that host and terminal agreed on; the key comes first."""

    terminal: str
    batch: str
    shard: str
    rrn: str
    trace: str
    debit_minor: int
    debit_count: int
    credit_minor: int
    credit_count: int
    uploaded: bool = False
    """Closed by its details: its terminal counts otherwise."""


class Journals:
    """All shards' journals: the tables `transactions`, `batches`, `acknowledged` and `restores`."""

    def __init__(self, facts: Facts) -> None:
        self.illegal = Noted()
        """Moves that the table of states does not allow."""
        self.overdue = Noted()
        """Intents whose batch was closed over them."""
        self.records = 0
        self.moves = 0
        """Records that say something about the world; a new owner's epoch does not."""
        self.newest_ms: dict[str, int] = {}
        """Shard → the latest time that its journal holds."""
        self._restored: set[str] = set()
        """Shards whose epoch, as far as has been read, is a restore's."""
        self._facts = facts
        self._paths = facts.rows(paths.TABLE, Path)
        facts.index("of_a_batch", paths.TABLE, "terminal, batch")
        facts.index("unfinished", paths.TABLE, "id", where=paths.UNFINISHED)
        self._batches = facts.rows("batches", Batch, keys=2)
        self._uploads = Uploads(facts)
        self._stopped = Stopped(self._illegal)
        facts.table("acknowledged", "id", "institution")
        facts.table("restores", "log", "sequence", "at_ms")

    def path(self, id_: str) -> Path | None:
        """As it stands now, not to be changed."""
        return self._paths.peek(id_)

    def paths(self, ids: Iterable[str]) -> dict[str, Path]:
        """The same of many at once, of those that there are."""
        return self._paths.peek_all(ids)

    def unfinished(self) -> int:
        """What an owner still has to do."""
        return self._facts.count(f"SELECT COUNT(*) FROM {paths.TABLE} WHERE {paths.UNFINISHED}")

    def read(self, record: Record, place: Place = Place()) -> None:  # noqa: B008 - immutable
        """Takes the next record."""
        self.records += 1
        self.moves += not isinstance(record, EpochStarted)
        self.newest_ms[place.shard] = max(record.at_ms, self.newest_ms.get(place.shard, 0))
        self._uploads.read(record)
        self._stopped.read(record, place.shard, restored=place.shard in self._restored)
        match record:
            case EpochStarted():
                self._epoch(record, place)
            case Intent():
                if self._paths.get(record.id) is not None:
                    self._illegal(record.id, "a second intent")
                else:
                    self._intent(self._paths.add(begin(record, place.shard, place.sequence)))
            case Recalled():
                self._recalled(record)
            case Tombstone():
                self._tombstone(record, place)
            case Outcome():
                self._outcome(record, place)
            case Reversing():
                self._reversing(record, place)
            case Reversed() | Advised():
                self._acknowledged(record)
            case LateAnswer():
                if path := self._paths.get(record.id):
                    path.late_sequence = place.sequence
            case BatchClosed():
                self._close(record, place.shard)

    def _epoch(self, record: EpochStarted, place: Place) -> None:
        if record.owner != RESTORER:
            self._restored.discard(place.shard)
            return
        self._restored.add(place.shard)
        row = (subjects.journal(int(place.shard)), place.sequence, record.at_ms)
        self._facts.write("INSERT INTO restores VALUES (?, ?, ?)", [row])

    def _intent(self, path: Path) -> None:
        path, original = self._with_original(path)
        path.objection = claims.objection(path, original, closed=original is not None and self._is_closed(original))
        if original is not None and not path.objection:
            claims.lay(path, original)

    def _recalled(self, record: Recalled) -> None:
        path = self._paths.get(record.id)
        wrong = misremembered(record, path, closed=path is not None and self._is_closed(path))
        if wrong:
            self._illegal(record.id, wrong)

    def _outcome(self, record: Outcome, place: Place) -> None:
        if path := self._move(record.id, record.state):
            self._claimed(path, declined_at_once=not _approves(record) and place.sequence == path.begun_sequence)
            self._part(path, record)
            path.response_code, path.authorization_code = record.response_code, record.authorization_code
            if record.instalment is not None:
                path.first_minor, path.fee_minor = record.instalment.first_minor, record.instalment.fee_minor
            path.approved = record.state is State.APPROVED
            if record.stand_in is not None:
                path.stood_in, path.told, path.waiting = True, False, path.institution
            path.decided_ms, path.decided_sequence, path.decided_position = record.at_ms, place.sequence, place.position
            path.again = place.shard in self._restored
            if not path.approved:
                self._lift(path)

    def _advised(self, record: Advised) -> None:
        path = self._paths.get(record.id)
        if path is None or path.waiting != record.institution or path.told:
            self._illegal(record.id, f"{record.institution} acknowledged an advice that it had not been sent")
            return
        path.waiting, path.told = "", True

    def _claimed(self, path: Path, *, declined_at_once: bool) -> None:
        """A claim that was not legal: the switch may only have said so, in the same breath."""
        if path.objection and not declined_at_once:
            self._illegal(path.id, path.objection, original=path.original)

    def _part(self, path: Path, record: Outcome) -> None:
        partial = record.response_code == PARTIAL_APPROVAL
        if partial or record.part_minor:
            if not (
                partial and _approves(record) and path.kind == Kind.SALE and 0 < record.part_minor < path.asked_minor
            ):
                self._illegal(
                    path.id, f"{record.part_minor} of {path.asked_minor} approved with {record.response_code}"
                )
            path.amount_minor = record.part_minor or path.amount_minor

    def _lift(self, path: Path) -> None:
        if path.claiming:
            path, original = self._with_original(path)
            if original is not None:
                claims.lift(path, original)

    def _fall(self, path: Path) -> None:
        if path.claiming:
            path, original = self._with_original(path)
            if original is not None:
                claims.fall(path, original)

    def _with_original(self, path: Path) -> tuple[Path, Path | None]:
        """Both to be changed: the path is got again, for getting the other one may have written it."""
        original = self._paths.get(path.original) if path.original else None
        return self._paths.get(path.id) or path, original

    def _reversing(self, record: Reversing, place: Place) -> None:
        settled = (known := self._paths.peek(record.id)) is not None and known.state == State.SETTLED.value
        if path := self._move(record.id, State.REVERSING):
            if not path.decided_sequence:
                self._claimed(path, declined_at_once=False)
            path.waiting = banks(path)
            path.response_code = record.response_code or path.response_code
            path.again = path.again or place.shard in self._restored
            _undo(path, record.at_ms, place)
            if record.origin == "terminal" or not self._falls_with_its_claims(path):
                self._claimed_still(path)
            self._fall(path)
            if record.after_close is not settled:
                self._illegal(record.id, f"a reversal that says after_close={record.after_close}")

    def _falls_with_its_claims(self, path: Path) -> bool:
        """Every claim on it is being reversed as well: an upload has found that its terminal holds neither."""
        query = "SELECT COUNT(*) FROM transactions WHERE original = ? AND claiming AND state = ?"
        return bool(path.claims) and self._facts.count(query, path.id, State.REVERSING.value) == path.claims

    def _claimed_still(self, path: Path) -> None:
        """Whoever made a claim on it rests on it."""
        if claims.rests_on(path):
            self._illegal(path.id, "was reversed while a claim stood on it", claims=path.claims)

    def _tombstone(self, record: Tombstone, place: Place) -> None:
        known = self._paths.get(record.id)
        if known is None:
            self._paths.add(begin(record, place.shard, place.sequence))
            return
        # The owner forgets a batch when the next one is closed: a reversal that comes later still is a tombstone for something
        # that stands further up. What was settled is compensated; what had no effect keeps having none.
        if not self._is_closed(known):
            self._illegal(record.id, "a tombstone for a transaction of an open batch")
            return
        if known.state in (State.SETTLED.value, State.APPROVED.value):
            self._move(record.id, State.REVERSING)
            _undo(known, record.at_ms, place)
            self._claimed_still(known)
            self._fall(known)
            known = self._paths.get(record.id) or known
        known.waiting = ",".join(record.institutions)

    def _acknowledged(self, record: Reversed | Advised) -> None:
        if isinstance(record, Advised):
            self._advised(record)
        else:
            self._reversed(record)

    def _reversed(self, record: Reversed) -> None:
        path = self._paths.get(record.id)
        if path is None:
            self._illegal(record.id, "a reversal was acknowledged that nobody had asked for")
            return
        waiting = path.waiting.split(",")
        if record.institution not in waiting:
            self._illegal(record.id, f"{record.institution} acknowledged a reversal that it had not been asked for")
            return
        self._facts.write("INSERT INTO acknowledged VALUES (?, ?)", [(record.id, record.institution)])
        path.waiting = ",".join(i for i in waiting if i != record.institution)
        if not path.waiting and path.state == State.REVERSING.value:
            self._move(record.id, State.REVERSED)
            self._lift(path)

    def _is_closed(self, path: Path) -> bool:
        return self._batches.get(path.terminal, path.batch) is not None

    def _close(self, record: BatchClosed, shard: str) -> None:
        key, totals = (record.terminal, record.batch), record.totals
        if self._batches.get(*key) is not None:
            self._illegal(":".join(key), "the batch was closed twice")
            return
        self._batches.add(
            Batch(
                terminal=record.terminal,
                batch=record.batch,
                shard=shard,
                rrn=record.rrn,
                trace=trace_id(record.trace),
                debit_minor=totals.debit_minor,
                debit_count=totals.debit_count,
                credit_minor=totals.credit_minor,
                credit_count=totals.credit_count,
                uploaded=record.uploaded,
            )
        )
        query = "SELECT id, kind, state, steps, rrn FROM transactions WHERE terminal = ? AND batch = ?"
        members = list(self._facts.query(query, *key))
        for row in members:
            if row["state"] == State.INTENT.value:
                what = "its batch was closed while it had no outcome"
                self.overdue.violate(row["id"], what, journal=row["steps"], rrn=row["rrn"])
        stands = (row for row in members if row["state"] == State.APPROVED.value)
        self._paths.change_all((row["id"] for row in stands if KINDS[Kind(row["kind"])].settles), _SETTLE)

    def _move(self, id_: str, to: State) -> Path | None:
        """The path after a legal move; None after an illegal one, which is noted."""
        path = self._paths.get(id_)
        try:
            state = advance(State(path.state) if path else None, to)
        except IllegalMoveError:
            self._illegal(id_, f"no move to {to.value}")
            return None
        if path is None:  # the table lets nothing but an intent or a tombstone begin a path
            self._illegal(id_, f"{to.value} without an intent")
            return None
        path.state = state.value
        path.steps = f"{path.steps} → {to.value}"
        return path

    def _illegal(self, id_: str, what: str, **evidence: object) -> None:
        path = self._paths.get(id_)
        told = {"journal": path.steps if path else "", "rrn": path.rrn if path else ""}
        self.illegal.violate(id_, what, **told, **evidence)


def _approves(record: Outcome) -> bool:
    return record.state is State.APPROVED


def _undo(path: Path, at_ms: int, place: Place) -> None:
    path.undone = path.approved
    path.undone_ms, path.undone_sequence = at_ms, place.sequence
