"""A bank whose keys change: PIN blocks under any usable version of the zone key, cards made with a former one."""

from __future__ import annotations

import pytest

from contracts.authorization import CardData
from issuer_sim.cards import CardOnFile
from issuer_sim.checks import CardChecks
from issuer_sim.domain.facts import Pin
from issuer_sim.domain.terms import CardTerms
from issuer_sim.keys import BankKeys
from key_store import KeyStore, names
from runtime.bus import NoAnswer
from security_module import Purpose, SecurityModule, WrappedKey
from tests.support_keys import MemoryBucket, banks_rings
from tests.unit.test_issuer_handlers import BANK, PAN, PIN, Desk, card, track
from tests.unit.test_issuer_handlers import bucket as handlers_bucket
from tests.unit.test_issuer_handlers import module as handlers_module

HSM = SecurityModule(b"3" * 32)


class House:
    """A bank's process, and the custodian who changes its rings behind its back."""

    def __init__(self) -> None:
        self.bucket = MemoryBucket()
        self.custodian = banks_rings(HSM, BANK, self.bucket)
        self.rings = KeyStore(self.bucket, BANK)
        self.checks = CardChecks(BANK, HSM, BankKeys(self.rings))
        pvv = HSM.pvv(self.custodian.ring(names.PVK).current.key, PAN, PIN)
        self.file = CardOnFile(account="A1", expiry="3012", pvv=pvv, terms=CardTerms(debit=True))

    async def add(self, name: str, purpose: Purpose) -> WrappedKey:
        key = HSM.generate(purpose)
        await self.custodian.change(name, lambda ring: ring.accept(key, 1))
        return key

    async def pin(self, key: WrappedKey, *, named: bool = True) -> Pin:
        """What the bank says of the right PIN under `key`."""
        data = CardData(
            pan=PAN,
            pin_block=HSM.encrypt_pin(key, PIN, PAN),
            pin_zone=BANK,
            pin_key=key.check_value if named else "",
        )
        await self.checks.learn_key(data)
        return self.checks.pin(data, self.file)


@pytest.fixture
async def house() -> House:
    house = House()
    await house.rings.refresh()
    return house


async def test_a_version_that_was_just_written_is_looked_for_when_it_is_named(house: House) -> None:
    former = house.rings.ring(names.ZONE).current.key
    new = await house.add(names.ZONE, Purpose.ZONE_PIN)
    assert await house.pin(new) is Pin.RIGHT
    asked = house.bucket.asked
    assert await house.pin(new) is await house.pin(former) is Pin.RIGHT
    assert house.bucket.asked == asked, "what is known is not asked for"


async def test_without_a_name_it_is_the_current_version(house: House) -> None:
    former = house.rings.ring(names.ZONE).current.key
    new = await house.add(names.ZONE, Purpose.ZONE_PIN)
    await house.custodian.change(names.ZONE, lambda ring: ring.promote(2, 2))
    await house.rings.refresh()
    assert await house.pin(new, named=False) is Pin.RIGHT
    assert await house.pin(former, named=False) is Pin.UNREADABLE
    assert await house.pin(former) is Pin.RIGHT


async def test_what_is_retired_or_unknown_cannot_be_read(house: House) -> None:
    former = house.rings.ring(names.ZONE).current.key
    await house.add(names.ZONE, Purpose.ZONE_PIN)
    await house.custodian.change(names.ZONE, lambda ring: ring.promote(2, 2).retire(1, 3))
    await house.rings.refresh()
    assert await house.pin(former) is Pin.UNREADABLE
    assert await house.pin(HSM.generate(Purpose.ZONE_PIN)) is Pin.UNREADABLE


async def test_nobody_can_say_whether_there_is_a_newer_version(house: House) -> None:
    """Then nothing is decided: the switch finds the outcome unknown, and reverses."""
    house.bucket.trouble = NoAnswer("bucket")
    with pytest.raises(NoAnswer):
        await house.pin(HSM.generate(Purpose.ZONE_PIN))


async def test_cards_made_with_former_keys_are_good_still(house: House) -> None:
    former_cvk = house.rings.ring(names.CVK).current.key
    for name, purpose in ((names.CVK, Purpose.CVK), (names.PVK, Purpose.PVK)):
        await house.add(name, purpose)
        await house.custodian.change(name, lambda ring: ring.promote(2, 2))
    await house.rings.refresh()
    data = CardData(pan=PAN, track2=track(cvv=HSM.cvv(former_cvk, PAN, "3012", "101")))
    assert house.checks.card_ok(data, "021")
    assert await house.pin(house.rings.ring(names.ZONE).current.key) is Pin.RIGHT
    await house.custodian.change(names.CVK, lambda ring: ring.retire(1, 3))
    await house.custodian.change(names.PVK, lambda ring: ring.retire(1, 3))
    await house.rings.refresh()
    assert not house.checks.card_ok(data, "021")
    assert await house.pin(house.rings.ring(names.ZONE).current.key) is Pin.WRONG


async def test_the_edge_looks_before_it_decides() -> None:
    desk = Desk()
    new = handlers_module.generate(Purpose.ZONE_PIN)
    await KeyStore(handlers_bucket, BANK).change(names.ZONE, lambda ring: ring.accept(new, 1))
    block = handlers_module.encrypt_pin(new, PIN, PAN)
    reply = await desk.authorize(card=card(pin_block=block, pin_key=new.check_value))
    assert reply is not None
    assert reply.response_code == "00"
