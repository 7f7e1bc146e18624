"""One key on its way: into a party's ring, or from the acquirer's security module to a bank's."""

from __future__ import annotations

import os
from collections.abc import Callable

from key_store import KeyRing, names
from lianji.errors import CliError
from lianji.keys.custodian import Custodian, Party
from runtime.clock import now_ms
from security_module import Algorithm, Purpose, WrappedKey

TRANSPORT_BYTES = 32
"""AES-256: a key must not travel under a weaker one."""


async def accept(party: Party, name: str, key: WrappedKey) -> KeyRing:
    """The ring with `key` as its newest version, accepted; a ring that is not there begins with it."""
    return await _put(party, name, key, lambda ring: ring.accept(key, now_ms()))


async def put(party: Party, name: str, key: WrappedKey) -> KeyRing:
    """The ring with `key` as its current version, in one write."""

    def taken(ring: KeyRing) -> KeyRing:
        grown = ring.accept(key, now_ms())
        return grown.promote(grown.versions[-1].number, now_ms())

    return await _put(party, name, key, taken)


async def _put(party: Party, name: str, key: WrappedKey, change: Callable[[KeyRing], KeyRing]) -> KeyRing:
    if await party.store.get(name) is None:
        first = KeyRing.first(name, key, now_ms())
        if await party.store.create(first):
            return first
    return await party.store.change(name, change)


async def agree_on_transport(custodian: Custodian, institution: str) -> KeyRing:
    """A new key between the two modules for keys to travel under. In earnest it comes to each in components (`lianji keys load`)."""
    clear = os.urandom(TRANSPORT_BYTES)
    bank = custodian.parties[institution]
    await put(bank, names.TRANSPORT, bank.module.import_clear(Purpose.KEY_BLOCK, clear, Algorithm.AES))
    own = custodian.acquirer.module.import_clear(Purpose.KEY_BLOCK, clear, Algorithm.AES)
    return await put(custodian.acquirer, names.transport(institution), own)


async def send_zone_key(custodian: Custodian, institution: str, key: WrappedKey) -> KeyRing:
    """Makes `key`, of the acquirer's module, the zone PIN key of both: the bank gets it as a TR-31 block under the transport key.

    The bank's ring is written first. From then on it reads what is under the new version, which nobody uses before the acquirer's ring
    says so; and it goes on reading what is under the former one. CliError when the two do not share a transport key or the bank's module
    got another key; KeyUsageError, KeyCheckError, KeyFormatError of the modules.
    """
    acquirer, bank = custodian.acquirer, custodian.parties[institution]
    transport = acquirer.store.ring(names.transport(institution)).current.key
    theirs = bank.store.ring(names.TRANSPORT).having(transport.check_value)
    if theirs is None:
        raise CliError(
            f"{names.transport(institution)}: the bank does not have the transport key {transport.check_value}; load it: "
            f"`lianji keys load {institution}/{names.TRANSPORT} --components`"
        )
    block = acquirer.module.export_key_block(transport, key)
    received = bank.module.import_key_block(theirs.key, Purpose.ZONE_PIN, block)
    if received.check_value != key.check_value:
        raise CliError(
            f"{names.zone(institution)}: the bank got {received.check_value}, {key.check_value} was sent; nothing was changed"
        )
    at_bank = await accept(bank, names.ZONE, received)
    ring = await put(acquirer, names.zone(institution), key)
    number = at_bank.versions[-1].number
    await bank.store.change(names.ZONE, lambda now: now.promote(number, now_ms()))
    return ring
