"""The rings of one party: in memory, and in a bucket that survives.

A service reads everything at its start (`refresh`), afterwards only what has changed since: on a notice, on a period, and one ring on a
miss (`reread`). Nothing on the path of an authorization asks the bucket. Writers change a ring by compare-and-set on its revision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import msgspec

from contracts.codec import decoder, encode_stored
from key_store.errors import ContendedError, MissingRingError, RingError, WrongMasterError
from key_store.ring import KeyRing, KeyVersion
from security_module import KeyFormatError, WrappedKey

TRIES = 5
"""How often a change is tried that others come in between of."""


class Bucket(Protocol):
    """runtime.jetstream.Bucket; each call raises NoAnswer when nobody can say."""

    async def get_entry(self, key: str) -> tuple[bytes, int] | None:
        """(value, revision), None when there is none."""
        ...

    async def update(self, key: str, value: bytes, revision: int) -> int | None:
        """Puts the value if `revision` is still the key's (0: it has none); the new revision, or None when another has written."""
        ...

    async def changes(self, after: int) -> tuple[list[tuple[str, bytes, int]], int]:
        """The values put behind revision `after` as (key, value, revision), and the revision up to which that is all."""
        ...


class Opener(Protocol):
    """The security module, as far as it is asked here."""

    def verify_key(self, key: WrappedKey) -> None:
        """KeyFormatError when the key is not under this module's LMK."""
        ...


class KeyStore:
    """`party` is for messages: whose keys these are."""

    def __init__(self, bucket: Bucket, party: str) -> None:
        self._bucket = bucket
        self.party = party
        self.troubles: tuple[str, ...] = ()
        """What the last refresh could not read, one line each."""
        self._known: dict[str, tuple[KeyRing, int]] = {}
        self._usable: dict[str, tuple[KeyVersion, ...]] = {}
        """Of the rings in memory: what every transaction asks for, found once."""
        self._read_to = 0

    def __iter__(self) -> Iterator[KeyRing]:
        """The rings in memory, by name."""
        return iter([self._known[name][0] for name in sorted(self._known)])

    def known(self, name: str) -> KeyRing | None:
        """The ring in memory, without asking anybody."""
        entry = self._known.get(name)
        return None if entry is None else entry[0]

    def ring(self, name: str) -> KeyRing:
        """The ring in memory; MissingRingError when there is none."""
        ring = self.known(name)
        if ring is None:
            raise MissingRingError(f"{self.party}: key ring {name} is missing; `lianji provision` fills the rings")
        return ring

    def current(self, name: str) -> KeyVersion:
        """The current version of the ring in memory; MissingRingError when there is none."""
        return self.usable(name)[0]

    def usable(self, name: str) -> tuple[KeyVersion, ...]:
        """The usable versions of the ring in memory, the current one first; MissingRingError when there is none."""
        return self._usable.get(name) or self.ring(name).usable()

    async def get(self, name: str) -> KeyRing | None:
        """The ring in memory, else what the bucket has."""
        return self.known(name) or await self.reread(name)

    async def reread(self, name: str) -> KeyRing | None:
        """What the bucket has now; None when it has no such ring."""
        entry = await self._bucket.get_entry(name)
        if entry is None:
            self._known.pop(name, None)
            self._usable.pop(name, None)
            return None
        return self._remember(name, *entry)

    async def refresh(self) -> frozenset[str]:
        """Reads what was written since the last time, the first time everything; the names of the rings that are new or changed.

        One that cannot be read stays as it was in memory, and is named in `troubles`.
        """
        entries, self._read_to = await self._bucket.changes(self._read_to)
        changed, troubles = set(), []
        for name, value, revision in entries:
            before = self.known(name)
            try:
                if self._remember(name, value, revision) != before:
                    changed.add(name)
            except RingError as error:  # the others are read all the same
                troubles.append(str(error))
        self.troubles = tuple(troubles)
        return frozenset(changed)

    async def create(self, ring: KeyRing) -> bool:
        """Writes a ring that is not there yet; False, and nothing written, when there is one of its name."""
        revision = await self._bucket.update(ring.name, encode_stored(ring), 0)
        if revision is None:
            return False
        self._keep(ring, revision)
        return True

    async def change(self, name: str, change: Callable[[KeyRing], KeyRing]) -> KeyRing:
        """The ring after `change`, which is durable; RingError of the change, MissingRingError, ContendedError.

        `change` is given what the bucket has, again whenever another writer was faster. A ring that it leaves as it is is not written.
        """
        for _ in range(TRIES):
            await self.reread(name)
            before = self.ring(name)
            after = change(before)
            if after == before:
                return before
            revision = await self._bucket.update(name, encode_stored(after), self._known[name][1])
            if revision is not None:
                self._keep(after, revision)
                return after
        raise ContendedError(f"{self.party}: key ring {name} was changed by others {TRIES} times meanwhile; try again")

    async def load(self, module: Opener, required: Iterable[str]) -> None:
        """Everything, at a start: RingError when a ring cannot be read, MissingRingError, WrongMasterError."""
        await self.refresh()
        if self.troubles:
            raise RingError(self.troubles[0])
        for name in required:
            self.ring(name)
        self.verify(module)

    def verify(self, module: Opener) -> None:
        """WrongMasterError unless every usable key in memory opens under the module's LMK."""
        for ring, version in self.unopened(module):
            raise WrongMasterError(
                f"{self.party}: key ring {ring.name} version {version.number} does not open: "
                f"the local master key (LMK) is not the one that the rings were made under"
            )

    def unopened(self, module: Opener) -> Iterator[tuple[KeyRing, KeyVersion]]:
        """The usable versions in memory that do not open under the module's LMK."""
        for ring in self:
            for version in ring.usable():
                try:
                    module.verify_key(version.key)
                except KeyFormatError:
                    yield ring, version

    def _remember(self, name: str, value: bytes, revision: int) -> KeyRing:
        known = self._known.get(name)
        if known is not None and known[1] >= revision:
            return known[0]  # an answer that was overtaken
        try:
            ring = _decode(value)
        except msgspec.MsgspecError as error:
            raise RingError(f"{self.party}: key ring {name} cannot be read: {error}") from None
        if ring.name != name:
            raise RingError(f"{self.party}: key ring {name} cannot be read: it is the ring {ring.name}")
        self._keep(ring, revision)
        return ring

    def _keep(self, ring: KeyRing, revision: int) -> None:
        self._known[ring.name] = ring, revision
        self._usable[ring.name] = ring.usable()


_decode = decoder(KeyRing).decode
