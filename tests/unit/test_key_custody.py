"""The custodian's work on rings in memory: what a new stack begins with, and a zone key on its way from one module to the other."""

from __future__ import annotations

import asyncio
import itertools

import pytest

import world
from contracts.pan import Pan
from key_store import KeyRing, WrongMasterError, names
from lianji.errors import CliError, WrongUseError
from lianji.keys import moves
from lianji.keys.custodian import ACQUIRER, Address, Custodian, address_of
from lianji.keys.fill import fill_standing, fill_terminals
from lianji.keys.listing import as_json, listed
from lianji.keys.recovery import recover
from runtime.bus import NoAnswer
from security_module import Algorithm, KeyUsageError, PinFormat, Purpose, SecurityModule
from tests.support_custody import BANK, custodian_over, filled
from tests.support_keys import MemoryBucket

PAN = Pan("6291010000000012")
WORLD = world.built_in()
BANKS = [institution.id for institution in WORLD.institutions]


def check(custodian: Custodian, party: str, name: str) -> str:
    return custodian.parties[party].store.ring(name).current.check_value


def pins_arrive(custodian: Custodian, bank: str) -> bool:
    """Whether a PIN block that the acquirer makes can be read by the bank, under the version that it names."""
    zone = custodian.acquirer.store.ring(names.zone(bank)).current.key
    pin_format = PinFormat.ISO_4 if zone.algorithm is Algorithm.AES else PinFormat.ISO_0
    block = custodian.acquirer.module.encrypt_pin(zone, "1234", PAN, pin_format)
    module, store = custodian.parties[bank]
    theirs = store.ring(names.ZONE).having(zone.check_value)
    pvk = store.ring(names.PVK).current.key
    return theirs is not None and module.verify_pin(
        block, PAN, pin_key=theirs.key, pvk=pvk, pvv=module.pvv(pvk, PAN, "1234"), pin_format=pin_format
    )


async def test_a_new_stack_has_every_ring_once() -> None:
    custodian, buckets = await filled()
    assert set(buckets[ACQUIRER].values) == {
        "data",
        "base.tdes",
        "base.aes",
        *(f"{kind}.{bank}" for kind, bank in itertools.product(("zone", "transport"), BANKS)),
    }
    assert all(set(buckets[bank].values) == set(names.BANK) for bank in BANKS)
    revisions = {party: bucket.revision for party, bucket in buckets.items()}
    assert await fill_standing(custodian_over(buckets), test_world=True) == 0
    assert {party: bucket.revision for party, bucket in buckets.items()} == revisions
    assert all(pins_arrive(custodian, bank) for bank in BANKS)


async def test_terminals_get_the_keys_that_they_were_shipped_with() -> None:
    buckets: dict[str, MemoryBucket] = {}
    custodian = custodian_over(buckets)
    tids = {terminal.tid for terminal in WORLD.terminals}
    told: list[bool] = []

    async def notify() -> None:
        told.append(True)

    custodian.notify = notify  # type: ignore[method-assign]
    assert await fill_terminals(custodian) == len(tids)
    assert {names.terminal_of(name) for name in buckets[ACQUIRER].values} == tids
    shipped = SecurityModule(b"t" * 32).import_clear(Purpose.TERMINAL_MASTER, world.terminal_master_key("10000001"))
    assert check(custodian, ACQUIRER, names.terminal("10000001")) == shipped.check_value
    assert await fill_terminals(custodian_over(buckets)) == 0
    assert told == [True]


async def test_under_master_keys_of_ones_own_no_key_between_services_is_public() -> None:
    public, _ = await filled()
    own, _ = await filled(test_world=False)
    for name in ("data", *(f"{kind}.{bank}" for kind, bank in itertools.product(("zone", "transport"), BANKS))):
        assert check(own, ACQUIRER, name) != check(public, ACQUIRER, name)
    for bank in BANKS:
        assert check(own, ACQUIRER, names.transport(bank)) == check(own, bank, names.TRANSPORT)
        assert check(own, bank, names.CVK) == check(public, bank, names.CVK), "the cards are the test world's"
        assert pins_arrive(own, bank)


@pytest.mark.parametrize("test_world", [True, False])
@pytest.mark.parametrize(
    ("party", "name"),
    [(ACQUIRER, names.zone(BANK)), (BANK, names.ZONE), (ACQUIRER, names.transport(BANK)), (BANK, names.TRANSPORT)],
)
async def test_a_half_that_was_lost_is_agreed_on_anew(test_world: bool, party: str, name: str) -> None:
    _, buckets = await filled(test_world=test_world)
    del buckets[party].values[name]
    custodian = custodian_over(buckets)
    assert await fill_standing(custodian, test_world=test_world) == 2
    assert pins_arrive(custodian, BANK)
    assert await fill_standing(custodian_over(buckets), test_world=test_world) == 0


async def test_a_zone_key_is_at_the_bank_before_anybody_uses_it() -> None:
    custodian, buckets = await filled()
    key = custodian.acquirer.module.generate(Purpose.ZONE_PIN)
    before = check(custodian, ACQUIRER, names.zone(BANK))
    buckets[ACQUIRER].trouble = NoAnswer("the custodian's connection is lost between the two")
    with pytest.raises(NoAnswer):
        await moves.send_zone_key(custodian, BANK, key)
    buckets[ACQUIRER].trouble = None
    bank = custodian.parties[BANK].store.ring(names.ZONE)
    assert bank.waiting is not None
    assert bank.waiting.check_value == key.check_value
    assert check(custodian, ACQUIRER, names.zone(BANK)) == before == bank.current.check_value
    assert pins_arrive(custodian, BANK)
    following = custodian.acquirer.module.generate(Purpose.ZONE_PIN)
    ring = await moves.send_zone_key(custodian, BANK, following)
    assert ring.current.check_value == following.check_value == check(custodian, BANK, names.ZONE)
    assert ring.having(before) is not None
    assert pins_arrive(custodian, BANK)


