"""Options that commands share, and how they find the stack they are for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import typer
import uvloop

import world
from contracts.access import AUDITOR
from contracts.questions import Refused
from lianji import checks, stackfile
from lianji.errors import CliError, WrongUseError
from runtime.bus import Bus, BusError, NotAdmitted, NotPermitted
from runtime.identity import TEST_WORLD, Identity, identity_for
from runtime.log import LogDamaged, LogError
from runtime.settings import BaseSettings, SettingsError, load

T = TypeVar("T")
A = TypeVar("A")

DEFAULT_DATA_DIR = Path(".lianji")
CONNECT_S = 5.0
ANSWER_S = 15.0
"""How long a command that only reads may take, with connecting and all."""
HANG_UP_S = 2.0
DataDir = Annotated[
    Path, typer.Option(envvar="LIANJI_DATA_DIR", help="The stack's data directory.", callback=checks.data_dir)
]
Nats = Annotated[
    str,
    typer.Option(
        envvar="LIANJI_NATS_URL", help="Broker of a stack that runs elsewhere (Compose).", callback=checks.nats
    ),
]
KeysDir = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        envvar="LIANJI_KEYS",
        help="Directory of the master keys (`lianji keys new`); left out: the running stack's, or the test world's.",
        callback=checks.key_dir,
    ),
]
Rrn = Annotated[str, typer.Argument(help="Reference number (field 37).", callback=checks.rrn)]
Gateway = Annotated[
    str, typer.Option(envvar="LIANJI_GATEWAY", help="HOST:PORT of a gateway that runs elsewhere (Compose).")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's coroutine; raises KeyboardInterrupt after a Ctrl-C, when the coroutine has cleaned up."""
    return uvloop.run(work)


class Broker(NamedTuple):
    """Where a stack's broker is, and where its keys come from."""

    url: str
    keys: BaseSettings

    def identity(self, name: str) -> Identity:
        """Who a command is there; raises CliError."""
        try:
            return identity_for(name, self.keys, world.nats_seed)
        except SettingsError as error:
            raise CliError(str(error)) from None


def broker(data_dir: Path, nats: str) -> Broker:
    """The broker that is given, with the keys of LIANJI_NATS_NKEY_FILE or LIANJI_WORLD, or that of the stack which runs on `data_dir`,
    which is of the test world; raises CliError."""
    return broker_at(nats) if nats else broker_of_stack(stackfile.running(data_dir))


def broker_if_any(data_dir: Path, nats: str) -> Broker | None:
    """As `broker`; None when there is none to ask for slips: the terminal has what it needs."""
    return broker(data_dir, nats) if nats or stackfile.find(data_dir) is not None else None


def broker_at(url: str) -> Broker:
    """A broker that runs elsewhere; raises CliError."""
    try:
        return Broker(url, load(BaseSettings))
    except SettingsError as error:
        raise CliError(str(error)) from None


def own_broker(url: str) -> Broker:
    """A broker that `lianji` has started itself, with the test world's keys."""
    return Broker(url, BaseSettings(world=TEST_WORLD))


def broker_of_stack(stack: stackfile.StackFile) -> Broker:
    """The broker of a stack that runs, with the stack's keys."""
    return Broker(stack.nats_url, BaseSettings(nats_nkey_file=stack.keys)) if stack.keys else own_broker(stack.nats_url)


def gateway_address(data_dir: Path, gateway: str, *, tls: bool = False) -> tuple[str, int]:
    """Host and port of the gateway, or of its TLS door: given, or of the stack that runs on `data_dir`; raises CliError."""
    if not gateway:
        stack = stackfile.running(data_dir)
        if tls and not stack.tls_port:
            raise CliError(f"tls-ca: the stack on {data_dir} has no TLS door: start it with `lianji up --tls`")
        return stack.gateway_host, stack.tls_port if tls else stack.gateway_port
    host, colon, port = gateway.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise WrongUseError(f"gateway: {gateway!r} is not HOST:PORT; write it like 127.0.0.1:8583")
    return host, int(port)


@asynccontextmanager
async def connected(
    broker: Broker, command: str, *, identity: str = AUDITOR, within_s: float | None = None
) -> AsyncIterator[Bus]:
    """A connection to the broker for one command, as the identity whose part it plays; raises CliError when nobody answers there, or not
    `within_s` in all."""
    url = broker.url
    try:
        async with asyncio.timeout(within_s) as limit:
            bus = await _connect(url, command, broker.identity(identity))
            try:
                yield bus
            finally:
                await _hang_up(bus)
    except LogDamaged as error:
        raise CliError(f"a log cannot be trusted: {error}") from None
    except NotPermitted as error:
        raise CliError(f"broker {url}: {error}") from None
    except (BusError, LogError):
        raise CliError(f"broker {url}: connection lost or no answer; is the stack up?") from None
    except TimeoutError:
        if not limit.expired():
            raise
        raise CliError(f"no answer from {url} within {within_s:g} s") from None


async def _connect(url: str, command: str, identity: Identity) -> Bus:
    try:
        # The client library, told to reconnect for ever, also makes its first connection for ever: the limit stands here.
        async with asyncio.timeout(CONNECT_S):
            return await Bus.connect(url, f"lianji-{command}", identity=identity, wait_s=CONNECT_S)
    except NotAdmitted as error:
        raise CliError(str(error)) from None
    except (BusError, TimeoutError):
        raise CliError(f"no broker answers at {url}: is the stack up?") from None


async def _hang_up(bus: Bus) -> None:
    """Closes the connection. A broker that does not answer the farewell is not waited for: everything has been said."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HANG_UP_S):
            await bus.close()


async def until_known(ask: Callable[[], Awaitable[A | Refused]], *, within_s: float = 5.0) -> A | Refused:
    """Asks a projection until it knows: it follows the journal a moment behind."""
    give_up = time.monotonic() + within_s
    while True:
        answer = await ask()
        if not isinstance(answer, Refused) or time.monotonic() > give_up:
            return answer
        await asyncio.sleep(0.1)
