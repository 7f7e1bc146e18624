"""The embedded stack: broker, provisioning and services as local processes, started again when they die."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import IO

from contracts import access
from lianji import damage, overlay, stackfile
from lianji.broker import BrokerError, LocalBroker
from lianji.declaration import declaration_for, expected_subjects
from lianji.errors import CliError
from lianji.keys.custodian import Custodian
from lianji.keys.directory import environment, master_keys
from lianji.keys.fill import fill_standing, fill_terminals
from lianji.permissions import identity_of, key_of, users_of
from lianji.ports import LOOPBACK, HeldPort
from lianji.scraping import readiness
from lianji.stackfile import ProcessInfo, StackFile
from lianji.supervisor import Child, NotReplacedError
from lianji.tls_door import TlsDoor
from runtime.bus import Bus
from runtime.identity import TEST_WORLD
from runtime.provision import provision
from world import World, built_in

SERVICES = (
    # name, module; in the order of their start. They may start in any order: each waits for what it needs.
    ("auth-a", "auth"),
    ("auth-b", "auth"),
    ("issuer-sim", "issuer_sim"),
    ("receipts", "receipts"),
    ("settlement", "settlement"),
    ("terminal-gw", "terminal_gw"),
)
OWNERS = ("auth-a", "auth-b", "issuer-sim")
"""Those that own logs."""
COLLECTOR, BROKER = "collector", "nats-server"
BESIDE = frozenset({*OWNERS, "terminal-gw"})
"""Whose successor may stand beside its predecessor: contenders for a log, which has one owner, and gateways, which share a socket. The others
have a file or a port of their own; nobody waits for them on the path."""
READY_S = 120.0
"""Without anything new from those who are not ready; a long journal takes as long as it takes."""


class Stack:
    """One embedded stack over one data directory. The gateway's port is held while the stack lives; any, when none is given."""

    def __init__(
        self,
        data_dir: Path,
        *,
        port: HeldPort | None = None,
        tls_port: HeldPort | None = None,
        otlp_port: HeldPort | None = None,
        keys: Path | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.keys = keys.resolve() if keys is not None else None
        """Directory of master keys; without one it is the test world's stack, whose keys are public."""
        self.world: World = built_in()
        self._port = port or HeldPort()
        self.gateway_host, self.gateway_port = LOOPBACK, self._port.number
        self._otlp_port = otlp_port or HeldPort()
        self.otlp_url = f"http://{LOOPBACK}:{self._otlp_port.number}"
        self._tls = TlsDoor(self.data_dir, tls_port) if tls_port else None
        self._tls_environment: dict[str, str] = {}
        self.broker = LocalBroker(self.data_dir / "broker", users=users_of(self.keys))
        self.children: dict[str, Child] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._lock: IO[bytes] | None = None
        self._broker_turn = asyncio.Lock()
        self._stopping = False
        self._damaged: set[str] = set()
        self._starting: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ start

    async def start(self) -> None:
        """Returns when a swipe can be taken; raises CliError with what is missing and where to look."""
        masters = master_keys(self.keys)
        self._take_lock()
        self._tls_environment = self._tls.open() if self._tls else {}
        try:
            # A thread cannot be interrupted: a stop that comes now waits for it, or it would leave the broker behind.
            self._starting = asyncio.create_task(asyncio.to_thread(self.broker.start))
            await asyncio.shield(self._starting)
        except BrokerError as error:
            raise CliError(str(error)) from None
        self._tasks.append(asyncio.create_task(self._supervise_broker()))
        async with self._connected(access.PROVISION) as bus:
            await provision(bus, declaration_for(self.world))
        self._write_auditor_key()
        async with self._connected(access.CUSTODIAN) as bus:
            custodian = await Custodian.open(bus, self.world, masters)
            await fill_standing(custodian, test_world=masters.test_world)
            self._start_services()
            await fill_terminals(custodian)
        async with self._connected(access.AUDITOR) as bus:
            await self._until_ready(bus)
        self.write_stack_file()

    @asynccontextmanager
    async def _connected(self, identity: str) -> AsyncIterator[Bus]:
        bus = await Bus.connect(self.broker.url, "lianji-up", identity=identity_of(self.keys, identity), wait_s=10)
        try:
            yield bus
        finally:
            await bus.close()

    @property
    def auditor_key(self) -> Path:
        """The auditor's seed, for people with the nats command."""
        return self.data_dir / "run" / "auditor.nk"

    def _write_auditor_key(self) -> None:
        self.auditor_key.unlink(missing_ok=True)
        self.auditor_key.touch(mode=0o600)
        self.auditor_key.write_text(key_of(self.keys, access.AUDITOR).seed + "\n")

    def _start_services(self) -> None:
        for name, module in ((COLLECTOR, "lianji.collector"), *SERVICES):
            child = Child(
                name,
                [sys.executable, "-m", module],
                partial(self._environment, name),
                self.data_dir / "logs" / f"{name}.log",
                lambda _: self.write_stack_file(),
                descriptors=self._sockets() if name == "terminal-gw" else (),
            )
            self.children[name] = child
            stackfile.run_path(self.data_dir, name).unlink(missing_ok=True)
            overlay.remove(self.data_dir, name)
            self._tasks.append(asyncio.create_task(child.supervise()))

    def _take_lock(self) -> None:
        run = self.data_dir / "run"
        run.mkdir(parents=True, exist_ok=True)
        lock = (run / "lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise CliError(f"a stack runs on {self.data_dir} already: stop it, or take another --data-dir") from None
        self._lock = lock
        stackfile.order_path(self.data_dir).unlink(
            missing_ok=True
        )  # for a stack that was killed before it could read it

    def _environment(self, name: str) -> dict[str, str]:
        return {
            "LIANJI_NATS_URL": self.broker.url,
            "LIANJI_NATS_NKEY_FILE": str(self.keys or ""),
            "LIANJI_WORLD": "" if self.keys else TEST_WORLD,
            "LIANJI_INSTANCE": name,
            "LIANJI_DATA_DIR": str(self.data_dir),
            "LIANJI_RUN_DIR": str(self.data_dir / "run"),
            "LIANJI_COLLECTOR_PORT": str(self._otlp_port.number),
            "LIANJI_LISTEN_HOST": self.gateway_host,
            "LIANJI_LISTEN_PORT": str(self.gateway_port),
            "LIANJI_LISTEN_FD": str(self._port.descriptor),
            "PYTHONUNBUFFERED": "1",
            **self._collector_environment(),
            **(self._tls_environment if name == "terminal-gw" else {}),
            **environment(self.keys, name),
            **overlay.read(self.data_dir, name),
        }

    def _sockets(self) -> tuple[int, ...]:
        """The gateway's, which all that come after one another share."""
        return (self._port.descriptor, *((self._tls.descriptor,) if self._tls else ()))

    def _collector_environment(self) -> dict[str, str]:
        """Services send their spans to the stack's own collector, unless the user's environment names another. Metrics it would drop."""
        named = any(os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT") for signal in ("", "TRACES_", "METRICS_"))
        return {} if named else {"OTEL_EXPORTER_OTLP_ENDPOINT": self.otlp_url, "OTEL_METRICS_EXPORTER": "none"}

    async def _until_ready(self, bus: Bus) -> None:
        """Every subject has somebody who answers, and the gateway takes connections. A damaged log is away with what depends on it: the
        rest of the stack works."""
        expected = expected_subjects(self.world)
        said, give_up = "", time.monotonic() + READY_S
        while True:
            missing = expected - await bus.discover()
            if missing:
                expected -= await self._away()
                missing &= expected
            if (now := await self._progress()) != said:
                said, give_up = now, time.monotonic() + READY_S
            if not missing and await _takes_connections(self.gateway_port):
                if await _takes_connections(self._otlp_port.number):
                    return
                missing = {COLLECTOR}
            if time.monotonic() > give_up:
                what = ", ".join(sorted(missing)) or f"the gateway on port {self.gateway_port}"
                raise CliError(
                    f"not ready, and nothing new for {READY_S:g} s: nobody answers {what}; look in {self.data_dir / 'logs'}"
                )

    async def _progress(self) -> str:
        """What the services that have started say of themselves: another text means that they come on."""
        urls = [stackfile.health_url(self.data_dir, name) for name, _ in SERVICES]
        said = await asyncio.gather(*(asyncio.to_thread(readiness, url) for url in urls if url))
        return "\n".join(text for _, text in said)

    async def _away(self) -> set[str]:
        """Subjects that nobody is going to answer, because a log behind them is damaged; each log is told of once."""
        away: set[str] = set()
        for log, says in (await asyncio.to_thread(damage.found, self.data_dir, OWNERS)).items():
            if log not in self._damaged:
                self._damaged.add(log)
                sys.stderr.write(f"lianji: {log} is damaged and is not served: {says}\n")
            away |= damage.away_with(log, self.world)
        return away

    # ------------------------------------------------------------------ while it runs

    async def _supervise_broker(self) -> None:
        while not self._stopping:
            async with self._broker_turn:
                await self._keep_broker()
            await asyncio.sleep(0.05)

    async def _keep_broker(self) -> None:
        if self.broker.alive():
            return
        sys.stderr.write(f"lianji: nats-server ended, starting it again; its log: {self.broker.log_file}\n")
        try:
            await asyncio.to_thread(self.broker.start)
            self.write_stack_file()
        except BrokerError as error:
            sys.stderr.write(f"lianji: {error}\n")
            await asyncio.sleep(0.5)

    async def restart(self, name: str) -> None:
        """Puts another process in the place of the one of this name; returns when it does its work. Raises NotReplacedError, BrokerError."""
        if name != BROKER:
            await self.children[name].replace(partial(self._does_its_work, name), beside=name in BESIDE)
            return
        async with self._broker_turn:
            await asyncio.to_thread(self.broker.stop)
            await asyncio.to_thread(self.broker.start)
        self.write_stack_file()
        give_up = time.monotonic() + READY_S
        for child in self.children.values():
            while not await self._does_its_work(child.name, child.pid):
                if time.monotonic() > give_up:
                    raise NotReplacedError(f"{child.name}: is not ready with the new broker; its log: {child.log_file}")
                await asyncio.sleep(0.05)

    async def _does_its_work(self, name: str, pid: int) -> bool:
        """Whether the process with this number has started and calls itself ready."""
        if name == COLLECTOR:
            return await _takes_connections(self._otlp_port.number)
        run = stackfile.run_file(self.data_dir, name)
        if run is None or run.pid != pid:
            return False
        ready, _ = await asyncio.to_thread(readiness, stackfile.health_url(self.data_dir, name))
        return ready

    def info(self) -> StackFile:
        """The stack as it is now."""
        processes = {BROKER: ProcessInfo(pid=self.broker.process.pid if self.broker.process else 0)}
        for name, child in self.children.items():
            processes[name] = ProcessInfo(pid=child.pid, health_url=stackfile.health_url(self.data_dir, name))
        return StackFile(
            pid=os.getpid(),
            data_dir=str(self.data_dir),
            nats_url=self.broker.url,
            gateway_host=self.gateway_host,
            gateway_port=self.gateway_port,
            tls_port=self._tls.port if self._tls else self._gateway_tls_port(),
            tls_ca=str(self._tls.ca) if self._tls else "",
            processes=processes,
            otlp_url=self.otlp_url,
            keys="" if self.keys is None else str(self.keys),
        )

    def _gateway_tls_port(self) -> int:
        """Of a door that the gateway has opened by settings of its own; 0 when it has none, or has not started."""
        run = stackfile.run_file(self.data_dir, "terminal-gw")
        return run.ports.get("tls", 0) if run is not None else 0

    def write_stack_file(self) -> None:
        stackfile.write(self.info())

    # ------------------------------------------------------------------ stop

    async def stop(self) -> None:
        """Drains from the terminals inwards; the broker goes last."""
        self._stopping = True
        self._port.release()
        self._otlp_port.release()
        if self._tls:
            self._tls.close()
        if self._lock is None:
            return  # it has not started: what runs on the data directory is another's
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        for name in ("terminal-gw", "auth-b", "auth-a", "issuer-sim", "receipts", "settlement", COLLECTOR):
            if name in self.children:
                await self.children[name].stop()
        # The supervisors end first: one of them may just be starting the broker again.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.broker.stop)
        self.auditor_key.unlink(missing_ok=True)
        stackfile.remove(self.data_dir)
        self._lock.close()
        self._lock = None


async def _takes_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True
