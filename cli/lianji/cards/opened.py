"""What reading cards takes: a connection to the broker, and the acquirer's data key under its local master key (LMK)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import world
from contracts import subjects
from key_store import KeyRing, KeyStore, local_master_key, names, read_master_key
from key_store.master import FILE_VARIABLE, KEY_VARIABLE
from lianji import options, stackfile
from lianji.keys.custodian import ACQUIRER, in_one_line
from lianji.keys.directory import file_of
from lianji.reading import broker_of
from runtime.bus import Bus
from runtime.jetstream import open_bucket
from security_module import SecurityModule


class DataKey(NamedTuple):
    """The ring `data`, and a security module that opens its versions."""

    bus: Bus
    module: SecurityModule
    ring: KeyRing


@asynccontextmanager
async def data_key(data_dir: Path, nats: str, keys: Path | None, command: str) -> AsyncIterator[DataKey]:
    """Of the stack on `data_dir`, running or not, or of the one whose broker is at `nats`; raises CliError."""
    if nats:
        lmk = acquirers_master_key(keys, os.environ, elsewhere=True)
        async with options.connected(options.broker_at(nats), command) as bus:
            yield await _opened(bus, lmk)
        return
    stack = stackfile.find(data_dir)
    lmk = acquirers_master_key(keys or (Path(stack.keys) if stack is not None and stack.keys else None), os.environ)
    async with broker_of(data_dir) as broker, options.connected(broker, command) as bus:
        yield await _opened(bus, lmk)


def acquirers_master_key(directory: Path | None, environ: Mapping[str, str], *, elsewhere: bool = False) -> bytes:
    """Of a key directory, else of the environment, as for a service; raises CliError.

    A stack on a data directory here that has no key directory is of the test world; for one elsewhere the test world must be asked for by name.
    """
    with in_one_line():
        if directory is not None:
            return read_master_key(file_of(directory, "acquirer"), "keys")
        if elsewhere or environ.get(FILE_VARIABLE) or environ.get(KEY_VARIABLE):
            return local_master_key(environ, lambda: world.lmk("acquirer"))
    return world.lmk("acquirer")


async def _opened(bus: Bus, lmk: bytes) -> DataKey:
    with in_one_line():
        module, store = SecurityModule(lmk), KeyStore(await open_bucket(bus, subjects.KEYS_ACQUIRER), ACQUIRER)
        await store.reread(names.DATA)
        store.verify(module)
        return DataKey(bus, module, store.ring(names.DATA))
