"""The test world is consistent: numbers valid and unique, keys different, look-ups right."""

import pytest

import world
from contracts.identity import shard_of
from contracts.pan import Pan, luhn_valid
from security_module import Algorithm, PinFormat, Purpose, SecurityModule, terminal_of
from world import KeyScheme

W = world.built_in()
DERIVING = (KeyScheme.DUKPT_TDES, KeyScheme.DUKPT_AES)


def test_every_pan_is_luhn_valid_unique_and_within_its_institutions_bins() -> None:
    assert len({c.pan for c in W.cards}) == len(W.cards)
    for card in W.cards:
        institution = W.institution(card.issuer)
        assert institution is not None
        assert luhn_valid(card.pan.clear()), card.name
        assert len(card.pan.clear()) == 16
        assert card.pan.clear().startswith(institution.bins), card.name
        assert W.institution_for(card.pan) is institution
        assert card.kind == institution.kind


def test_names_accounts_and_numbers_are_unique() -> None:
    for values in (
        [c.name for c in W.cards],
        [c.account for c in W.cards],
        [t.tid for t in W.terminals],
        [m.mid for m in W.merchants],
    ):
        assert len(set(values)) == len(values)
    assert not any(c.pan.clear()[6:15] in c.account for c in W.cards)


def test_numbers_have_the_form_of_their_fields() -> None:
    assert all(len(t.tid) == 8 and W.merchant(t.merchant) is not None for t in W.terminals)
    assert all(len(m.mid) == 15 and m.mid.isdigit() for m in W.merchants)
    assert all(len(i.code) <= 11 for i in W.institutions)


def test_keys_differ_and_have_odd_parity() -> None:
    tids = [t.tid for t in W.terminals]
    keys = [world.terminal_master_key(t) for t in tids]
    keys += [f(i.id) for i in W.institutions for f in (world.cvk, world.pvk)]
    keys += [world.zone_pin_key(i.id) for i in W.institutions if i.pin_format is not PinFormat.ISO_4]
    keys.append(world.base_key(Algorithm.TDES))
    assert all(len(k) == 16 and all(b.bit_count() % 2 for b in k) for k in keys)
    keys += [world.zone_pin_key(i.id) for i in W.institutions if i.pin_format is PinFormat.ISO_4]
    keys += [world.base_key(Algorithm.AES), *(world.initial_key(t) for t in W.terminals if t.scheme in DERIVING)]
    assert all(len(k) == 16 for k in keys)
    assert len(set(keys)) == len(keys)
    others = [world.terminal_local_key(t) for t in tids]
    others += [world.lmk("acquirer"), world.lmk("issuer"), world.data_key()]
    others += [world.transport_key(i.id) for i in W.institutions]
    assert len(set(others)) == len(others)


def test_a_serial_number_holds_the_terminals_number_and_its_key_is_what_a_host_derives() -> None:
    """As docs/terminal-protocol.md says it is made, so that a vendor can compute it."""
    hsm = SecurityModule(bytes(32))
    seen = set()
    for t in W.terminals:
        if t.scheme not in DERIVING:
            with pytest.raises(KeyError):
                world.initial_serial_number(t)
            continue
        cipher = t.scheme.cipher
        ksn = world.initial_serial_number(t)
        prefix, counter = ("48210001", "00000000") if cipher is Algorithm.AES else ("FF4821", "000000")
        assert ksn.hex().upper() == prefix + t.tid + counter
        seen.add(terminal_of(ksn))
        derived = hsm.dukpt_initial_key(hsm.import_clear(Purpose.BASE_DERIVATION, world.base_key(cipher), cipher), ksn)
        given = hsm.import_clear(Purpose.DUKPT_INITIAL, world.initial_key(t), cipher)
        assert derived.check_value == given.check_value
    assert len(seen) == 6 + 2 * 64


def test_zone_keys_are_of_the_cipher_that_the_banks_format_asks_for() -> None:
    formats = {i.id: (i.pin_format, world.zone_pin_algorithm(i.id)) for i in W.institutions}
    assert formats == {
        "huaxing": (PinFormat.ISO_0, Algorithm.TDES),
        "nanhai": (PinFormat.ISO_4, Algorithm.AES),
        "jiangling": (PinFormat.ISO_0, Algorithm.TDES),
        "meridian": (PinFormat.ISO_4, Algorithm.AES),
    }


