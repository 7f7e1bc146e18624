"""The test world: merchants, terminals, banks, cards and their keys. Every key and card in it is public.

model     what there is, and how it is looked up
keys      every key, derived from a seed
shops     merchants and terminals
banks     institutions, cards, the stop list
"""

from __future__ import annotations

from functools import cache

from world.banks import cards, institutions, stop_list
from world.keys import (
    NOTICE,
    cvk,
    data_key,
    lmk,
    nats_seed,
    pvk,
    pvv,
    terminal_local_key,
    terminal_master_key,
    track2,
    track2_cvv,
    zone_pin_key,
)
from world.model import (
    ACTIVE,
    CLOSED,
    CREDIT,
    DEBIT,
    LOST,
    SUSPENDED,
    Card,
    Institution,
    Merchant,
    StopEntry,
    Terminal,
    World,
)
from world.shops import merchants, terminals

__all__ = [
    "ACQUIRER",
    "ACTIVE",
    "CLOSED",
    "CREDIT",
    "DEBIT",
    "LOST",
    "NOTICE",
    "SHARDS",
    "SUSPENDED",
    "Card",
    "Institution",
    "Merchant",
    "StopEntry",
    "Terminal",
    "World",
    "built_in",
    "cvk",
    "data_key",
    "lmk",
    "nats_seed",
    "pvk",
    "pvv",
    "terminal_local_key",
    "terminal_master_key",
    "track2",
    "track2_cvv",
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
