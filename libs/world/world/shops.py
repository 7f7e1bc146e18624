"""Merchants and their terminals: a few shops to sell in by hand, and sixteen stalls for load."""

from __future__ import annotations

from security_module import MacAlgorithm
from world.model import CLOSED, SUSPENDED, Merchant, Terminal

TEA_HOUSE, GROCERY, BOOKSHOP, PAWNSHOP = "482290058130001", "482290054110001", "482290059420001", "482290059330001"

LOAD_TERMINALS = 1000
_LOAD_SERIALS = range(101, 117)


def _load_mid(serial: int) -> str:
    return f"48229005499{serial:04d}"


def merchants() -> tuple[Merchant, ...]:
    shops = (
        Merchant(mid=TEA_HOUSE, name="云溪茶馆", name_en="YUNXI TEA HOUSE"),
        Merchant(mid=GROCERY, name="长街杂货", name_en="LONG STREET GROCERY", limit_minor=20_000_00),
        Merchant(mid=BOOKSHOP, name="星灯书店", name_en="STARLAMP BOOKS"),
        Merchant(mid=PAWNSHOP, name="旧桥典当", name_en="OLD BRIDGE PAWNSHOP", status=SUSPENDED),
    )
    stalls = (
        Merchant(mid=_load_mid(serial), name=f"夜市{number:02d}号摊", name_en=f"NIGHT MARKET STALL {number:02d}")
        for number, serial in enumerate(_LOAD_SERIALS, 1)
    )
    return (*shops, *stalls)


def terminals() -> tuple[Terminal, ...]:
    shops = (
        Terminal(tid="10000001", merchant=TEA_HOUSE),
        Terminal(tid="10000002", merchant=TEA_HOUSE),
        Terminal(tid="10000003", merchant=GROCERY),
        Terminal(tid="10000004", merchant=BOOKSHOP),
        Terminal(tid="10000005", merchant=GROCERY, mac_algorithm=MacAlgorithm.X9_19),
        Terminal(tid="10000006", merchant=BOOKSHOP, mac_algorithm=MacAlgorithm.X9_9),
        Terminal(tid="10000007", merchant=PAWNSHOP),
        Terminal(tid="10000008", merchant=TEA_HOUSE, status=CLOSED),
    )
    mids = [_load_mid(serial) for serial in _LOAD_SERIALS]
    load = (Terminal(tid=str(20_000_001 + n), merchant=mids[n % len(mids)]) for n in range(LOAD_TERMINALS))
    return (*shops, *load)