def test_another_seed_gives_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    card = W.card("debit-1")
    assert card is not None
    deriving = W.terminal("10000009")
    assert deriving is not None
    before = world.lmk("acquirer"), world.terminal_master_key("10000001"), world.track2(card)
    initial = world.initial_key(deriving)
    monkeypatch.setenv("LIANJI_WORLD_SEED", "another")
    assert world.lmk("acquirer") != before[0]
    assert world.terminal_master_key("10000001") != before[1]
    assert world.initial_key(deriving) != initial
    assert world.track2(card).pan == before[2].pan


@pytest.mark.parametrize("name", ["debit-1", "credit-2", "load-credit-128"])
def test_tracks_hold_what_the_issuer_checks(name: str) -> None:
    card = W.card(name)
    assert card is not None
    track = world.track2(card)
    assert (track.pan, track.expiry, track.service_code) == (card.pan, card.expiry, card.service_code)
    assert len(track.clear()) == 37
    hsm = SecurityModule(bytes(32))
    cvk = hsm.import_clear(Purpose.CVK, world.cvk(card.issuer))
    assert hsm.verify_cvv(cvk, card.pan, card.expiry, card.service_code, world.track2_cvv(track))
    pvk = hsm.import_clear(Purpose.PVK, world.pvk(card.issuer))
    zone = hsm.generate(Purpose.ZONE_PIN)
    block = hsm.encrypt_pin(zone, card.pin, card.pan)
    assert hsm.verify_pin(block, card.pan, pin_key=zone, pvk=pvk, pvv=world.pvv(card))


def test_stop_list_knows_cards_and_prefixes() -> None:
    stopped, free = W.card("debit-stopped"), W.card("debit-1")
    assert stopped is not None
    assert free is not None
    assert W.stop_reason(stopped.pan) == "04"
    assert W.stop_reason(free.pan) is None
    assert W.stop_reason(Pan("6282029999123456")) == "04"


def test_unknown_things_are_none() -> None:
    assert W.terminal("99999999") is None
    assert W.merchant("0") is None
    assert W.card("nobody") is None
    assert W.institution("nowhere") is None
    assert W.institution_for(Pan("4111111111111111")) is None
    assert W.card_for(Pan("4111111111111111")) is None


def test_the_cast_is_there() -> None:
    shops = [t for t in W.terminals if t.tid.startswith("1")]
    assert len({t.merchant for t in shops if t.status == world.ACTIVE}) >= 3
    assert any(t.status == world.CLOSED for t in shops)
    assert any(m.status == world.SUSPENDED for m in W.merchants)
    load = [t for t in W.terminals if t.tid.startswith("20")]
    transfers = [t for t in W.terminals if t.tid.startswith("21")]
    assert {(t.scheme, t.role) for t in transfers} == {(KeyScheme.SESSION, world.TRANSFER)}
    assert {t.scheme for t in load} == {KeyScheme.SESSION}
    for scheme in DERIVING:
        several = [t for t in W.terminals if t.scheme is scheme and int(t.tid) >= world.LOAD_FIRST[scheme]]
        assert (len(several), len({t.merchant for t in several})) == (64, 16)
    assert (load[0].tid, load[-1].tid, len({t.merchant for t in load})) == ("20000001", "20001000", 16)
    poor, expired, lost = W.card("debit-poor"), W.card("credit-expired"), W.card("debit-lost")
    assert poor is not None
    assert poor.opening_minor == 1000
    assert expired is not None
    assert expired.expiry < "2101"
    assert lost is not None
    assert lost.status == world.LOST
    swiped, chips = world.load_cards(), world.load_cards(chips=True)
    assert (len(swiped), len(chips)) == (256, 256)
    assert {c.chip for c in swiped} == {False}
    assert {c.chip for c in chips} == {True}
    assert {*swiped, *chips} == {c for c in W.cards if c.name.startswith(world.LOAD)}
    assert sum(len(W.cards_of(i.id)) for i in W.institutions) == len(W.cards)
    assert {c.issuer for c in W.cards if c.name.startswith("load-")} == {"huaxing", "nanhai"}, (
        "benchmarks ask two banks"
    )


def test_load_is_spread_over_the_shards() -> None:
    load = {t.merchant for t in W.terminals if t.tid.startswith("2")}
    per_shard = [sum(shard_of(m, W.shards) == s for m in load) for s in range(W.shards)]
    assert per_shard == [8, 8]
    shops = {t.merchant for t in W.terminals if t.tid.startswith("1")}
    assert {shard_of(m, W.shards) for m in shops} == {0, 1}


def test_nothing_prints_a_pan_or_a_pin() -> None:
    for card in W.cards:
        assert card.pan.clear() not in repr(card)
        assert card.pin not in repr(card)
    assert all(e.prefix_or_pan.clear() not in repr(e) for e in W.stop_list)
