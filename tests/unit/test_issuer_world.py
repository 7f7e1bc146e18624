"""The banks of the built-in world, as the issuer simulator opens them."""

from __future__ import annotations

import pytest

import world
from contracts.authorization import CardData
from issuer_sim.cards import card_file, openings
from issuer_sim.checks import CardChecks
from issuer_sim.domain.accounts import open_accounts
from issuer_sim.domain.facts import Pin
from issuer_sim.keys import BankKeys
from issuer_sim.settings import Settings, chosen_institutions
from runtime.settings import SettingsError, load
from security_module import Purpose, SecurityModule
from tests.support_keys import banks_rings

WORLD = world.built_in()
FORMATS = {i.id: i.pin_format for i in WORLD.institutions}
BANKS = list(FORMATS)


@pytest.mark.parametrize("bank", BANKS)
def test_every_card_of_the_world_is_good_at_its_bank(bank: str) -> None:
    module = SecurityModule(world.lmk("issuer"))
    checks = CardChecks(bank, module, BankKeys(banks_rings(module, bank)))
    zone = module.import_clear(Purpose.ZONE_PIN, world.zone_pin_key(bank), world.zone_pin_algorithm(bank))
    cards, pin_format = WORLD.cards_of(bank), FORMATS[bank]
    file = card_file(cards, world.pvv)
    for card in cards:
        data = CardData(
            pan=card.pan,
            expiry=card.expiry,
            track2=world.track2(card),
            pin_block=module.encrypt_pin(zone, card.pin, card.pan, pin_format),
            pin_zone=bank,
            pin_format=pin_format,
        )
        assert checks.card_ok(data, "021"), card.name
        assert checks.pin(data, file[card.pan]) is Pin.RIGHT, card.name


@pytest.mark.parametrize("bank", BANKS)
def test_accounts_are_opened_once_each_with_their_cards_money(bank: str) -> None:
    cards = WORLD.cards_of(bank)
    state = open_accounts(openings(cards))
    assert len(state.accounts) == len(cards)
    for card in cards:
        account = state.accounts[card.account]
        assert account.available_minor == card.opening_minor + card.credit_limit_minor > 0
        assert account.status == card.status


@pytest.mark.parametrize(
    ("setting", "chosen"),
    [("", ("huaxing", "nanhai")), ("nanhai", ("nanhai",)), (" nanhai , huaxing,nanhai,", ("nanhai", "huaxing"))],
)
def test_institutions_are_chosen_by_name(setting: str, chosen: tuple[str, ...]) -> None:
    assert chosen_institutions(setting, ("huaxing", "nanhai")) == chosen


def test_an_unknown_institution_is_named() -> None:
    with pytest.raises(SettingsError, match="LIANJI_INSTITUTIONS: 'elsewhere' is not one of huaxing, nanhai"):
        chosen_institutions("huaxing,elsewhere", ("huaxing", "nanhai"))


def test_settings_from_the_environment() -> None:
    settings = load(Settings, {"LIANJI_INSTITUTIONS": "nanhai", "LIANJI_SCRIPTED": "0"})
    assert (settings.institutions, settings.scripted) == ("nanhai", False)
    assert load(Settings, {}).scripted
