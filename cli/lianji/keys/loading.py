"""A key that came from outside goes into a ring, and an old one out: what has to be looked at first depends on the ring."""

from __future__ import annotations

from key_store import ACCEPTED, CURRENT, KeyRing, KeyVersion, names
from lianji.errors import CliError
from lianji.keys import moves
from lianji.keys.custodian import ACQUIRER, Address, Custodian, in_one_line
from lianji.keys.holders import holders
from lianji.keys.rotation import GATEWAYS_S, Moved, promote_data
from runtime.clock import now_ms
from security_module import WrappedKey

IN_FLIGHT_S = 30
"""An authorization is over within this, whatever happens to it; so long a former zone key may still be asked for."""


async def load(custodian: Custodian, address: Address, key: WrappedKey) -> Moved:
    """The key becomes the ring's current one, unless others have to hold it first."""
    party = custodian.parties[address.party]
    with in_one_line():
        if address == Address(ACQUIRER, names.DATA):
            ring = await moves.accept(party, address.name, key)
            return await promote_data(custodian, ring, within_s=GATEWAYS_S)
        if address.party != ACQUIRER and address.name == names.ZONE:
            ring = await moves.accept(party, address.name, key)
            remark = f"held; it comes into use with `lianji keys load {names.zone(address.party)}`"
        elif bank := _bank_of(address, names.ZONE):
            ring, remark = await _load_zone(custodian, bank, key), "in use"
        else:
            ring, remark = await moves.put(party, address.name, key), "in use"
    await custodian.notify()
    return Moved(address, ring.versions[-1], remark)


def _bank_of(address: Address, kind: str) -> str:
    """The institution with which the acquirer's ring of this kind is shared; empty for another ring."""
    found, _, institution = address.name.partition(".")
    return institution if address.party == ACQUIRER and found == kind else ""


async def _load_zone(custodian: Custodian, institution: str, key: WrappedKey) -> KeyRing:
    bank = custodian.parties[institution]
    theirs = bank.store.ring(names.ZONE).having(key.check_value)
    if theirs is None:
        raise CliError(
            f"{names.zone(institution)}: the bank could not read what is under {key.check_value}; first load the key there: "
            f"`lianji keys load {institution}/{names.ZONE}`"
        )
    ring = await moves.put(custodian.acquirer, names.zone(institution), key)
    await bank.store.change(names.ZONE, lambda now: now.promote(theirs.number, now_ms()))
    return ring


async def retire(custodian: Custodian, address: Address, number: int, *, force: bool) -> Moved:
    """Without the key of version `number`, for good. CliError when something might still be under it."""
    if address.party != ACQUIRER and address.name in (names.ZONE, names.TRANSPORT):
        raise CliError(
            f"{address}: is shared; retire it at both with `lianji keys retire {address.name}.{address.party}`"
        )
    with in_one_line():
        version = _retirable(custodian.ring(address), address, number)
        if not force:
            await _refuse_what_is_needed(custodian, address, version)
        store = custodian.parties[address.party].store
        ring = await store.change(address.name, lambda now: now.retire(number, now_ms()))
        for kind in (names.ZONE, names.TRANSPORT):
            if bank := _bank_of(address, kind):
                await _retire_half(custodian, Address(bank, kind), version.check_value)
    await custodian.notify()
    retired = ring.numbered(number)
    return Moved(address, retired or version, "its key is gone; what is under it cannot be read any more")


def _retirable(ring: KeyRing, address: Address, number: int) -> KeyVersion:
    version = ring.numbered(number)
    if version is None:
        raise CliError(f"{address}: has no version {number}")
    if version.state == CURRENT:
        raise CliError(f"{address}: version {number} is current; rotate first")
    return version


async def _refuse_what_is_needed(custodian: Custodian, address: Address, version: KeyVersion) -> None:
    if version.state != ACCEPTED:
        return
    if address.name == names.DATA:
        raise CliError(
            f"{address}: card numbers sealed with version {version.number} could not be read any more (`lianji keys read` counts them); "
            "say --force if that is meant"
        )
    if names.terminal_of(address.name) and version == custodian.ring(address).waiting:
        raise CliError(
            f"{address}: the terminal may have taken version {version.number} already and could not sign on any more; "
            "say --force if that is meant"
        )
    if _bank_of(address, names.ZONE):
        await _refuse_in_flight(custodian, address, version)


async def _refuse_in_flight(custodian: Custodian, address: Address, version: KeyVersion) -> None:
    age_s = (now_ms() - version.since_ms) // 1000
    if age_s < IN_FLIGHT_S:
        raise CliError(
            f"{address}: version {version.number} was in use until {age_s} s ago and may be on its way; wait {IN_FLIGHT_S - age_s} s"
        )
    held = (await holders(custodian.bus, [address.name])).get(address, {})
    users = sorted(instance for instance, usable in held.items() if usable[0] == version.number)
    if users:
        raise CliError(
            f"{address}: version {version.number} is what {', '.join(users)} uses; wait until it has read the ring"
        )


async def _retire_half(custodian: Custodian, address: Address, check_value: str) -> None:
    store = custodian.parties[address.party].store
    await store.reread(address.name)
    half = store.ring(address.name).having(check_value)
    if half is not None:
        await store.change(address.name, lambda now: now.retire(half.number, now_ms()))
