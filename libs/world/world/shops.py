"""Merchants and their terminals: a few shops to sell in by hand, two of them with a terminal for transfers, one terminal for each way to protect a message, and sixteen stalls for load."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from contracts.kinds import Kind
from security_module import MacAlgorithm, PinFormat
from world.model import CLOSED, CONSUMPTION, SUSPENDED, TRANSFER, KeyScheme, Merchant, Terminal

TEA_HOUSE, GROCERY, BOOKSHOP, PAWNSHOP = "482290058130001", "482290054110001", "482290059420001", "482290059330001"

LOAD_TERMINALS = 1000
LOAD_FIRST = {KeyScheme.SESSION: 20_000_001, KeyScheme.DUKPT_TDES: 30_000_001, KeyScheme.DUKPT_AES: 40_000_001}
"""The first number of each scheme's terminals for load."""
LOAD_DUKPT_TERMINALS = 64
"""Of each DUKPT scheme."""
LOAD_TRANSFERS_FIRST, LOAD_TRANSFER_TERMINALS = 21_000_001, 64
"""Transfer terminals for load, with session keys."""
_LOAD_SERIALS = range(101, 117)
_LOAD_PROTECTION = {
    KeyScheme.SESSION: (MacAlgorithm.CUP_ECB, PinFormat.ISO_0),
    KeyScheme.DUKPT_TDES: (MacAlgorithm.X9_19, PinFormat.ISO_0),
    KeyScheme.DUKPT_AES: (MacAlgorithm.AES_CMAC, PinFormat.ISO_4),
}

_WITHOUT_INSTALMENTS = frozenset(Kind) - {Kind.INSTALMENT, Kind.INSTALMENT_VOID}


def _load_mid(serial: int) -> str:
    return f"48229005499{serial:04d}"


def merchants() -> tuple[Merchant, ...]:
    shops = (
        Merchant(mid=TEA_HOUSE, name="云溪茶馆", name_en="YUNXI TEA HOUSE"),
        Merchant(mid=GROCERY, name="长街杂货", name_en="LONG STREET GROCERY", limit_minor=20_000_00),
        Merchant(mid=BOOKSHOP, name="星灯书店", name_en="STARLAMP BOOKS", kinds=_WITHOUT_INSTALMENTS, keyed=False),
        Merchant(mid=PAWNSHOP, name="旧桥典当", name_en="OLD BRIDGE PAWNSHOP", status=SUSPENDED),
    )
    stalls = (
        Merchant(mid=_load_mid(serial), name=f"夜市{number:02d}号摊", name_en=f"NIGHT MARKET STALL {number:02d}")
        for number, serial in enumerate(_LOAD_SERIALS, 1)
    )
    return (*shops, *stalls)


def terminals() -> tuple[Terminal, ...]:
    shops = (
        Terminal(tid="10000001", merchant=TEA_HOUSE, reader="6"),
        Terminal(tid="10000002", merchant=TEA_HOUSE, reader="6"),
        Terminal(tid="10000003", merchant=GROCERY, reader="5"),
        Terminal(tid="10000004", merchant=BOOKSHOP),
        Terminal(tid="10000005", merchant=GROCERY, mac_algorithm=MacAlgorithm.X9_19),
        Terminal(tid="10000006", merchant=BOOKSHOP, mac_algorithm=MacAlgorithm.X9_9),
        Terminal(tid="10000007", merchant=PAWNSHOP),
        Terminal(tid="10000008", merchant=TEA_HOUSE, status=CLOSED),
        *_one_of_each(),
        Terminal(tid="10000015", merchant=TEA_HOUSE, role=TRANSFER),
        Terminal(tid="10000016", merchant=GROCERY, role=TRANSFER),
        Terminal(tid="10000017", merchant=BOOKSHOP),  # new versions of downloads are tried on it first
        Terminal(
            tid="10000018",
            merchant=GROCERY,
            scheme=KeyScheme.DUKPT_TDES,
            mac_algorithm=MacAlgorithm.X9_19,
            reader="6",
        ),
        Terminal(tid="10000019", merchant=GROCERY, reader="5"),
    )
    load = (
        terminal
        for scheme, first in LOAD_FIRST.items()
        for terminal in _stalls(first, LOAD_TERMINALS if scheme is KeyScheme.SESSION else LOAD_DUKPT_TERMINALS, scheme)
    )
    transfers = _stalls(LOAD_TRANSFERS_FIRST, LOAD_TRANSFER_TERMINALS, KeyScheme.SESSION, TRANSFER)
    return (*shops, *load, *transfers)


def _one_of_each() -> tuple[Terminal, ...]:
    """Terminals whose keys, MACs or PIN blocks are not the usual ones."""
    tdes, aes = KeyScheme.DUKPT_TDES, KeyScheme.DUKPT_AES
    cmac, iso_3, iso_4 = MacAlgorithm.AES_CMAC, PinFormat.ISO_3, PinFormat.ISO_4
    return (
        Terminal(tid="10000009", merchant=TEA_HOUSE, scheme=tdes, mac_algorithm=MacAlgorithm.X9_19, reader="6"),
        Terminal(tid="10000010", merchant=GROCERY, scheme=aes, mac_algorithm=cmac, pin_format=iso_4, reader="6"),
        Terminal(tid="10000011", merchant=BOOKSHOP, pin_format=iso_3),
        Terminal(tid="10000012", merchant=BOOKSHOP, scheme=tdes, pin_format=iso_3),
        Terminal(tid="10000013", merchant=TEA_HOUSE, scheme=aes, mac_algorithm=MacAlgorithm.X9_19, pin_format=iso_3),
        Terminal(tid="10000014", merchant=GROCERY, scheme=aes, mac_algorithm=cmac),
    )


def _stalls(
    first: int, count: int, scheme: KeyScheme, role: Literal["consumption", "transfer"] = CONSUMPTION
) -> Iterator[Terminal]:
    """Terminals for load, spread over the stalls."""
    mids = [_load_mid(serial) for serial in _LOAD_SERIALS]
    mac_algorithm, pin_format = _LOAD_PROTECTION[scheme]
    for number in range(count):
        yield Terminal(
            tid=str(first + number),
            merchant=mids[number % len(mids)],
            role=role,
            scheme=scheme,
            mac_algorithm=mac_algorithm,
            pin_format=pin_format,
            reader="6" if role == CONSUMPTION else "2",
        )
