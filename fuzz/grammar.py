"""Valid inputs to start from: a message of every kind of the profile, its frame and JSON form, and what stands inside its fields.

Card, keys and PIN are invented for this; no card of the test world is in here, so none is in the corpus.
"""

from __future__ import annotations

from typing import NamedTuple

import iso8583
import world
from contracts.pan import Pan, luhn_check_digit
from fuzz.keys import PIN_KEY, module, sign
from iso8583 import Field59, Message, Plan62, StopRecord, Terms62, Totals48, Value, page_of, sized, with_target
from iso8583.profile import FINANCIAL, MANAGEMENT, Rule
from security_module import PinFormat, next_serial_number
from world import Terminal

_PARTIAL = "629101990000777"
PAN = _PARTIAL + luhn_check_digit(_PARTIAL)
_OTHER = "628202990000888"
TARGET = _OTHER + luhn_check_digit(_OTHER)
"""Of a transfer."""
TPDU = bytes.fromhex("6005250000")
TERMINAL, MERCHANT = "10000001", "482290058130001"

SAMPLES: dict[int, Value] = {
    2: PAN,
    4: "000000001234",
    11: "000042",
    12: "235959",
    13: "1231",
    15: "1231",
    22: "022",
    32: "48210000",
    37: "000000000001",
    38: "A1B2C3",
    39: "00",
    41: TERMINAL,
    42: MERCHANT,
    44: "64910000   48210000   ",
    48: Totals48(debit_minor=1234, debit_count=1).pack(),
    49: "156",
    54: "1002156C000000123400",
    61: "0000070000411231",
    62: Plan62(6, "GOODS").pack(),
    63: "001",
}
"""What a field holds when its message needs it and nothing tells kinds apart by it."""

_FIELD_62: dict[tuple[str, str], Value] = {
    ("0200", "49"): with_target(TARGET),
    ("0210", "22"): Terms62(206, "156", 44, fee_mode="1", first_fee_minor=44).pack(),
}
"""By MTI and 60.1: what it holds in a transfer, and in the answer to an instalment sale."""

_DETAIL = "01" + "00" + "000042" + PAN.zfill(20) + "000000001234"
_MANAGED: dict[tuple[str, str], dict[int, Value]] = {
    ("0320", "201"): {48: _DETAIL},
    ("0320", "203"): {48: _DETAIL, 55: bytes.fromhex("9F2608") + bytes(8)},
    ("0320", "202"): {48: "0001"},
    ("0320", "207"): {48: "0001"},
    ("0620", "951"): {3: "000000", 55: bytes.fromhex("DF31052000000000" + "9F36020007" + "95050000000000")},
    **{("0810", code): {62: page_of([sized(b"1120"), sized(b"123")], 0)} for code in ("360", "370", "380")},
    ("0810", "390"): {62: page_of([StopRecord(PAN, "2").pack(), StopRecord("62910199", "1").pack()], 0)},
    **{("0810", code): {62: b"0001"} for code in ("361", "371", "381", "391")},
}
"""By MTI and 60.3: what tells kinds of management message apart beside their code."""

_OTHERS: tuple[tuple[str, dict[int, Value]], ...] = (
    # kinds without a row: refused with 40, or not requests at all
    ("batch upload without a code", {11: "000042", 41: TERMINAL, 42: MERCHANT, 48: _DETAIL}),
    ("stop list from an index on", {11: "000042", 41: TERMINAL, 42: MERCHANT, 60: "00000007390", 62: b"001"}),
    ("sign-on answer with keys", {11: "000042", 39: "00", 41: TERMINAL, 42: MERCHANT, 62: bytes(range(40))}),
    (
        "every text field",
        {36: "6" * 50 + "D" + "7" * 53, 54: "0001156C000000001234" * 6, 55: bytes.fromhex("9F2608") + bytes(8)},
    ),
)
_OTHER_MTIS = ("0320", "0800", "0810", "0200")

PIN_BLOCKS = {
    "10000009": "DB69695405FF809C",
    "10000010": "061AA47A635EFCD87FAE34C2316E84CC",
    "10000012": "ECA3F21C6884BAB9",
    "10000014": "7D593A12CB872915",
}
"""PIN 271828 at terminals with DUKPT, each under its first counter. Written down, for formats 3 and 4 have a random part."""
DERIVING = tuple(t for t in world.built_in().terminals if t.tid in PIN_BLOCKS)
_SERIALS = (
    *(Field59(next_serial_number(world.initial_serial_number(t))).pack() for t in DERIVING),
    *(Field59(world.initial_serial_number(t)).pack() for t in DERIVING[:2]),
    Field59(world.initial_serial_number(DERIVING[0])[:-3] + b"\x1f\xff\xff").pack(),
    Field59(b"\x11" * 12, bytes(16)).pack(),
)
"""The first number of each, one whose counter is 0, one that is skipped, nobody's."""

