"""A terminal's master key is changed: what the gateway asks of it, hands it, believes it, and when the former key goes."""

from __future__ import annotations

import asyncio
import itertools

import pytest

import iso8583
import world
from contracts.codec import encode_stored
from iso8583 import Message, split_master
from key_store import KeyRing, KeyStore, names
from runtime.bus import NoAnswer
from security_module import Purpose, SecurityModule, WrappedKey
from terminal_gw.masters import Masters
from terminal_gw.sessions import Session
from tests.support_keys import MemoryBucket, acquirers_rings, at_once
from tests.unit.test_gateway_pipeline import AT_MS, Gateway, Terminal

TID = "10000001"
RING = names.terminal(TID)
HSM = SecurityModule(world.lmk("acquirer"))


_stans = itertools.count(1)
"""No sign-on is a repetition of another one: that would be answered as the first was."""


class NewTerminal(Terminal):
    """One that names its master key in field 62 and takes a new one."""

    async def sign_on(self, gateway: Gateway, code: str = "003", *, loses_the_answer: bool = False) -> Message:
        named = self.master.check_value.encode()
        stan = f"{next(_stans):06d}"
        reply = await gateway.answer(self.management("0800", code, {11: stan, 62: named, 63: "001"}))
        if reply.text(39) == "00" and not loses_the_answer:
            keys, master = split_master(reply.data(62), session_bytes=24 if code == "001" else 40)
            self.pin = self.module.import_under(self.master, Purpose.PIN, *keys.pin)
            self.mac = self.module.import_under(self.master, Purpose.MAC, *keys.mac)
            self.batch = iso8583.Field60.parse(reply.text(60)).batch
            if master is not None:
                self.master = self.module.import_under(self.master, Purpose.TERMINAL_MASTER, *master)
        return reply


class House:
    """A gateway over rings that a custodian changes behind its back."""

    def __init__(self) -> None:
        self.bucket = MemoryBucket()
        acquirers_rings(HSM, self.bucket)
        self.custodian = KeyStore(self.bucket, "acquirer")
        self.gateway, self.terminal = self.another(), NewTerminal(TID)

    def another(self) -> Gateway:
        """One more gateway on the same buckets."""
        former = getattr(self, "gateway", None)
        gateway = Gateway(former.switch, former.bucket) if former else Gateway()
        gateway.rings = KeyStore(self.bucket, "acquirer")
        at_once(gateway.rings.refresh())
        gateway.masters = Masters(gateway.rings, lambda: AT_MS)
        object.__setattr__(gateway.desk, "masters", gateway.masters)
        return gateway

    async def rotate(self, *, told: bool = True) -> WrappedKey:
        key = HSM.generate(Purpose.TERMINAL_MASTER)
        await self.custodian.change(RING, lambda ring: ring.accept(key, 1))
        if told:
            await self.tell(self.gateway)
        return key

    async def tell(self, gateway: Gateway) -> None:
        gateway.masters.learn(await gateway.rings.refresh())

    async def sell(self) -> Message:
        reply = await self.gateway.answer(self.terminal.sale())
        assert (reply.text(39), self.terminal.trusts(reply)) == ("00", True)
        await self.gateway.masters.drain()
        return reply

    async def ring(self) -> KeyRing:
        """As the bucket has it."""
        ring = await self.custodian.reread(RING)
        assert ring is not None
        return ring

    async def states(self) -> dict[int, str]:
        return {version.number: version.state for version in (await self.ring()).versions}


@pytest.fixture
async def house() -> House:
    house = House()
    await house.terminal.sign_on(house.gateway)
    return house


def processing(reply: Message) -> str:
    return reply.header.processing


async def test_from_the_rotation_to_the_end_of_the_former_key(house: House) -> None:
    new = await house.rotate()
    assert processing(await house.sell()) == "3"
    fetched = await house.terminal.sign_on(house.gateway)
    assert len(fetched.data(62)) == 40 + 20
    assert house.terminal.master.check_value == new.check_value
    assert await house.states() == {1: "current", 2: "accepted"}
    assert processing(await house.sell()) == "3", "the key is fetched; now it is to be used"
    assert await house.states() == {1: "current", 2: "accepted"}, "that session was made under the former key"
    assert len((await house.terminal.sign_on(house.gateway)).data(62)) == 40
    assert await house.states() == {1: "current", 2: "accepted"}, "a sign-on carries no MAC, and proves nothing"
    assert processing(await house.sell()) == "0"
    assert await house.states() == {1: "accepted", 2: "current"}
    assert processing(await house.sell()) == "0"
    await house.terminal.sign_on(house.gateway)
    assert await house.states() == {1: "retired", 2: "current"}