async def test_a_zone_key_needs_a_transport_key_that_both_have_and_that_is_strong_enough() -> None:
    custodian, _ = await filled()
    acquirer, bank, clear = custodian.acquirer, custodian.parties[BANK], bytes(range(16))
    weak = acquirer.module.import_clear(Purpose.KEY_BLOCK, clear)
    await moves.put(acquirer, names.transport(BANK), weak)
    key = acquirer.module.generate(Purpose.ZONE_PIN, length=16, algorithm=Algorithm.AES)
    with pytest.raises(CliError, match=f"the bank does not have the transport key {weak.check_value}; load it"):
        await moves.send_zone_key(custodian, BANK, key)
    await moves.accept(bank, names.TRANSPORT, bank.module.import_clear(Purpose.KEY_BLOCK, clear))
    with pytest.raises(KeyUsageError, match="stronger than the key it would be sent under"):
        await moves.send_zone_key(custodian, BANK, key)


async def test_writers_that_meet_both_get_a_version() -> None:
    custodian, buckets = await filled()
    other = custodian_over(buckets)
    keys = [custodian.acquirer.module.generate(Purpose.DATA, length=32) for _ in range(2)]
    await asyncio.gather(*(moves.put(c.acquirer, "data", key) for c, key in zip((custodian, other), keys, strict=True)))
    ring = await custodian.acquirer.store.reread("data")
    assert ring is not None
    assert [version.state for version in ring.versions] == ["accepted", "accepted", "current"]


async def test_another_master_key_is_one_line() -> None:
    _, buckets = await filled()
    module, store = custodian_over(buckets, issuer=b"x" * 32).parties[BANK]
    with pytest.raises(WrongMasterError) as error:
        await store.load(module, ())
    assert str(error.value) == (
        "huaxing: key ring cvk version 1 does not open: the local master key (LMK) is not the one that the rings were made under"
    )


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("data", Address(ACQUIRER, "data")),
        ("zone.huaxing", Address(ACQUIRER, "zone.huaxing")),
        ("terminal.10000001", Address(ACQUIRER, "terminal.10000001")),
        ("huaxing/zone", Address("huaxing", "zone")),
    ],
)
def test_rings_have_addresses(text: str, address: Address) -> None:
    assert address_of(text, WORLD) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "zone", "zone.nowhere", "terminal.9", "huaxing/data", "huaxing/", "/zone", "x/zone"]
)
def test_there_are_no_other_rings(text: str) -> None:
    with pytest.raises(WrongUseError, match=r"^name: "):
        address_of(text, WORLD)


async def test_a_listing_has_check_values_and_no_keys() -> None:
    custodian, _ = await filled()
    rows, quiet = listed(custodian, every=False)
    assert quiet == 0
    held = {Address(ACQUIRER, "data"): {"gw-1": (1,), "gw-2": (2, 1)}}
    shown = as_json(rows, held)
    by_name = {row["ring"]: row for row in shown}
    assert by_name["data"]["versions"][0]["held_by"] == ["gw-1", "gw-2"]
    assert by_name["huaxing/zone"]["party"] == "huaxing"
    cryptograms = {version.key.cryptogram for row in rows for version in row.ring.versions}
    assert not any(cryptogram in str(shown) for cryptogram in cryptograms)


async def test_a_listing_leaves_out_terminals_that_were_never_rotated() -> None:
    custodian, _ = await filled()
    module, store = custodian.acquirer
    for tid in ("10000001", "10000002"):
        await store.create(KeyRing.first(names.terminal(tid), module.generate(Purpose.TERMINAL_MASTER), 1))
    await store.change(names.terminal("10000002"), lambda r: r.accept(module.generate(Purpose.TERMINAL_MASTER), 2))
    rows, quiet = listed(custodian, every=False)
    assert quiet == 1
    assert [row.ring.name for row in rows if names.terminal_of(row.ring.name)] == ["terminal.10000002"]
    assert len(listed(custodian, every=True)[0]) == len(rows) + 1


@pytest.mark.parametrize("who", ["acquirer", "issuer"])
async def test_after_a_master_key_was_lost_everything_begins_anew_under_another(who: str) -> None:
    _, buckets = await filled()
    masters = {"acquirer": b"a" * 32, "issuer": b"i" * 32, who: b"n" * 32}
    custodian = custodian_over(buckets, **masters)
    custodian.notify = nobody  # type: ignore[method-assign]
    former = {party: {ring.name: ring for ring in store} for party, (_, store) in custodian.parties.items()}
    replaced = await recover(custodian, who)
    lost = [party for party in former if (party == ACQUIRER) == (who == "acquirer")]
    assert replaced == [f"{party}: {name}" for party in lost for name in sorted(former[party])]
    after = custodian_over(buckets, **masters)
    for party, (module, store) in after.parties.items():
        store.verify(module)
        for ring in store:
            before = former[party][ring.name]
            if party in lost:
                assert [v.state for v in ring.versions] == ["retired", "current"]
            elif ring.name.partition(".")[0] in ("zone", "transport"):
                assert [v.state for v in ring.versions] == ["accepted", "current"]
            else:
                assert ring == before
    assert all(pins_arrive(after, bank) for bank in BANKS)
    assert check(after, BANK, names.CVK) == former[BANK][names.CVK].current.check_value
    with pytest.raises(CliError, match=f"{who}: every key ring opens under this master key"):
        await recover(after, who)


async def nobody() -> None:
    """Nobody is told."""