TELLING: dict[int, tuple[Value, ...]] = {
    2: (PAN, PAN[:12], PAN + "000", "4000000000000002"),
    3: ("000000", "200000", "310000", "030000", "400000"),
    14: ("3512", "0000", "9999"),
    22: ("011", "012", "021", "022", "051", "000"),
    25: ("00", "06", "64", "66"),
    35: (f"{PAN}D35121010000000000000", f"{PAN[:12]}D3512101", "D" * 37, f"{PAN}=3512101".replace("=", "D") + "D" * 13),
    39: ("00", "98", "A0", "96", "06", "30"),
    41: tuple(f"100000{n:02d}" for n in range(15)),
    42: (MERCHANT, "0" * 15, " " * 15),
    48: (
        SAMPLES[48],
        _DETAIL,
        "0001",
        "09" + _DETAIL[2:] * 8,
        Totals48(foreign_debit_minor=1).pack(),
        "9" * 62,
        "0" * 61,
    ),
    49: ("156", "840", "000"),
    53: tuple(f"{digits}0000000000000" for digits in ("260", "160", "360", "440", "200", "230", "261", "960")),
    59: _SERIALS,
    60: tuple(
        f"{kind}000007{code}"
        for kind in ("00", "01", "10", "11", "20", "21", "22", "23", "24", "25", "30", "49")
        for code in (
            "",
            "000",
            "001",
            "003",
            "201",
            "202",
            "203",
            "207",
            "301",
            "360",
            "361",
            "362",
            "370",
            "371",
            "380",
            "390",
            "391",
            "393",
            "00050000",
            "000501",
        )
    ),
    61: (SAMPLES[61], "0000070000421231", "0000070000410230", "0" * 16, "00000700004112310148210000000"),
    62: (
        b"000",
        b"001",
        b"999",
        b"0x1",
        *_FIELD_62.values(),
        SAMPLES[62],
        Plan62(3, PAN).pack(),
        with_target(PAN[:12]),
        b"0" * 14,
    ),
}
"""Values that the code tells things apart by: a mutation that puts one in goes further than chance would."""


class Seed(NamedTuple):
    """A valid input and what it is."""

    name: str
    data: bytes


def bodies() -> list[Seed]:
    """A body of every kind that the profile has a row for, and of some that it has none for; with a MAC where the kind has one."""
    made = [_financial(rule, *key) for key, rule in FINANCIAL.items()]
    made += [
        _body(rule, mti, {60: f"00000007{code}", **_MANAGED.get((mti, code), {})})
        for (mti, code), rule in MANAGEMENT.items()
    ]
    sale = FINANCIAL["0200", "000000", "00", "22"]
    telling: dict[int, Value] = {3: "000000", 25: "00", 60: "2200000700050"}
    pin_block = module().encrypt_pin(PIN_KEY, "271828", Pan(PAN))
    with_pin: dict[int, Value] = {22: "021", 26: "12", 52: pin_block, 53: "2600000000000000"}
    made.append(Seed("sale with PIN", _signed("0200", _needed(sale, "0200") | telling | with_pin)))
    takes_part: dict[int, Value] = {60: "22000007000501"}
    made.append(Seed("sale that takes a part", _signed("0200", _needed(sale, "0200") | telling | takes_part)))
    made.append(
        Seed(
            "keyed sale",
            _signed("0200", {**_needed(sale, "0200"), **telling, 2: PAN, 14: "3512", 22: "012"}, without=(35,)),
        )
    )
    made += [_derived_sale(terminal) for terminal in DERIVING]
    made += [Seed(name, _signed(mti, fields)) for mti, (name, fields) in zip(_OTHER_MTIS, _OTHERS, strict=True)]
    return made


def seeds() -> list[Seed]:
    """Every valid input: bodies, their frames and JSON forms, the contents of their structured fields."""
    bare = bodies()
    inside = {
        (number, value if isinstance(value, bytes) else value.encode())
        for seed in bare
        for number, value in iso8583.decode(seed.data).fields.items()
        if number in (44, 48, 53, 54, 59, 60, 61, 62, 63)
    }
    return [
        *bare,
        *(Seed(f"{seed.name}, JSON", iso8583.to_json(iso8583.decode(seed.data))) for seed in bare),
        Seed("frames", b"".join(iso8583.frame(seed.data) for seed in bare[:4])),
        *(Seed(f"field {number}", data) for number, data in sorted(inside)),
    ]


def _derived_sale(terminal: Terminal) -> Seed:
    """A sale with PIN at a terminal that derives its keys."""
    ksn = next_serial_number(world.initial_serial_number(terminal))
    block = bytes.fromhex(PIN_BLOCKS[terminal.tid])
    digit, long = terminal.pin_format.value[-1], terminal.pin_format is PinFormat.ISO_4
    fields = _needed(FINANCIAL["0200", "000000", "00", "22"], "0200") | {
        3: "000000",
        22: "021",
        25: "00",
        26: "12",
        41: terminal.tid,
        42: terminal.merchant,
        53: "44".ljust(16, "0") if long else f"{digit.replace('0', '2')}6".ljust(16, "0"),
        59: Field59(ksn, block if long else b"").pack(),
        60: "2200000700050",
    }
    return Seed(f"sale at {terminal.tid}", _signed("0200", fields | ({} if long else {52: block})))


def _needed(rule: Rule, mti: str) -> dict[int, Value]:
    fields = {number: SAMPLES[number] for number in rule.mandatory if number in SAMPLES}
    if mti == "0400":
        fields[39] = "98"
    return fields | {35: f"{PAN}D35121010000000000000"} if rule.card else fields


def _financial(rule: Rule, mti: str, processing_code: str, condition: str, kind: str) -> Seed:
    telling: dict[int, Value] = {3: processing_code, 25: condition, 60: f"{kind}00000700050"}
    if 62 in rule.mandatory:
        telling[62] = _FIELD_62.get((mti, kind), SAMPLES[62])
    return _body(rule, mti, telling)


def _body(rule: Rule, mti: str, telling: dict[int, Value]) -> Seed:
    return Seed(rule.name, _signed(mti, _needed(rule, mti) | telling))


def _signed(mti: str, fields: dict[int, Value], without: tuple[int, ...] = ()) -> bytes:
    message = Message(mti, {n: v for n, v in sorted(fields.items()) if n not in without}, TPDU)
    if iso8583.carries_mac(mti):
        message.fields[64] = bytes(iso8583.MAC_SIZE)
    return sign(iso8583.encode(message))
