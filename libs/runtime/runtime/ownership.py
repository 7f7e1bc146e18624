"""Who writes a log: a lease says who may try, the log's own sequence says who does.

Standby → (lease taken) → log found whole, newest snapshot + replay of the tail → epoch record appended → owner, serving → (fenced, lease lost or
drained) → memory dropped → standby. The epoch record is the fence: from then on a former owner's append finds another sequence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from runtime import catalogue, clock, logs
from runtime.bus_errors import NoAnswer
from runtime.heads import Heads, NoHeads
from runtime.log import (
    Appended,
    AppendUnknown,
    Fenced,
    GroupLog,
    LogDamaged,
    LogError,
    Measures,
    OwnedStore,
    Position,
)
from runtime.metrics import Metrics
from runtime.replaying import Machine, replay
from runtime.snapshots import Snapshot, Snapshots

__all__ = ["Machine", "Office", "Owner", "Term", "replay"]

log = logs.get("ownership")

S = TypeVar("S")

RENEW_S = 0.5
"""A quarter of the lease's time to live."""
STAND_BACK_S = 0.5
"""A process that has a log in hand asks for another one less often: one that has none asks every RENEW_S / 2 and mostly comes first."""
SNAPSHOT_EVERY = 4_000
"""Groups between two snapshots of a running owner: a successor reads no more of them, and that takes it a second."""
LARGE, AT_MOST = 4_000_000, 5
"""Above so many bytes a snapshot is made as much more rarely as it is larger, up to so many times: to make it is one step, in which nobody is answered."""
HEAD_EVERY_S = 0.5
"""How far the log's head, noted outside of its stream, may be behind what has been acknowledged."""
RESTORE = (
    "nothing is approved on this log until it is whole: stop the stack (`lianji down`), keep the data directory as it is, and run "
    "`lianji restore BACKUP`; docs/runbook/damaged-log.md goes through it"
)


class Term(Generic[S]):
    """One owner's term of office over one log: the state, ahead of the log only by what is in flight."""

    def __init__(self, machine: Machine[S], state: S, log_: GroupLog) -> None:
        self._machine = machine
        self.state = state
        self.log = log_

    @property
    def epoch(self) -> int:
        return self.log.epoch

    @property
    def over(self) -> bool:
        """True once fenced or the lease is lost: what the state says may no longer be true."""
        return self.log.over

    def append(
        self, records: Sequence[Any], *, handed_over: asyncio.Future[None] | None = None
    ) -> asyncio.Future[Appended]:
        """Applies `records` at once; the future is done when they are durable. Until then nobody may be told. A record that cannot be
        written is not applied, and one that cannot be applied ends the term.

        `handed_over` is done when their group has left for the broker, ahead of anything published after that.
        """
        encoded = [self._machine.encode(record) for record in records]
        try:
            for record in records:
                self._machine.apply(self.state, record)
        except Exception as error:
            # A bug. The state may be half moved, and would be ahead of the log for ever: it is thrown away and replayed.
            self.log.end(Fenced(f"{self.log.store.name}: a record could not be applied ({type(error).__name__})"))
            raise
        return self.log.append(encoded, handed_over=handed_over)

    async def flushed(self) -> None:
        """Returns when all that the state knows is durable: to be awaited before answering from memory."""
        await self.log.flushed()

    async def prove(self) -> None:
        """A real append, for the health check: an empty group."""
        await self.log.append([])


class Office(Protocol[S]):
    """What an owner does: opened when a term begins, closed when it ends."""

    async def open(self, term: Term[S]) -> None:
        """Subscribes and finishes what the former owner left open."""

    async def close(self) -> None:
        """Takes no more requests and returns when those in hand are done or have failed."""


class LeaseLike(Protocol):
    async def take(self) -> bool:
        """False when another has it; raises NoAnswer when nobody can say."""

    async def renew(self) -> bool:
        """False when another has it; raises NoAnswer when nobody can say."""

    async def release(self) -> None: ...


def groups_between(every: int, size: int) -> int:
    """Until the next snapshot, behind one of `size` bytes.

    >>> [groups_between(1000, megabytes * 1_000_000) for megabytes in (1, 6, 100)]
    [1000, 1500, 5000]
    """
    return every * min(max(size, LARGE), AT_MOST * LARGE) // LARGE