async def test_a_terminal_is_asked_once_until_it_comes(house: House) -> None:
    await house.rotate()
    assert [processing(await house.sell()) for _ in range(3)] == ["3", "0", "0"]


async def test_a_terminal_that_always_signs_on_with_the_same_bytes_gets_the_new_key(house: House) -> None:
    """A repeated sign-on is answered as it was (docs/adr/0016), but not once a key waits that the former answer does not bring."""
    message = house.terminal.management(
        "0800", "003", {62: house.terminal.master.check_value.encode(), 63: "001", 11: "999999"}
    )
    first = await house.gateway.answer(message)
    assert (await house.gateway.answer(message)).data(62) == first.data(62)
    await house.rotate()
    brought = (await house.gateway.answer(message)).data(62)
    assert len(brought) == len(first.data(62)) + 20
    assert (await house.gateway.answer(message)).data(62) == brought


async def test_a_lost_answer_is_repeated(house: House) -> None:
    new = await house.rotate()
    lost = await house.terminal.sign_on(house.gateway, loses_the_answer=True)
    assert len(lost.data(62)) == 60
    again = await house.terminal.sign_on(house.gateway)
    assert again.data(62)[40:] == lost.data(62)[40:]
    assert house.terminal.master.check_value == new.check_value


async def test_single_length_session_keys_bring_it_too(house: House) -> None:
    new = await house.rotate()
    assert len((await house.terminal.sign_on(house.gateway, "001")).data(62)) == 24 + 20
    assert house.terminal.master.check_value == new.check_value


async def test_of_two_rotations_the_terminal_gets_the_later_one(house: House) -> None:
    await house.rotate()
    newest = await house.rotate()
    await house.terminal.sign_on(house.gateway)
    assert house.terminal.master.check_value == newest.check_value
    await house.terminal.sign_on(house.gateway)
    await house.sell()
    assert await house.states() == {1: "accepted", 2: "accepted", 3: "current"}
    await house.terminal.sign_on(house.gateway)
    assert await house.states() == {1: "retired", 2: "retired", 3: "current"}


async def test_a_rotation_while_one_is_under_way(house: House) -> None:
    """The terminal has the second key and has not proved it when the third is made: it gets the third under the second."""
    await house.rotate()
    await house.terminal.sign_on(house.gateway)
    newest = await house.rotate()
    await house.terminal.sign_on(house.gateway)
    assert house.terminal.master.check_value == newest.check_value
    await house.terminal.sign_on(house.gateway)
    await house.sell()
    assert await house.states() == {1: "accepted", 2: "accepted", 3: "current"}


async def test_who_names_a_key_without_having_it_changes_nothing(house: House) -> None:
    """A stranger on the line has seen the new key's check value. The terminal still gets in with the former key."""
    new = await house.rotate()
    stranger = house.terminal.management("0800", "003", {62: new.check_value.encode(), 63: "001"})
    for _ in range(3):
        assert (await house.gateway.answer(stranger)).text(39) == "00"
    assert await house.states() == {1: "current", 2: "accepted"}
    await house.terminal.sign_on(house.gateway)
    await house.sell()


async def test_a_terminal_that_names_no_key_goes_on_as_ever(house: House) -> None:
    old = Terminal(TID)
    await house.rotate()
    reply = await old.sign_on(house.gateway)
    assert len(reply.data(62)) == 40
    house.terminal.pin, house.terminal.mac, house.terminal.batch = old.pin, old.mac, old.batch
    assert [processing(await house.sell()) for _ in range(2)] == ["3", "0"]
    await old.sign_on(house.gateway)
    assert await house.states() == {1: "current", 2: "accepted"}


