"""A key ring: one named key in all its versions. Pure: a change gives a new ring, or RingError.

Of the versions exactly one is current (what is made new is made with it), any number are accepted (what was made with them is still
read), and the retired ones are a record only: their cryptograms are gone. Numbers count up and are never given twice.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from key_store.errors import RingError
from security_module import WrappedKey

State = Literal["current", "accepted", "retired"]
CURRENT: Literal["current"] = "current"
ACCEPTED: Literal["accepted"] = "accepted"
RETIRED: Literal["retired"] = "retired"

MOST_USABLE = 32
"""Versions that can be used at once; another rotation needs one retired first."""
RETIRED_KEPT = 16
"""Retired versions that a ring remembers; the oldest are forgotten first."""


class KeyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a key, wrapped under the party's LMK."""

    number: int
    key: WrappedKey
    """Of a retired version without its cryptogram: only what it was is left."""
    state: State
    since_ms: int
    """When it came into its state, Unix milliseconds."""

    @property
    def usable(self) -> bool:
        return self.state != RETIRED

    @property
    def check_value(self) -> str:
        """4 bytes, 8 upper-case hex digits."""
        return self.key.check_value


class KeyRing(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of one key in the order of their numbers. ValueError when they are none that a ring can have."""

    name: str
    """As in `names`; also its key in the bucket."""
    versions: tuple[KeyVersion, ...]

    def __post_init__(self) -> None:  # on decoding too: a damaged ring is refused before a key of it is used
        numbers = [version.number for version in self.versions]
        if sum(version.state == CURRENT for version in self.versions) != 1:
            raise ValueError(f"key ring {self.name}: not exactly one version is current")
        if sorted(set(numbers)) != numbers or numbers[0] < 1:
            raise ValueError(f"key ring {self.name}: its versions' numbers do not ascend")
        if len({version.key.purpose for version in self.versions}) != 1:
            raise ValueError(f"key ring {self.name}: its versions are for different purposes")

    @classmethod
    def first(cls, name: str, key: WrappedKey, at_ms: int) -> KeyRing:
        """A new ring whose version 1 is current."""
        return cls(name=name, versions=(KeyVersion(number=1, key=key, state=CURRENT, since_ms=at_ms),))

    # What is there

    @property
    def current(self) -> KeyVersion:
        return next(version for version in self.versions if version.state == CURRENT)

    def usable(self) -> tuple[KeyVersion, ...]:
        """The current version, then the accepted ones, the newest first."""
        accepted = (version for version in reversed(self.versions) if version.state == ACCEPTED)
        return (self.current, *accepted)

    @property
    def waiting(self) -> KeyVersion | None:
        """The newest accepted version that is newer than the current one: what is to become current."""
        newest = max(self.usable(), key=lambda version: version.number)
        return None if newest.state == CURRENT else newest

    def numbered(self, number: int) -> KeyVersion | None:
        """The version of this number, usable or not."""
        return next((version for version in self.versions if version.number == number), None)

    def having(self, check_value: str) -> KeyVersion | None:
        """The usable version with this check value (8 hex digits, upper case)."""
        return next((version for version in self.usable() if version.check_value == check_value), None)

    # What may become of it

    def accept(self, key: WrappedKey, at_ms: int) -> KeyRing:
        """With `key` as its newest version, accepted. RingError: another purpose, a key that it has had, too many versions."""
        if key.purpose is not self.current.key.purpose:
            raise self._other_purpose(key)
        same = next((version for version in self.versions if version.check_value == key.check_value), None)
        if same is not None:
            raise RingError(f"key ring {self.name}: version {same.number} is a key with this check value already")
        if len(self.usable()) >= MOST_USABLE:
            raise RingError(f"key ring {self.name}: {MOST_USABLE} versions are in use; retire one first")
        new = KeyVersion(number=self.versions[-1].number + 1, key=key, state=ACCEPTED, since_ms=at_ms)
        return replace(self, versions=(*self._remembered(), new))

    def promote(self, number: int, at_ms: int) -> KeyRing:
        """With version `number` current, and the one that was current accepted. RingError unless it can be used."""
        if self._usable(number).state == CURRENT:
            return self
        states: dict[int, State] = {self.current.number: ACCEPTED, number: CURRENT}
        return self._with(states, at_ms)

    def retire(self, number: int, at_ms: int) -> KeyRing:
        """Without the key of version `number`: what it protects cannot be read any more. RingError for the current version."""
        version = self.numbered(number)
        if version is not None and not version.usable:
            return self
        if self._usable(number).state == CURRENT:
            raise RingError(f"key ring {self.name}: version {number} is current; rotate first")
        return self._with({number: RETIRED}, at_ms)

    def replace(self, key: WrappedKey, at_ms: int) -> KeyRing:
        """With `key` as its only usable version: for a ring whose keys no master key opens any more. It may be one that it had before."""
        if key.purpose is not self.current.key.purpose:
            raise self._other_purpose(key)
        lost = tuple(_in_state(version, RETIRED, at_ms) for version in self._remembered())
        new = KeyVersion(number=self.versions[-1].number + 1, key=key, state=CURRENT, since_ms=at_ms)
        return replace(self, versions=(*lost, new))

    def _other_purpose(self, key: WrappedKey) -> RingError:
        wanted = self.current.key.purpose.value
        return RingError(f"key ring {self.name}: takes {wanted} keys, not a {key.purpose.value} key")

    def _usable(self, number: int) -> KeyVersion:
        version = self.numbered(number)
        if version is None:
            raise RingError(f"key ring {self.name}: has no version {number}")
        if not version.usable:
            raise RingError(f"key ring {self.name}: version {number} is retired")
        return version

    def _with(self, states: dict[int, State], at_ms: int) -> KeyRing:
        return replace(self, versions=tuple(_in_state(v, states.get(v.number, v.state), at_ms) for v in self.versions))

    def _remembered(self) -> tuple[KeyVersion, ...]:
        """All versions but the oldest retired ones. The newest stays in any case, so no number comes back."""
        retired = [version for version in self.versions if not version.usable]
        forgotten = {version.number for version in retired[:-RETIRED_KEPT]}
        return tuple(version for version in self.versions if version.number not in forgotten)


def _in_state(version: KeyVersion, state: State, at_ms: int) -> KeyVersion:
    if state == version.state:
        return version
    key = replace(version.key, cryptogram="") if state == RETIRED else version.key
    return replace(version, state=state, key=key, since_ms=at_ms)