class Owner(Generic[S]):
    """Contends for one log and serves it whenever it has it, until drained."""

    def __init__(
        self,
        *,
        store: OwnedStore,
        machine: Machine[S],
        office: Office[S],
        lease: LeaseLike,
        snapshots: Snapshots,
        heads: Heads | None = None,
        owner: str,
        snapshot_every: int = SNAPSHOT_EVERY,
        on_damage: Callable[[LogDamaged], Awaitable[None]] | None = None,
        elsewhere: Callable[[], bool] = lambda: False,
        metrics: Metrics | None = None,
    ) -> None:
        """`elsewhere` says whether this process has another log in hand: then it lets others go first for this one."""
        self._store = store
        self._machine = machine
        self._office = office
        self._lease = lease
        self._snapshots = snapshots
        self._heads = heads or NoHeads()
        self._owner = owner
        self._every = snapshot_every
        self._on_damage = on_damage
        self._elsewhere = elsewhere
        self.holds = False
        """Whether this process has the lease, and so the log in hand."""
        self.asked = asyncio.Event()
        """Set once it is known whether the lease was to be had at first."""
        metrics = metrics or Metrics()
        self._measures = Measures(metrics, store.name)
        metrics.gauge(catalogue.LOG_EPOCH).watch(lambda: self._of_term(lambda term: term.epoch))
        metrics.gauge(catalogue.LOG_SEQUENCE).watch(lambda: self._of_term(lambda term: term.log.position.sequence))
        metrics.gauge(catalogue.LOG_DAMAGED).watch(lambda: [((self.name,), int(bool(self.damage)))])
        self._draining = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._saving: set[asyncio.Task[None]] = set()
        self._next_snapshot = 0
        self._read_from = ""
        """The broker from which all of the log has been read, or to which it has been appended since; not yet the one it is being read from."""
        self.term: Term[S] | None = None
        self.progress = ""
        """How far this process is on its way into office; empty when it is not on its way."""
        self.damage = ""
        self.trouble = ""
        """Why nobody may be in office, as far as is known here: the lease cannot be had from the broker, or is held in vain."""

    @property
    def name(self) -> str:
        return self._store.name

    def _of_term(self, number: Callable[[Term[S]], int]) -> list[tuple[tuple[str], float]]:
        """A number of the term in office, for a gauge; nothing when there is none."""
        return [((self.name,), number(self.term))] if self.term is not None else []

    async def run(self) -> None:
        """Stands by, serves, stands by again; returns when drained."""
        self._idle.clear()
        try:
            while not self._draining.is_set():
                if self._elsewhere():
                    await self._pause(STAND_BACK_S)
                if self._draining.is_set() or not await self._take():
                    await self._pause(RENEW_S / 2)
                    continue
                renewing = asyncio.create_task(self._renew())
                try:
                    await self._serve(renewing)
                except (AppendUnknown, Fenced) as error:
                    self.trouble = str(error)
                    log.warning("not in office", log=self.name, owner=self._owner, reason=self.trouble)
                    await self._pause(RENEW_S)
                except LogDamaged as error:
                    await self._damaged(error)
                    return
                finally:
                    renewing.cancel()
                    self.holds = False
                    await self._lease.release()
        finally:
            self._idle.set()

    async def _take(self) -> bool:
        """Whether the lease is ours now. When the broker does not say, this is no standing by, and /readyz must not call it that."""
        try:
            taken = self.holds = await self._lease.take()
        except NoAnswer as error:
            trouble = f"{self.name}: the lease cannot be taken: {error}"
            if trouble != self.trouble:
                log.error(
                    "no lease to be had",
                    log=self.name,
                    owner=self._owner,
                    reason=str(error),
                    what_to_do="is the broker up, and is there room on its disk? After a full disk make room and restart the broker",
                )
            self.trouble = trouble
            return False
        finally:
            self.asked.set()
        if not taken:
            self.trouble = ""
        return taken

    async def drain(self) -> None:
        """Hands over: no new requests, those in hand finished, snapshot, lease released."""
        self._draining.set()
        await self._idle.wait()
        for task in tuple(self._saving):
            await task

    async def ready(self) -> str:
        """A readiness check: an owner proves it with a real append, a standby is ready by standing by."""
        if self.damage or self.trouble or self.progress:
            return self.damage or self.trouble or f"{self.name}: replaying, {self.progress}"
        if self.term is not None:
            try:
                await self.term.prove()
            except LogError as error:
                return f"{self.name}: {error}"
        return ""

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._draining.wait(), seconds)
        except TimeoutError:
            return

    async def _renew(self) -> None:
        """Returns when another has the lease.

        While nobody can say, nobody can take it either: a broker that is started again ends no term. The log's own sequence stays the fence.
        """
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                if not await self._lease.renew():
                    return
                self.trouble = ""
            except NoAnswer as error:
                trouble = f"{self.name}: {error}"
                if trouble != self.trouble:
                    log.warning("lease not renewed, nobody can say whose it is", log=self.name, reason=str(error))
                self.trouble = trouble
                if self._draining.is_set():
                    return  # what is in hand cannot be finished, and the process is to end

    async def _damaged(self, error: LogDamaged) -> None:
        self.damage = f"{error}; {RESTORE}"
        log.error("log damaged: not serving it", log=self.name, reason=str(error), what_to_do=RESTORE)
        if self._on_damage is not None:
            await self._on_damage(error)

    async def _serve(self, renewing: asyncio.Task[None]) -> None:
        started = time.monotonic()
        try:
            self._tell("at its beginning")
            found = await replay(self._store, self._machine, self._snapshots, self._heads, tell=self._tell)
            self._read_from = found.broker if found.unread is None else found.unread.gone_on_from
            if found.unread is None:
                self._store.found_whole(found.broker)
            else:
                self._store.read_beside(found.unread.after, found.position.sequence, found.broker)
        finally:
            self._tell("")
        epoch, state = found.epoch + 1, found.state
        group_log = GroupLog(self._store, epoch, found.position, now_ns=time.time_ns, measures=self._measures)
        ended = asyncio.Event()
        reasons: list[LogError] = []

        def over(reason: LogError) -> None:
            reasons.append(reason)
            ended.set()

        group_log.on_end = over
        term = Term(self._machine, state, group_log)
        try:
            await term.append([self._machine.epoch_record(epoch=epoch, owner=self._owner, at_ms=clock.now_ms())])
        except Fenced as error:
            log.info("another owner was faster", log=self.name, reason=str(error))
            return
        # From the last snapshot on, not from here: an owner that dies again and again would leave more to replay each time.
        self._next_snapshot = found.snapshot + self._every
        group_log.on_group = lambda whole: self._consider_snapshot(term, whole)
        log.info(
            "owner",
            log=self.name,
            owner=self._owner,
            epoch=term.epoch,
            sequence=group_log.position.sequence,
            replay_ms=round((time.monotonic() - started) * 1000),
        )
        await self._heads.save(group_log.position, read_from=self._read_from)
        noting = asyncio.create_task(self._note_heads(group_log))
        self.term = term
        renewing.add_done_callback(partial(self._lease_lost, term))
        try:
            await self._office.open(term)
            self.trouble = ""
            await self._until_over(ended, renewing)
        finally:
            noting.cancel()
            await self._step_down(term, reasons, renewing)
        if reasons and isinstance(reasons[0], LogDamaged):
            raise reasons[0]

    async def _note_heads(self, log_: GroupLog) -> None:
        """Notes where the log stands as long as it moves: never ahead of what has been acknowledged, and no append waits for it."""
        noted = log_.position
        while True:
            await asyncio.sleep(HEAD_EVERY_S)
            if log_.position != noted:
                noted = log_.position
                await self._heads.save(noted, read_from=self._read_from)

    async def has_read(self, sequence: int, broker: str, whole: bool) -> None:
        """All up to `sequence` has been read from a broker started under this owner, whose successor need not; `whole`: as far as it went then."""
        if whole:
            self._read_from = broker
        await self._heads.mark_read(sequence, broker, gone_on_from="" if whole else self._read_from)

    def _lease_lost(self, term: Term[S], renewing: asyncio.Task[None]) -> None:
        if not renewing.cancelled():
            term.log.end(Fenced(f"{self.name}: the lease was lost"))  # nothing, where the term has ended before

    def _tell(self, progress: str) -> None:
        self.progress = progress

    async def _until_over(self, ended: asyncio.Event, renewing: asyncio.Task[None]) -> None:
        over = [asyncio.create_task(ended.wait()), asyncio.create_task(self._draining.wait())]
        try:
            await asyncio.wait([renewing, *over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in over:
                task.cancel()

    async def _step_down(self, term: Term[S], reasons: list[LogError], renewing: asyncio.Task[None]) -> None:
        """After a drain what is in hand is finished; after a lost lease or a fence it is dropped, for the memory is worth nothing."""
        if renewing.done():
            self._lease_lost(term, renewing)
        await self._office.close()
        self.term = None
        if reasons:
            log.warning("stepped down", log=self.name, owner=self._owner, epoch=term.epoch, reason=str(reasons[0]))
            return
        try:
            await term.flushed()
        except LogError as error:
            log.warning("stepped down", log=self.name, owner=self._owner, epoch=term.epoch, reason=str(error))
            return
        await self._snapshots.save(Snapshot(term.log.position, self._machine.dump(term.state)))
        await self._heads.save(term.log.position, read_from=self._read_from)
        term.log.end(Fenced(f"{self.name}: drained"))
        log.info("drained", log=self.name, owner=self._owner, epoch=term.epoch, sequence=term.log.position.sequence)

    def _consider_snapshot(self, term: Term[S], whole: bool) -> Callable[[Position], None] | None:
        """When a group holds all that is waiting, the state is exactly what the log will say once the group stands."""
        if not whole or term.log.position.sequence < self._next_snapshot:
            return None
        state = self._machine.dump(term.state)
        self._next_snapshot = term.log.position.sequence + groups_between(self._every, len(state))

        def stands(position: Position) -> None:
            task = asyncio.create_task(self._snapshots.save(Snapshot(position, state)))
            self._saving.add(task)
            task.add_done_callback(self._saving.discard)

        return stands
