"""Everything that runs: the broker, the services, the terminals; how they are started, killed, stopped and started again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import world
from contracts import subjects
from lianji.declaration import expected_subjects
from runtime import service
from runtime.rights import bucket_stream, bucket_subject
from simulation import cast
from simulation.broker.server import Broker
from simulation.broker.streams import Store
from simulation.broker.traps import Traps
from simulation.loop import Loop
from simulation.network import Network
from simulation.processes import Process
from simulation.recorder import Recorder

FIRST_RESTART_S, LONGEST_RESTART_S = 0.1, 1.0
READY_S = 60.0

Main = Callable[[], Coroutine[Any, Any, Any]]


class NotReady(Exception):  # noqa: N818 - says what has happened
    """Somebody does not answer, although nothing is in the way."""


class Stage:
    """One world: processes by name, on one loop and one network."""

    def __init__(self, loop: Loop, store: Store, chance: random.Random, data_dir: Path, recorder: Recorder) -> None:
        self.loop = loop
        self.store = store
        self.chance = chance
        self.data_dir = data_dir
        self.told = recorder.told
        self.network = Network(loop, chance, Process("-"))
        self.traps = Traps(chance)
        self.traps.kill_owner = self._owner_dies
        self.broker: Broker | None = None
        self.processes: dict[str, Process] = {}
        self.gone: set[str] = set()
        """Terminals that never come back, with whatever they remember."""
        self.wronged: list[str] = []
        """What was answered that may not be answered, whatever is in the way."""
        self.over = False
        """Nothing is started again any more."""
        self._mains: dict[str, Main] = {}
        self._restarts: dict[str, asyncio.TimerHandle] = {}
        loop.network = self.network
        loop.worker_delay_s = lambda: 0.0002 + chance.random() * 0.003
        loop.on_fuse = lambda process: self.kill(process.name)

    # ------------------------------------------------------------------ who there is

    def add(self, name: str, main: Main) -> None:
        self._mains[name] = main

    def add_services(self, switch: tuple[tuple[str, Any], ...] = ()) -> None:
        """`switch`: settings of the switch beside those that it has anyway."""
        for name, part in cast.SERVICES.items():
            more = switch if part.service == "auth" else ()
            self.add(name, self._main_of(name, part._replace(more=(*part.more, *more))))

    def _main_of(self, name: str, part: cast.Part) -> Main:
        settings = cast.settings_of(name, part, str(self.data_dir))

        def main() -> Coroutine[Any, Any, int]:
            identities = part.identities(settings) if part.identities is not None else (part.service,)
            return service.live(part.service, settings, part.wire, world.nats_seed, identities)

        return main

    # ------------------------------------------------------------------ life and death

    def once(self, name: str, main: Main) -> None:
        """Somebody who comes, does one thing, and is gone. Whatever befalls him, nobody starts him again."""
        process = Process(name)
        self.told("start", name)
        self.processes[f"{name} {len(self.processes)}"] = process
        task = self.loop.create_task(main(), name=name, context=process.context)

        def gone(_: asyncio.Task[Any]) -> None:
            if process.alive:
                self._bury(process)

        task.add_done_callback(gone, context=self.network.home.context)

    def start(self, name: str) -> None:
        """A new life of the process; nothing when it lives."""
        pending = self._restarts.pop(name, None)
        if pending is not None:
            pending.cancel()
        if self.over or name in self.gone or self._lives(name):
            return
        process = self.processes[name] = Process(name)
        self.told("start", name)
        if name == cast.BROKER:
            process.context.run(self._open_broker)
            return
        task = self.loop.create_task(self._mains[name](), name=name, context=process.context)
        task.add_done_callback(lambda done: self._ended(process, done), context=self.network.home.context)

    def _open_broker(self) -> None:
        self.broker = Broker(self.store, self.chance, self.traps, self.told)
        self.network.listen(self.broker.client, cast.BROKER_PORT)

    def _lives(self, name: str) -> bool:
        process = self.processes.get(name)
        return process is not None and process.alive

    def _ended(self, process: Process, task: asyncio.Task[Any]) -> None:
        """It has ended by itself: it exited, or an exception escaped."""
        if not process.alive:
            return
        error = None if task.cancelled() else task.exception()
        self.told("exit", f"{process.name} {type(error).__name__ if error else task.result()}")
        self._bury(process)
        self.start_later(process.name, FIRST_RESTART_S)

    def kill(self, name: str, *, again_s: float = FIRST_RESTART_S) -> None:
        """SIGKILL, and a new life after `again_s`."""
        process = self.processes.get(name)
        if process is None or not process.alive:
            return
        self.told("kill", name)
        self._bury(process)
        self.start_later(name, again_s)

    def owner_of(self, log: str) -> str:
        """Who has the lease of a journal or ledger, by its stream; empty when nobody has."""
        leases = self.store.streams[bucket_stream(subjects.LEASES)]
        keys = {subjects.journal_stream(n): subjects.shard_lease(n) for n in range(world.built_in().shards)}
        keys |= {subjects.ledger_stream(b.id): subjects.issuer_lease(b.id) for b in world.built_in().institutions}
        message = leases.messages.get(leases.last_by_subject.get(bucket_subject(subjects.LEASES, keys[log]), 0))
        return "" if message is None else message.data.decode()

    def _owner_dies(self, log: str) -> None:
        if owner := self.owner_of(log):
            self.kill(owner)

    def close(self) -> None:
        """The end of the day: what processes hold outside is given back."""
        self.over = True
        for process in self.processes.values():
            if process.alive:
                self._bury(process)

    def _bury(self, process: Process) -> None:
        process.alive = False
        process.remains += process.waiting
        if process.name == cast.BROKER:
            process.remains.append(self.broker)
            self.broker = None
        for end in process.at_end:
            end()
        self.network.hang_up(process)

    def start_later(self, name: str, seconds: float) -> None:
        if not self.over:
            # Ours, and not of whoever has killed it: that one may be dead by then.
            self._restarts[name] = self.loop.call_later(seconds, self.start, name, context=self.network.home.context)

    def stop(self, name: str, number: int) -> None:
        """A signal that the process has a handler for (SIGTERM)."""
        process = self.processes.get(name)
        if process is not None and process.alive and number in process.signals:
            self.told("signal", f"{name} {number}")
            self.loop.call_soon(process.signals[number], context=process.context)

    def pause(self, name: str) -> None:
        process = self.processes.get(name)
        if process is not None and process.alive and not process.paused:
            self.told("pause", name)
            process.paused = True

    def resume(self, name: str) -> None:
        process = self.processes.get(name)
        if process is not None and process.paused:
            self.told("resume", name)
            self.loop.resume(process)

    # ------------------------------------------------------------------ all together

    async def until_ready(self) -> None:
        """Every subject is answered and terminals can dial in; raises NotReady."""
        wanted = expected_subjects(world.built_in())
        give_up = self.loop.time() + READY_S
        while True:
            missing = {s for s in wanted if self.broker is None or not self.broker.interest.match(s)}
            if not missing and cast.GATEWAY_PORT in self.network.servers:
                return
            if self.loop.time() > give_up:
                raise NotReady(f"nobody answers {', '.join(sorted(missing)) or 'terminals'}")
            await asyncio.sleep(0.1)

    def heal(self) -> None:
        """Nothing is wrong any more: who is dead is started, who was stopped goes on, and every line is whole."""
        self.told("heal", "")
        self.traps.clear()
        for process in list(self.processes.values()):
            process.fuse = 0
            process.clock_ahead_ns = 0
            self.resume(process.name)
        self.network.heal_all()
        for name in (cast.BROKER, *self._mains):
            self.start(name)
