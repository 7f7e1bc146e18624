"""The switch's journals, read record by record: each transaction's path through the table of states."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator

import msgspec

from contracts.journal import (
    BatchClosed,
    EpochStarted,
    Intent,
    Outcome,
    Record,
    Reversed,
    Reversing,
    Tombstone,
)
from contracts.states import IllegalMoveError, State, advance
from lianji.verify.report import Violation


class Path(msgspec.Struct, gc=False):
    """A transaction's way, as short as it can be kept."""

    state: State
    rrn: str
    amount_minor: int
    institution: str
    place: str
    """terminal:batch"""
    steps: str
    response_code: str = ""
    waiting: tuple[str, ...] = ()
    """Institutions that have yet to acknowledge a reversal."""

    @property
    def stands(self) -> bool:
        """Approved and not reversed."""
        return self.state in (State.APPROVED, State.SETTLED)

    @property
    def due(self) -> tuple[int, int, int, int]:
        """What settlement must have booked for this path: captures, reversals, settlements, compensations."""
        if State.APPROVED.value not in self.steps:
            return 0, 0, 0, 0
        settled, undone = State.SETTLED.value in self.steps, State.REVERSING.value in self.steps
        return 1, int(undone and not settled), int(settled), int(undone and settled)


class Journals:
    """All shards' journals. `violations` are paths that the table does not allow."""

    def __init__(self) -> None:
        self.paths: dict[str, Path] = {}
        self.closed: set[str] = set()
        """terminal:batch of every closed batch."""
        self.violations: list[Violation] = []
        self.acknowledged: dict[str, list[str]] = defaultdict(list)
        """Institution → transactions whose reversal it has acknowledged, by the journal."""
        self.records = 0
        self.moves = 0
        """Records that say something about the world; a new owner's epoch does not."""
        self._batches: dict[str, list[str]] = {}

    def unfinished(self) -> Iterator[tuple[str, Path]]:
        """What an owner still has to do: intents without outcome, reversals that a bank has not acknowledged."""
        return ((i, p) for i, p in self.paths.items() if p.state in (State.INTENT, State.REVERSING) or p.waiting)

    def read(self, record: Record) -> None:
        """Takes the next record."""
        self.records += 1
        self.moves += not isinstance(record, EpochStarted)
        match record:
            case Intent():
                if record.id in self.paths:
                    self._violate(record.id, "a second intent")
                else:
                    self._begin(record, record.institution, State.INTENT, ())
            case Tombstone():
                self._tombstone(record)
            case Outcome():
                if path := self._move(record.id, record.state):
                    path.response_code = sys.intern(record.response_code)
            case Reversing():
                if path := self._move(record.id, State.REVERSING):
                    path.waiting = (path.institution,)
                    path.response_code = sys.intern(record.response_code) or path.response_code
                    if record.after_close != (path.place in self.closed):
                        self._violate(record.id, f"a reversal that says after_close={record.after_close}")
            case Reversed():
                self._reversed(record)
            case BatchClosed():
                self._close(f"{record.terminal}:{record.batch}")

    def _begin(self, record: Intent | Tombstone, institution: str, state: State, waiting: tuple[str, ...]) -> None:
        # Texts that many transactions have in common are kept once.
        place = sys.intern(f"{record.terminal}:{record.batch}")
        self.paths[sys.intern(record.id)] = Path(
            state=state,
            rrn=record.rrn,
            amount_minor=record.amount_minor,
            institution=sys.intern(institution),
            place=place,
            steps=state.value,
            waiting=waiting,
        )
        self._batches.setdefault(place, []).append(sys.intern(record.id))

    def _tombstone(self, record: Tombstone) -> None:
        known = self.paths.get(record.id)
        if known is None:
            self._begin(record, "", State.REVERSING, record.institutions)
            return
        # The owner forgets a batch when the next one is closed: a reversal that comes later still is a tombstone for something
        # that stands further up. What was settled is compensated; what had no effect keeps having none.
        if known.place not in self.closed:
            self._violate(record.id, "a tombstone for a transaction of an open batch")
            return
        if known.state is State.SETTLED:
            self._move(record.id, State.REVERSING)
        known.waiting = record.institutions

    def _reversed(self, record: Reversed) -> None:
        path = self.paths.get(record.id)
        if path is None:
            self._violate(record.id, "a reversal was acknowledged that nobody had asked for")
            return
        if record.institution not in path.waiting:
            self._violate(record.id, f"{record.institution} acknowledged a reversal that it had not been asked for")
            return
        self.acknowledged[record.institution].append(record.id)
        path.waiting = tuple(i for i in path.waiting if i != record.institution)
        if not path.waiting and path.state is State.REVERSING:
            self._move(record.id, State.REVERSED)

    def _close(self, place: str) -> None:
        if place in self.closed:
            self._violate(place, "the batch was closed twice")
        self.closed.add(place)
        for id_ in self._batches.pop(place, ()):
            path = self.paths[id_]
            if path.state is State.INTENT:
                self._violate(id_, "its batch was closed while it had no outcome")
            if path.state is State.APPROVED:
                self._move(id_, State.SETTLED)

    def _move(self, id_: str, to: State) -> Path | None:
        """The path after a legal move; None after an illegal one, which is noted."""
        path = self.paths.get(id_)
        try:
            state = advance(path.state if path else None, to)
        except IllegalMoveError:
            self._violate(id_, f"no move to {to.value}")
            return None
        if path is None:  # the table lets nothing but an intent or a tombstone begin a path
            self._violate(id_, f"{to.value} without an intent")
            return None
        path.state = state
        path.steps = sys.intern(f"{path.steps} → {to.value}")
        return path

    def _violate(self, id_: str, what: str) -> None:
        path = self.paths.get(id_)
        evidence = {"journal": path.steps, "rrn": path.rrn} if path else {}
        self.violations.append(Violation(subject=id_, what=what, evidence=evidence))
