"""The test world: merchants, terminals, banks, cards and their keys. Every key and card in it is public.

model     what there is, and how it is looked up
keys      every key, derived from a seed
dukpt     serial numbers and initial keys of terminals that derive their own
chips     what chips are made with
shops     merchants and terminals
banks     institutions, cards, the stop list, as banks.toml has them
bank_file what such a file may say
downloads what terminals can download; ca_keys: a part of it
switch_file the switch's own rules, as switch.toml or a file of one's own has them
"""

from __future__ import annotations

from functools import cache

from world.banks import LOAD, cards, institutions, load_cards, stop_list
from world.chips import SEQUENCE, ChipKeys, application, chip_keys
from world.downloads import SHIPPED, Download, Offer, offer
from world.dukpt import initial_key, initial_serial_number
from world.keys import (
    ICVV_SERVICE_CODE,
    NOTICE,
    Party,
    base_key,
    chip_master_key,
    cvk,
    data_key,
    lmk,
    nats_seed,
    pvk,
    pvv,
    script_master_key,
    terminal_local_key,
    terminal_master_key,
    track2,
    track2_cvv,
    track2_equivalent,
    transport_key,
    zone_pin_algorithm,
    zone_pin_key,
)
from world.model import (
    ACTIVE,
    CLOSED,
    CONSUMPTION,
    CREDIT,
    DEBIT,
    LOST,
    SUSPENDED,
    TRANSFER,
    Card,
    CardStatus,
    Institution,
    KeyScheme,
    Merchant,
    StopEntry,
    Terminal,
    World,
)
from world.shops import LOAD_FIRST, merchants, terminals

__all__ = [
    "ACQUIRER",
    "ACTIVE",
    "CLOSED",
    "CONSUMPTION",
    "CREDIT",
    "DEBIT",
    "ICVV_SERVICE_CODE",
    "LOAD",
    "LOAD_FIRST",
    "LOST",
    "NOTICE",
    "SEQUENCE",
    "SHARDS",
    "SHIPPED",
    "SUSPENDED",
    "TRANSFER",
    "Card",
    "CardStatus",
    "ChipKeys",
    "Download",
    "Institution",
    "KeyScheme",
    "Merchant",
    "Offer",
    "Party",
    "StopEntry",
    "Terminal",
    "World",
    "application",
    "base_key",
    "built_in",
    "chip_keys",
    "chip_master_key",
    "cvk",
    "data_key",
    "initial_key",
    "initial_serial_number",
    "lmk",
    "load_cards",
    "nats_seed",
    "offer",
    "pvk",
    "pvv",
    "script_master_key",
    "terminal_local_key",
    "terminal_master_key",
    "track2",
    "track2_cvv",
    "track2_equivalent",
    "transport_key",
    "zone_pin_algorithm",
    "zone_pin_key",
]

ACQUIRER = "48210000"
"""The acquirer's code, field 32."""

SHARDS = 2


@cache
def built_in() -> World:
    """The built-in world, made once per process."""
    return World(
        acquirer=ACQUIRER,
        shards=SHARDS,
        merchants=merchants(),
        terminals=terminals(),
        institutions=institutions(),
        cards=cards(),
        stop_list=stop_list(),
    )