@pytest.mark.parametrize("other", [b"Sequence No16PAX0123456789", b"ea3e275a", b"1234567", b"\xff" * 8])
async def test_what_else_stands_in_field_62_is_not_looked_at(house: House, other: bytes) -> None:
    reply = await house.gateway.answer(house.terminal.management("0800", "003", {62: other, 63: "001"}))
    assert (reply.text(39), len(reply.data(62))) == ("00", 40)


async def test_a_key_that_the_host_does_not_have_is_refused(house: House) -> None:
    unknown = house.terminal.management("0800", "003", {62: b"00000000", 63: "001"})
    asked = len(house.gateway.switch.asked)
    reply = await house.gateway.answer(unknown)
    assert (reply.text(39), 62 in reply.fields) == ("05", False)
    assert len(house.gateway.switch.asked) == asked, "the switch opens no batch for it"
    former = house.terminal.master.check_value.encode()
    await house.rotate()
    for _ in range(2):
        await house.terminal.sign_on(house.gateway)
    await house.sell()
    await house.terminal.sign_on(house.gateway)
    retired = await house.gateway.answer(house.terminal.management("0800", "003", {62: former, 63: "001"}))
    assert retired.text(39) == "05"


async def test_a_gateway_that_has_not_heard_of_the_new_key_looks_when_it_is_named(house: House) -> None:
    deaf = house.another()
    await house.rotate()
    await house.terminal.sign_on(house.gateway)
    house.gateway = deaf
    assert len((await house.terminal.sign_on(deaf)).data(62)) == 40
    await house.sell()
    assert await house.states() == {1: "accepted", 2: "current"}


async def test_what_cannot_be_written_now_is_written_with_a_later_message(house: House) -> None:
    await house.rotate()
    for _ in range(2):
        await house.terminal.sign_on(house.gateway)
    house.bucket.trouble = NoAnswer("bucket")
    await house.sell()
    house.bucket.trouble = None
    assert await house.states() == {1: "current", 2: "accepted"}
    await house.sell()
    assert await house.states() == {1: "accepted", 2: "current"}
    house.bucket.trouble = NoAnswer("bucket")
    await house.terminal.sign_on(house.gateway)
    house.bucket.trouble = None
    assert await house.states() == {1: "accepted", 2: "current"}
    await house.terminal.sign_on(house.gateway)
    assert await house.states() == {1: "retired", 2: "current"}


async def test_a_terminal_without_a_ring_is_told_that_the_host_is_at_fault(house: House) -> None:
    del house.bucket.values[RING]
    await house.gateway.rings.reread(RING)
    reply = await house.gateway.answer(house.terminal.management("0800", "003", {63: "001"}))
    assert reply.text(39) == "96"
    house.bucket.values[RING] = b"{}", 10**6
    assert (await house.gateway.answer(house.terminal.management("0800", "003", {63: "001"}))).text(39) == "96"


async def test_an_answer_is_under_the_keys_of_its_request(house: House) -> None:
    """While the switch works on a sale the terminal signs on again, on another line: the sale's answer must not be one that it distrusts."""
    gateway, terminal = house.gateway, house.terminal
    gateway.switch.hold = asyncio.Event()
    selling = asyncio.create_task(gateway.answer(terminal.sale()))
    while not gateway.switch.asked[-1][0].endswith("authorize"):
        await asyncio.sleep(0)
    keys, gateway.switch.hold = gateway.switch.hold, None
    other = NewTerminal(TID)
    await other.sign_on(gateway)
    keys.set()
    reply = await selling
    assert reply.text(39) == "00"
    assert terminal.trusts(reply)
    assert not other.trusts(reply)


async def test_a_session_under_another_lmk_is_none(house: House) -> None:
    """After a lost LMK there is a new one, and what was wrapped under the former opens for nobody: the terminals sign on again."""
    lost, (key,) = SecurityModule(b"2" * 32), house.gateway.bucket.values
    session = Session(pin=lost.generate(Purpose.PIN), mac=lost.generate(Purpose.MAC), batch="000007")
    house.gateway.bucket.values[key] = encode_stored(session)
    assert await house.gateway.desk.sessions.reread(TID) is None
    refused = await house.gateway.answer(house.terminal.sale())
    assert (refused.text(39), processing(refused)) == ("A0", "3")
    await house.terminal.sign_on(house.gateway)
    await house.sell()
