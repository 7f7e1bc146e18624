"""New versions in the place of the current ones, without a transaction that notices (docs/adr/0012)."""

from __future__ import annotations

from typing import NamedTuple

from key_store import KeyRing, KeyVersion, names
from lianji.errors import CliError
from lianji.keys import moves
from lianji.keys.custodian import ACQUIRER, Address, Custodian, in_one_line
from lianji.keys.holders import until_all_hold
from runtime.clock import now_ms
from security_module import Purpose, WrappedKey

GATEWAYS_S = 30.0
"""How long gateways may take to read a new data key: several of their own periods."""


class Moved(NamedTuple):
    """What has become of a key."""

    address: Address
    version: KeyVersion
    remark: str
    """What happens next, for the operator."""


async def rotate_terminal(custodian: Custodian, terminal: str) -> Moved:
    """A new master key waits for the terminal, which fetches it with its next sign-on and proves that it has it."""
    name = names.terminal(terminal)
    with in_one_line():
        key = custodian.acquirer.module.generate(Purpose.TERMINAL_MASTER)
        ring = await custodian.acquirer.store.change(name, lambda now: now.accept(key, now_ms()))
    await custodian.notify()
    return Moved(Address(ACQUIRER, name), ring.versions[-1], "waits for the terminal to sign on")


async def rotate_zone(custodian: Custodian, institution: str) -> Moved:
    """A new zone PIN key of the same kind, with both parties; the former one stays accepted at the bank."""
    name = names.zone(institution)
    with in_one_line():
        former = custodian.acquirer.store.ring(name).current.key
        key = custodian.acquirer.module.generate(Purpose.ZONE_PIN, length=former.length, algorithm=former.algorithm)
        ring = await moves.send_zone_key(custodian, institution, key)
    await custodian.notify()
    return Moved(
        Address(ACQUIRER, name), ring.current, "in use; the bank still reads the former one until it is retired"
    )


async def rotate_data(custodian: Custodian, *, within_s: float = GATEWAYS_S) -> Moved:
    """A new data key: first held by every gateway, then current. One that an earlier try left waiting is taken on."""
    store, module = custodian.acquirer.store, custodian.acquirer.module
    with in_one_line():
        key = module.generate(Purpose.DATA, length=32)
        ring = await store.change(names.DATA, lambda now: _with_one_waiting(now, key))
    return await promote_data(custodian, ring, within_s=within_s)


async def promote_data(custodian: Custodian, ring: KeyRing, *, within_s: float) -> Moved:
    """The version of the data ring that waits becomes current once every gateway holds it."""
    waiting, address = ring.waiting, Address(ACQUIRER, names.DATA)
    if waiting is None:
        raise CliError(f"{address}: no version waits to become current")
    await custodian.notify()
    gateways = await until_all_hold(custodian.bus, address, waiting.number, within_s=within_s)
    with in_one_line():
        ring = await custodian.acquirer.store.change(names.DATA, lambda now: now.promote(waiting.number, now_ms()))
    await custodian.notify()
    return Moved(address, ring.current, f"in use; {gateways} gateway(s) held it before; former versions are still read")


def _with_one_waiting(ring: KeyRing, key: WrappedKey) -> KeyRing:
    return ring if ring.waiting is not None else ring.accept(key, now_ms())
