"""The broker of a data directory, for commands that read what it keeps, whether a stack runs there or not."""

from __future__ import annotations

import asyncio
import fcntl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from lianji import options, stackfile
from lianji.broker import BrokerError, LocalBroker
from lianji.errors import CliError
from lianji.permissions import world_users


@asynccontextmanager
async def broker_of(data_dir: Path) -> AsyncIterator[options.Broker]:
    """The running stack's broker; for a data directory without a stack, one of its own for as long as it takes."""
    stack = stackfile.find(data_dir)
    if stack is not None:
        yield options.broker_of_stack(stack)
        return
    if not (data_dir / "broker").is_dir():
        raise CliError(f"{data_dir} is no stack's data directory: start one with `lianji up --data-dir {data_dir}`")
    with alone(data_dir):
        sys.stderr.write("no stack runs here: starting the broker alone, to read\n")
        broker = LocalBroker((data_dir / "broker").resolve(), users=world_users())
        try:
            await asyncio.to_thread(broker.start)
            yield options.own_broker(broker.url)
        except BrokerError as error:
            raise CliError(str(error)) from None
        finally:
            await asyncio.to_thread(broker.stop)


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Holds the lock of `lianji up`: two brokers over one directory would ruin it. Raises CliError when a stack has it."""
    path = data_dir / "run" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CliError(f"the stack on {data_dir} is starting or stopping: try again in a moment") from None
        yield
