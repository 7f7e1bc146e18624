"""A key ring as a machine: whatever is done to it in whatever order, one version is current, and nothing usable goes away by itself."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from contracts.codec import decoder, encode_stored
from key_store import KeyRing, RingError
from security_module import Purpose, SecurityModule

MODULE = SecurityModule(b"1" * 32)
DECODE = decoder(KeyRing).decode


class Ring(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ring = KeyRing.first("zone.bank", MODULE.generate(Purpose.ZONE_PIN), 0)
        self.given = {1: self.ring.current.check_value}
        """Every number that was ever given, and its key."""
        self.retired: set[int] = set()
        self.now = 0

    @rule()
    def accept(self) -> None:
        self.now += 1
        current = self.ring.current
        try:
            self.ring = self.ring.accept(MODULE.generate(Purpose.ZONE_PIN), self.now)
        except RingError:
            assert len(self.ring.usable()) == 32
            return
        new = self.ring.versions[-1]
        assert new.number == max(self.given) + 1
        self.given[new.number] = new.check_value
        assert self.ring.current == current
        assert self.ring.waiting == new

    @rule(data=st.data())
    def promote(self, data: st.DataObject) -> None:
        self.now += 1
        number = data.draw(st.sampled_from(sorted(self.given)))
        before = self.ring
        try:
            self.ring = self.ring.promote(number, self.now)
        except RingError:
            assert number in self.retired
            assert self.ring == before
            return
        assert self.ring.current.number == number
        assert {v.number for v in self.ring.usable()} == {v.number for v in before.usable()}

    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        self.now += 1
        number = data.draw(st.sampled_from(sorted(self.given)))
        before = self.ring
        try:
            self.ring = self.ring.retire(number, self.now)
        except RingError:
            assert number == before.current.number or before.numbered(number) is None
            return
        self.retired.add(number)
        assert self.ring.current == before.current

    @rule()
    def replace(self) -> None:
        self.now += 1
        self.ring = self.ring.replace(MODULE.generate(Purpose.ZONE_PIN), self.now)
        self.retired |= set(self.given)
        new = self.ring.current
        assert new.number == max(self.given) + 1
        self.given[new.number] = new.check_value

    @invariant()
    def one_version_is_current(self) -> None:
        assert [v.state for v in self.ring.versions].count("current") == 1

    @invariant()
    def what_was_not_retired_can_be_used(self) -> None:
        usable = {v.number: v.check_value for v in self.ring.usable()}
        assert usable == {n: c for n, c in self.given.items() if n not in self.retired}
        for version in self.ring.usable():
            assert self.ring.having(version.check_value) == version
            MODULE.verify_key(version.key)

    @invariant()
    def no_number_names_two_keys(self) -> None:
        assert all(self.given[v.number] == v.check_value for v in self.ring.versions)

    @invariant()
    def it_survives_storage(self) -> None:
        assert DECODE(encode_stored(self.ring)) == self.ring


Ring.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestRing = Ring.TestCase
