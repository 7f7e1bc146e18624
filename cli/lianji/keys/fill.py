"""What a new stack begins with: rings that are missing get their first version. What is there is left as it is.

Terminals and cards are always those of the test world, and with them their keys (TMK, BDK, CVK, PVK, IMK). The keys between the services
themselves (transport, zone, data) are the test world's in the test world; under master keys of one's own they are random.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import world
from key_store import KeyRing, names
from lianji.keys import moves
from lianji.keys.custodian import Custodian, Party, in_one_line
from runtime.clock import now_ms
from security_module import Algorithm, Purpose, SecurityModule, WrappedKey

AT_ONCE = 32
"""Writes in flight: a thousand terminals' keys one after the other would keep a first start waiting for seconds. The broker syncs one
after the other, and each is waited for 2 s: of 256 the last timed out on a disk that takes 8 ms, and the first start with them."""

Maker = Callable[[SecurityModule], WrappedKey]


async def fill_standing(custodian: Custodian, *, test_world: bool) -> int:
    """Makes the missing rings that services need to start; how many. CliError in one line."""
    with in_one_line():
        made = await create(custodian.acquirer, dict(acquirers(test_world)))
        for institution in custodian.world.institutions:
            made += await create(custodian.parties[institution.id], dict(banks(institution.id)))
            made += await _fill_shared(custodian, institution.id, test_world=test_world)
    return made


async def fill_terminals(custodian: Custodian) -> int:
    """Makes the missing rings of terminals, about a thousand synced writes, while services start; how many. CliError in one line."""
    with in_one_line():
        made = await create(custodian.acquirer, dict(terminals(custodian.world)))
    if made:
        await custodian.notify()
    return made


def terminals(everything: world.World) -> Iterator[tuple[str, Maker]]:
    """The master keys that terminals are shipped with."""
    for terminal in everything.terminals:
        yield (
            names.terminal(terminal.tid),
            _imported(Purpose.TERMINAL_MASTER, world.terminal_master_key(terminal.tid)),
        )


def acquirers(test_world: bool) -> Iterator[tuple[str, Maker]]:
    """The acquirer's keys that nobody shares."""
    for cipher, name in ((Algorithm.TDES, names.BASE_TDES), (Algorithm.AES, names.BASE_AES)):
        yield name, _imported(Purpose.BASE_DERIVATION, world.base_key(cipher), cipher)
    if test_world:
        yield names.DATA, _imported(Purpose.DATA, world.data_key())
    else:
        yield names.DATA, lambda module: module.generate(Purpose.DATA, length=32)


def banks(institution: str) -> Iterator[tuple[str, Maker]]:
    """A bank's keys that nobody shares."""
    yield names.CVK, _imported(Purpose.CVK, world.cvk(institution))
    yield names.PVK, _imported(Purpose.PVK, world.pvk(institution))
    yield names.CHIP, _imported(Purpose.CARD_MASTER, world.chip_master_key(institution))
    yield names.SCRIPT, _imported(Purpose.CARD_SCRIPT, world.script_master_key(institution))


def _imported(purpose: Purpose, key: bytes, algorithm: Algorithm = Algorithm.TDES) -> Maker:
    return lambda module: module.import_clear(purpose, key, algorithm)


async def create(party: Party, makers: dict[str, Maker]) -> int:
    """Makes those rings of a party that are missing; how many."""
    missing = [name for name in makers if party.store.known(name) is None]
    gate = asyncio.Semaphore(AT_ONCE)

    async def make(name: str) -> None:
        async with gate:
            await party.store.create(KeyRing.first(name, makers[name](party.module), now_ms()))

    await asyncio.gather(*map(make, missing))
    return len(missing)


async def _fill_shared(custodian: Custodian, institution: str, *, test_world: bool) -> int:
    """Transport and zone key, which both must have alike. Where one side has lost its half, both get a new key."""
    acquirer, bank = custodian.acquirer, custodian.parties[institution]
    made = 0
    halves = [acquirer.store.known(names.transport(institution)), bank.store.known(names.TRANSPORT)]
    if test_world and not any(halves):
        transport = _imported(Purpose.KEY_BLOCK, world.transport_key(institution), Algorithm.AES)
        made += await create(bank, {names.TRANSPORT: transport})
        made += await create(acquirer, {names.transport(institution): transport})
    elif not all(halves):
        await moves.agree_on_transport(custodian, institution)
        made += 2
    halves = [acquirer.store.known(names.zone(institution)), bank.store.known(names.ZONE)]
    if not all(halves):
        public = test_world and not any(halves)
        await moves.send_zone_key(custodian, institution, _zone_key(acquirer.module, institution, public=public))
        made += 2
    return made


def _zone_key(module: SecurityModule, institution: str, *, public: bool) -> WrappedKey:
    cipher = world.zone_pin_algorithm(institution)
    if public:
        return module.import_clear(Purpose.ZONE_PIN, world.zone_pin_key(institution), cipher)
    return module.generate(Purpose.ZONE_PIN, algorithm=cipher)
