"""`lianji keys`: key rings made, loaded, rotated, shown and retired."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

import world
from contracts.access import CUSTODIAN
from key_store import names
from lianji import options, stackfile
from lianji.commands import keys_read
from lianji.errors import WrongUseError
from lianji.keys import ceremony, directory, listing, loading, recovery, rotation
from lianji.keys.custodian import Custodian, address_of, in_one_line
from lianji.keys.holders import Holders, holders
from lianji.keys.rotation import Moved
from lianji.reading import broker_of
from security_module import NOTICE, Algorithm, Purpose

Name = Annotated[str, typer.Argument(help="A ring: data, zone.BANK, transport.BANK, terminal.TERMINAL, BANK/zone …")]
Work = Callable[[Custodian], Awaitable[Moved]]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Key rings: load, rotate, show and retire keys; master keys for a stack of one's own.")
    group.command()(new)
    group.command()(load)
    group.command()(rotate)
    group.command()(show)
    group.command()(retire)
    group.command()(recover)
    group.command()(keys_read.read)
    app.add_typer(group, name="keys")


def new(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put the files.")], json: options.Json = False
) -> None:
    """Make a local master key (LMK) for each party, for a stack outside the test world: `lianji up --keys DIR`."""
    made = directory.make(target)
    if json:
        print(msgspec.json.encode({"directory": str(target), "check_values": made}).decode())
        return
    for party, check_value in made.items():
        print(f"{directory.file_of(target, party)}: {check_value}")
    print(f"Keep them apart and keep copies: without its LMK no key ring can be opened. ({NOTICE})")


def load(
    name: Name,
    block: Annotated[str, typer.Option(help="A TR-31 key block under a transport key.")] = "",
    components: Annotated[
        bool, typer.Option("--components", help="Ask for two or three clear components and the check value.")
    ] = False,
    under: Annotated[
        str, typer.Option(help="The transport ring that the block is under, where the ring's name does not say it.")
    ] = "",
    algorithm: Annotated[
        Algorithm | None, typer.Option(help="Of a key in components; left out: the current version's.")
    ] = None,
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    nats: options.Nats = "",
    keys: options.KeysDir = None,
    json: options.Json = False,
) -> None:
    """Put a key into a ring: from a TR-31 block, or from clear components at a prompt or on standard input."""
    if bool(block) == components:
        raise WrongUseError("load: say either --block or --components; see `lianji keys load --help`")
    address = address_of(name, world.built_in())
    transport = address_of(under, world.built_in()) if under else ceremony.transport_of(address)
    if under and transport is not None and names.purpose_of(transport.name) is not Purpose.KEY_BLOCK:
        raise WrongUseError(f"under: {under!r} is no transport ring")
    if block and transport is None:
        raise WrongUseError(
            f"under: say the transport ring that the block for {address} is under, like transport.huaxing"
        )
    parts = ceremony.ask_components(ceremony.asked_at_the_terminal) if components else None

    async def work(custodian: Custodian) -> Moved:
        with in_one_line():
            if parts is not None:
                known = custodian.parties[address.party].store.known(address.name)
                cipher = algorithm or (known.current.key.algorithm if known else Algorithm.TDES)
                key = ceremony.from_components(custodian, address, parts, cipher)
            else:
                assert transport is not None  # noqa: S101 - checked above
                key = ceremony.from_block(custodian, address, block, transport)
        return await loading.load(custodian, address, key)

    _report(options.run(_with_custodian(work, data_dir, nats, keys)), json)


def rotate(
    what: Annotated[str, typer.Argument(help="terminal, zone or data.")],
    which: Annotated[str, typer.Argument(help="The terminal's number, or the bank.")] = "",
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    nats: options.Nats = "",
    keys: options.KeysDir = None,
    json: options.Json = False,
) -> None:
    """Put a new random key in the place of the current one, while the stack works: terminal TERMINAL, zone BANK, or data."""
    _report(options.run(_with_custodian(_rotation(what, which), data_dir, nats, keys)), json)


def _rotation(what: str, which: str) -> Work:
    everything = world.built_in()
    match what:
        case "terminal":
            if everything.terminal(which) is None:
                raise WrongUseError(f"which: {which!r} is no terminal; `lianji world --all` lists them")
            return lambda custodian: rotation.rotate_terminal(custodian, which)
        case "zone":
            if everything.institution(which) is None:
                known = ", ".join(i.id for i in everything.institutions)
                raise WrongUseError(f"which: {which!r} is not one of {known}")
            return lambda custodian: rotation.rotate_zone(custodian, which)
        case "data":
            if which:
                raise WrongUseError(f"which: {which!r}: there is one data key, nothing follows `data`")
            return rotation.rotate_data
    raise WrongUseError(f"what: {what!r} is not one of terminal, zone, data")


def show(
    name: Annotated[str, typer.Argument(help="One ring; left out: all of them.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Also terminals that were never rotated.")] = False,
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    nats: options.Nats = "",
    keys: options.KeysDir = None,
    json: options.Json = False,
) -> None:
    """Show rings: versions, states, check values, and which process holds which version."""
    rows, held, quiet = options.run(_show(name, every, data_dir, nats, keys))
    if json:
        print(msgspec.json.encode({"rings": listing.as_json(rows, held)}).decode())
    else:
        listing.show(rows, held, quiet)


async def _show(
    name: str, every: bool, data_dir: Path, nats: str, keys: Path | None
) -> tuple[list[listing.Listed], Holders, int]:
    address = address_of(name, world.built_in()) if name else None
    async with _custodian(data_dir, nats, keys) as custodian:
        if address is not None:
            with in_one_line():
                rows, quiet = [listing.Listed(address, custodian.ring(address))], 0
        else:
            rows, quiet = listing.listed(custodian, every=every)
        asked = [row.ring.name for row in rows][: listing.ASKED_AT_MOST]
        return rows, await holders(custodian.bus, asked), quiet


def retire(
    name: Name,
    version: Annotated[int, typer.Argument(help="The version's number.", min=1)],
    force: Annotated[bool, typer.Option("--force", help="Although something may still be under it.")] = False,
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    nats: options.Nats = "",
    keys: options.KeysDir = None,
    json: options.Json = False,
) -> None:
    """Destroy a version that is not current; its number and check value stay as a record."""
    address = address_of(name, world.built_in())

    async def work(custodian: Custodian) -> Moved:
        return await loading.retire(custodian, address, version, force=force)

    _report(options.run(_with_custodian(work, data_dir, nats, keys)), json)


def recover(
    party: Annotated[str, typer.Argument(help="Whose master key was lost: acquirer or issuer.")],
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    nats: options.Nats = "",
    keys: options.KeysDir = None,
    json: options.Json = False,
) -> None:
    """After the loss of a master key: put new keys in the place of all that the present one does not open (docs/keys.md)."""
    if party not in directory.PARTIES:
        raise WrongUseError(f"party: {party!r} is not one of {', '.join(directory.PARTIES)}")

    async def work() -> list[str]:
        async with _custodian(data_dir, nats, keys, verify=False) as custodian:
            return await recovery.recover(custodian, party)

    replaced = options.run(work())
    print(msgspec.json.encode({"replaced": replaced}).decode() if json else f"{len(replaced)} key rings have new keys")


def _report(moved: Moved, json: bool) -> None:
    version = moved.version
    if json:
        answer = {
            "ring": str(moved.address),
            "version": version.number,
            "state": version.state,
            "check_value": version.check_value,
            "remark": moved.remark,
        }
        print(msgspec.json.encode(answer).decode())
    else:
        print(f"{moved.address}: version {version.number} ({version.check_value}) is {version.state}: {moved.remark}")


async def _with_custodian(work: Work, data_dir: Path, nats: str, keys: Path | None) -> Moved:
    async with _custodian(data_dir, nats, keys) as custodian:
        return await work(custodian)


@asynccontextmanager
async def _custodian(data_dir: Path, nats: str, keys: Path | None, *, verify: bool = True) -> AsyncIterator[Custodian]:
    """The custodian of the stack on `data_dir`, running or not, or of the one whose broker is at `nats`."""
    if nats:
        masters = directory.chosen_master_keys(keys, os.environ)
        async with options.connected(options.broker_at(nats), "keys", identity=CUSTODIAN) as bus:
            yield await Custodian.open(bus, world.built_in(), masters, verify=verify)
        return
    stack = stackfile.find(data_dir)
    masters = directory.master_keys(keys or (Path(stack.keys) if stack is not None and stack.keys else None))
    async with broker_of(data_dir) as broker, options.connected(broker, "keys", identity=CUSTODIAN) as bus:
        yield await Custodian.open(bus, world.built_in(), masters, verify=verify)
