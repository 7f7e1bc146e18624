"""What the custodian asks of everybody, on a real broker: who holds which versions, and what has to wait for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from contracts import subjects
from key_store import KeyStore, holding, names
from lianji.errors import CliError
from lianji.keys import loading, moves, rotation
from lianji.keys.custodian import ACQUIRER, Address, Custodian
from lianji.keys.holders import holders
from runtime.bus import Bus, NoAnswer, Request
from runtime.clock import now_ms
from runtime.service import Service
from runtime.settings import BaseSettings
from security_module import Purpose
from tests.support_custody import BANK, filled
from tests.support_keys import MemoryBucket

pytestmark = pytest.mark.broker

DATA, ZONE = Address(ACQUIRER, names.DATA), Address(ACQUIRER, names.zone(BANK))
SERVING = "gw-1"


class Holder:
    """A process with the rings of one party, wired as the services are."""

    def __init__(self, bus: Bus, bucket: MemoryBucket, party: str, instance: str = SERVING) -> None:
        self.store = KeyStore(bucket, party)
        self.service: Service[BaseSettings] = Service("test", instance, BaseSettings(), [bus])
        self.deaf = False
        self.read = 0

    async def start(self) -> None:
        await self.store.refresh()

        async def read_again() -> None:
            self.read += 1
            if not self.deaf:
                await self.store.refresh()

        async def held(request: Request) -> bytes:
            return holding(request.body, [self.store], self.service.instance)

        await self.service.follow(subjects.KEYS_CHANGED, read_again, period_s=60)
        serving = await self.service.bus.serve(subjects.KEYS_HELD, held)
        self.service.on_drain(serving.stop)


class House:
    def __init__(self, custodian: Custodian, gateway: Holder, bank: Holder) -> None:
        self.custodian, self.gateway, self.bank = custodian, gateway, bank


@pytest.fixture
async def house(bus: Bus) -> AsyncIterator[House]:
    custodian, buckets = await filled(bus)
    house = House(custodian, Holder(bus, buckets[ACQUIRER], ACQUIRER), Holder(bus, buckets[BANK], BANK, "bank-1"))
    for holder in (house.gateway, house.bank):
        await holder.start()
    yield house
    for holder in (house.gateway, house.bank):
        await holder.service.drain()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_everybody_says_what_he_holds(house: House) -> None:
    await moves.accept(house.custodian.acquirer, names.DATA, house.custodian.acquirer.module.generate(Purpose.DATA))
    await house.gateway.store.refresh()
    found = await holders(house.custodian.bus, [names.DATA, names.ZONE, "none"])
    assert found == {DATA: {SERVING: (1, 2)}, Address(BANK, names.ZONE): {"bank-1": (1,)}}


async def test_a_data_key_is_used_when_every_gateway_holds_it(house: House) -> None:
    moved = await rotation.rotate_data(house.custodian)
    assert (moved.version.number, moved.version.state) == (2, "current")
    await until(lambda: house.gateway.store.ring(names.DATA).current.number == 2)


async def test_a_data_key_that_one_gateway_does_not_hold_is_not_used(house: House) -> None:
    house.gateway.deaf = True
    with pytest.raises(CliError, match=f"data: version 2 is not held by {SERVING} after 0.1 s; it stays accepted"):
        await rotation.rotate_data(house.custodian, within_s=0.1)
    ring = house.custodian.acquirer.store.ring(names.DATA)
    assert (ring.current.number, [v.number for v in ring.usable()]) == (1, [1, 2])
    house.gateway.deaf = False
    moved = await rotation.rotate_data(house.custodian)
    assert moved.version.number == 2, "the version that waits is taken on"


async def test_a_zone_key_is_retired_at_both_when_nobody_uses_it_any_more(house: House) -> None:
    custodian = house.custodian
    await rotation.rotate_zone(custodian, BANK)
    with pytest.raises(
        CliError, match=r"zone\.huaxing: version 1 was in use until \d s ago and may be on its way; wait"
    ):
        await loading.retire(custodian, ZONE, 1, force=False)
    await _let_time_pass(custodian, ZONE)
    house.gateway.deaf = True
    house.gateway.store = KeyStore(MemoryBucket(), ACQUIRER)
    await house.gateway.store.create(custodian.ring(ZONE).promote(1, 0))
    with pytest.raises(CliError, match=f"version 1 is what {SERVING} uses"):
        await loading.retire(custodian, ZONE, 1, force=False)
    house.gateway.store = KeyStore(MemoryBucket(), ACQUIRER)
    moved = await loading.retire(custodian, ZONE, 1, force=False)
    assert moved.version.state == "retired"
    for address in (ZONE, Address(BANK, names.ZONE)):
        assert [v.state for v in custodian.ring(address).versions] == ["retired", "current"]
    with pytest.raises(CliError, match=r"zone\.huaxing: version 2 is current; rotate first"):
        await loading.retire(custodian, ZONE, 2, force=True)
    with pytest.raises(CliError, match=r"zone\.huaxing: has no version 9"):
        await loading.retire(custodian, ZONE, 9, force=True)
    with pytest.raises(
        CliError, match=r"huaxing/zone: is shared; retire it at both with `lianji keys retire zone\.huaxing`"
    ):
        await loading.retire(custodian, Address(BANK, names.ZONE), 1, force=False)


async def _let_time_pass(custodian: Custodian, address: Address) -> None:
    """The ring as if its versions had come into their states a minute ago."""

    def older(ring: Any) -> Any:
        numbers = [v.number for v in ring.versions if v.state == "accepted"]
        current, at_ms = ring.current.number, now_ms() - 60_000
        return ring.promote(numbers[0], at_ms).promote(current, at_ms)

    await custodian.parties[address.party].store.change(address.name, older)


async def test_a_data_key_and_a_key_that_waits_are_retired_by_force_only(house: House) -> None:
    custodian = house.custodian
    await rotation.rotate_data(custodian)
    with pytest.raises(CliError, match="data: card numbers sealed with version 1 could not be read any more"):
        await loading.retire(custodian, DATA, 1, force=False)
    assert (await loading.retire(custodian, DATA, 1, force=True)).version.state == "retired"
    terminal = Address(ACQUIRER, names.terminal("10000001"))
    module = custodian.acquirer.module
    await moves.put(custodian.acquirer, terminal.name, module.generate(Purpose.TERMINAL_MASTER))
    await rotation.rotate_terminal(custodian, "10000001")
    with pytest.raises(CliError, match="the terminal may have taken version 2 already"):
        await loading.retire(custodian, terminal, 2, force=False)
    assert (await loading.retire(custodian, terminal, 2, force=True)).version.state == "retired"


async def test_a_zone_key_from_outside_goes_to_the_bank_first(house: House) -> None:
    custodian, clear = house.custodian, bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    own = custodian.acquirer.module.import_clear(Purpose.ZONE_PIN, clear)
    theirs = custodian.parties[BANK].module.import_clear(Purpose.ZONE_PIN, clear)
    with pytest.raises(
        CliError, match=rf"the bank could not read what is under {own.check_value}; first load the key there"
    ):
        await loading.load(custodian, ZONE, own)
    held = await loading.load(custodian, Address(BANK, names.ZONE), theirs)
    assert held.version.state == "accepted"
    used = await loading.load(custodian, ZONE, own)
    assert used.version.state == "current"
    assert custodian.ring(Address(BANK, names.ZONE)).current.check_value == own.check_value


async def test_other_keys_from_outside_are_in_use_at_once_and_a_data_key_when_it_is_held(house: House) -> None:
    custodian, module = house.custodian, house.custodian.acquirer.module
    for name, purpose in (
        (names.terminal("10000001"), Purpose.TERMINAL_MASTER),
        (names.BASE_TDES, Purpose.BASE_DERIVATION),
    ):
        moved = await loading.load(custodian, Address(ACQUIRER, name), module.generate(purpose))
        assert moved.version.state == "current"
    house.gateway.deaf = True
    loaded = asyncio.create_task(loading.load(custodian, DATA, module.generate(Purpose.DATA, length=32)))
    await until(lambda: house.gateway.read > 0)
    assert not loaded.done()
    house.gateway.deaf = False
    await custodian.bus.tell(subjects.KEYS_CHANGED)
    assert (await loaded).version.state == "current"


async def test_a_follower_works_on_notices_on_its_period_and_through_trouble(bus: Bus) -> None:
    service: Service[BaseSettings] = Service("test", "follower", BaseSettings(), [bus])
    done = 0
    trouble: list[Exception] = [NoAnswer("the bucket")]

    async def work() -> None:
        nonlocal done
        if trouble:
            raise trouble.pop()
        done += 1

    subject = "test.follower"
    await service.follow(subject, work, period_s=60)
    await bus.tell(subject)
    await until(lambda: not trouble)
    await bus.tell(subject)
    await until(lambda: done == 1)
    await service.follow("test.nobody", work, period_s=0.01)
    await until(lambda: done > 3)
    assert not service.failed
    await service.drain()
