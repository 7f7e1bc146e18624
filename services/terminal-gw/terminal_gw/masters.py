"""Terminals' master keys (TMK), and how a terminal comes to a new one.

A new version waits in the terminal's ring, accepted, until the terminal has it. The steps, each of which can be repeated:

    1. The next answer to the terminal asks it to sign on (processing requirement 3).
    2. Its sign-on names the key that it holds; the answer brings the new one under that key. Another request to sign on follows.
    3. Its sign-on names the new key; the session is made under it.
    4. The first message with a right MAC of that session proves that the terminal can open what is under the new key: it becomes current.
       A sign-on carries no MAC, so its word alone would let a stranger lock the terminal out of its former key.
    5. The next sign-on that names the new key retires the former ones.

A terminal that names no key is served under the current one, as ever; for it step 1 happens once and nothing follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from key_store import KeyRing, KeyStore, KeyStoreError, KeyVersion, names
from runtime import logs
from runtime.bus import BusError
from security_module import WrappedKey

log = logs.get("masters")


@dataclass(frozen=True, slots=True)
class Held:
    """What a terminal signs on with."""

    key: WrappedKey
    """The master key that the terminal holds."""
    next: WrappedKey | None = None
    """A newer one that it does not have yet."""


@dataclass(slots=True)
class _Step:
    """How far a terminal has been led to the version that waits for it."""

    check_value: str
    handed: bool = False
    asked: int = 0
    """How often it was asked to sign on: once for the new key to be fetched, once for it to be used."""


class Masters:
    """The rings `terminal.<tid>`. The only ones that a gateway writes, and only to say what a terminal has proved to hold."""

    def __init__(self, store: KeyStore, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms
        self._steps: dict[str, _Step] = {}
        """By terminal, only while a version waits for it: whoever is not in here costs one look-up a message."""
        self._writing: dict[str, asyncio.Task[None]] = {}
        self.learn(ring.name for ring in store)

    def learn(self, changed: Iterable[str]) -> None:
        """To be told of the rings that are new or have changed."""
        for name in changed:
            terminal, ring = names.terminal_of(name), self._store.known(name)
            if terminal is not None and ring is not None:
                self._note(terminal, ring)

    def _note(self, terminal: str, ring: KeyRing) -> None:
        waiting, step = ring.waiting, self._steps.get(terminal)
        if waiting is None:
            self._steps.pop(terminal, None)
        elif step is None or step.check_value != waiting.check_value:
            self._steps[terminal] = _Step(waiting.check_value)

    # Sign-on

    async def sign_on(self, terminal: str, named: str) -> Held | None:
        """The key to make session keys under, for a terminal that names one by its check value, or none (empty).

        None: there is no such key here. What is not in memory is asked for, and BusError raised when nobody can say.
        """
        ring = await self._store.get(names.terminal(terminal))
        if ring is not None and named and ring.having(named) is None:
            ring = await self._store.reread(ring.name)
        if ring is None:
            return None
        self._note(terminal, ring)
        if not named:
            return Held(ring.current.key)
        held = ring.having(named)
        if held is None:
            return None
        await self._retire_former(ring, held)
        newest = max(ring.usable(), key=lambda version: version.number)
        return Held(held.key, newest.key if newest.number > held.number else None)

    def handed(self, terminal: str) -> None:
        """The waiting key is in an answer to the terminal."""
        if step := self._steps.get(terminal):
            step.handed = True

    async def _retire_former(self, ring: KeyRing, held: KeyVersion) -> None:
        """Step 5. That it cannot be written now is no reason to refuse the sign-on: the next one tries again."""
        if ring.current != held or not _former(ring):
            return

        def retired(now: KeyRing) -> KeyRing:
            if now.current.number == held.number:
                for version in _former(now):
                    now = now.retire(version.number, self._now_ms())
            return now

        await self._write(ring.name, retired)

    # Every message with a right MAC

    def should_sign_on(self, terminal: str, master: str) -> bool:
        """Whether the answer asks for a sign-on. The request was under a session made under the master key with check value `master`."""
        step = self._steps.get(terminal)
        if step is None:
            return False
        if master == step.check_value:
            self._prove(terminal, master)
            return False
        if step.asked > step.handed:
            return False
        step.asked += 1
        return True

    def _prove(self, terminal: str, master: str) -> None:
        """Step 4, beside the answer and not before it: a session's later messages prove the same."""
        if terminal in self._writing:
            return

        def promoted(ring: KeyRing) -> KeyRing:
            version = ring.having(master)
            newer = version is not None and version.number > ring.current.number
            return ring.promote(version.number, self._now_ms()) if version is not None and newer else ring

        task = asyncio.create_task(self._promote(terminal, promoted), name=f"master key of {terminal}")
        self._writing[terminal] = task
        task.add_done_callback(lambda _: self._writing.pop(terminal, None))

    async def _promote(self, terminal: str, promoted: Callable[[KeyRing], KeyRing]) -> None:
        ring = await self._write(names.terminal(terminal), promoted)
        if ring is not None:
            log.info("a terminal has taken its new master key", terminal=terminal, version=ring.current.number)
            self._note(terminal, ring)

    async def _write(self, name: str, change: Callable[[KeyRing], KeyRing]) -> KeyRing | None:
        try:
            return await self._store.change(name, change)
        except (BusError, KeyStoreError) as error:
            log.warning("key ring not written, to be tried again", ring=name, reason=str(error))
            return None

    async def drain(self) -> None:
        """Returns when nothing is being written any more."""
        await asyncio.gather(*self._writing.values(), return_exceptions=True)


def _former(ring: KeyRing) -> list[KeyVersion]:
    """The accepted versions older than the current one."""
    return [version for version in ring.usable() if version.number < ring.current.number]
