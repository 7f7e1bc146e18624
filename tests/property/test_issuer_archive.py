"""The rows that a bank keeps out of memory, held against a dictionary."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from issuer_sim.domain.archive import Archive, Row
from issuer_sim.scratch import ScratchFile

Key = tuple[str, str, str, bool]

terminals = st.sampled_from(("10000001", "10000002"))
batches = st.sampled_from(("000001", "000002", "000003"))
amounts = st.integers(-(10**12) + 1, 10**12 - 1).filter(bool)
stans = st.sets(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=6)


class Books(RuleBasedStateMachine):
    """Batches are filed, single rows become void, and now and then another owner reads what a snapshot kept."""

    def __init__(self) -> None:
        super().__init__()
        self.archive = Archive(ScratchFile())
        self.stands: dict[Key, int] = {}
        self.filed: set[Key] = set()

    @rule(terminal=terminals, batch=batches, places=stans, minor=amounts)
    def files(self, terminal: str, batch: str, places: set[tuple[int, bool]], minor: int) -> None:
        new = [p for p in sorted(places) if (terminal, batch, f"{p[0]:06d}", p[1]) not in self.filed]
        self.archive.put(terminal, batch, [Row(stan, stan % 7, minor, incoming) for stan, incoming in new])
        for stan, incoming in new:
            key = (terminal, batch, f"{stan:06d}", incoming)
            self.filed.add(key)
            self.stands[key] = minor

    @rule(pick=st.integers(0, 1000))
    def voids(self, pick: int) -> None:
        for terminal, batch, stan, incoming in sorted(self.filed)[pick : pick + 1]:
            self.archive.void(terminal, batch, stan, incoming=incoming)
            self.stands.pop((terminal, batch, stan, incoming), None)

    @rule()
    def is_taken_over(self) -> None:
        successor = Archive(ScratchFile(), dict(self.archive.last))
        for chunk in self.archive.chunks():
            successor.extend(chunk)
        assert successor == self.archive
        self.archive = successor

    @invariant()
    def holds_what_was_filed_and_stands(self) -> None:
        for key in self.filed:
            terminal, batch, stan, incoming = key
            row = self.archive.find(terminal, batch, stan, incoming=incoming)
            assert (row.amount_minor if row else None) == self.stands.get(key)
            assert row is None or row.account == int(stan) % 7
        assert self.archive.find("10000001", "000001", "999999", incoming=False) is None


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def test_a_row_that_is_not_written_is_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: len(data) // 2)
    archive = Archive(ScratchFile())
    with pytest.raises(OSError, match="of 31 bytes written"):
        archive.put("10000001", "000001", [Row(1, 0, 100)])
    assert archive.find("10000001", "000001", "000001", incoming=False) is None
