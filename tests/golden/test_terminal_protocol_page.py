"""The examples of docs/terminal-protocol.md are the bytes that the code makes and reads."""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path
from types import ModuleType

import pytest

import iso8583
import world
from contracts.kinds import KINDS, Kind
from contracts.pan import Pan
from iso8583 import FIELDS, Field, Field59, Field60, Keys62, Totals48
from security_module import (
    Algorithm,
    Direction,
    DukptKey,
    MacAlgorithm,
    PinFormat,
    Purpose,
    SecurityModule,
    dukpt_aes,
    dukpt_tdes,
    next_serial_number,
)
from security_module.dukpt import Use

PAGE, _, DUKPT_CHAPTER = (Path(__file__).parents[2] / "docs" / "terminal-protocol.md").read_text().partition("## 14.")
HEX = re.compile(r"[0-9A-F]+")
TERMINAL = "10000001"
MODULE = SecurityModule(bytes(32))
ZONE = MODULE.generate(Purpose.ZONE_PIN)


def _frame(block: str) -> bytes:
    """The hexadecimal columns of a block: at each line's start, until the words begin."""
    digits = ""
    for line in block.splitlines():
        for word in line.split("  ")[0].split() if not line.startswith("  ") else [line.split()[0]]:
            digits += word if HEX.fullmatch(word) else ""
    return bytes.fromhex(digits)


def _named(name: str, text: str = PAGE) -> bytes:
    found = re.search(rf"{name} `([0-9A-F]+)`", text)
    assert found, name
    return bytes.fromhex(found[1])


def _frames(text: str) -> list[bytes]:
    blocks = [_frame(block) for block in re.findall(r"```text\n(.*?)```", text, re.S)]
    return [block for block in blocks if int.from_bytes(block[:2], "big") == len(block) - 2]


FRAMES = _frames(PAGE)
MESSAGES = {message.mti: message for message in map(iso8583.decode, (frame[2:] for frame in FRAMES))}


def test_every_frame_of_the_page_reads_and_writes_back() -> None:
    assert [frame[13:15].hex() for frame in FRAMES] == ["0800", "0810", "0200", "0200", "0210", "0400", "0500"]
    for frame in FRAMES:
        message = iso8583.decode(frame[2:])
        assert iso8583.frame(iso8583.encode(message)) == frame


def test_the_sign_on_answer_opens_to_the_keys_that_the_page_names() -> None:
    keys = Keys62.parse(MESSAGES["0810"].data(62))
    tmk = MODULE.import_clear(Purpose.TERMINAL_MASTER, world.terminal_master_key(TERMINAL))
    assert _named("TMK") == world.terminal_master_key(TERMINAL)
    for name, key, purpose in (("PIK", keys.pin, Purpose.PIN), ("MAK", keys.mac, Purpose.MAC)):
        opened = MODULE.import_under(tmk, purpose, *key)
        clear = MODULE.import_clear(purpose, _named(f"Opened: {name}" if name == "PIK" else name))
        assert MODULE.check_value(opened) == MODULE.check_value(clear)


def test_the_new_master_key_of_the_page_is_named_and_opened_as_it_says() -> None:
    tmk = MODULE.import_clear(Purpose.TERMINAL_MASTER, world.terminal_master_key(TERMINAL))
    named = re.search(r"`0008`, then `([0-9A-F]{16})`, which is `([0-9A-F]{8})`", PAGE)
    assert named is not None
    assert bytes.fromhex(named[1]).decode() == named[2] == iso8583.named_master(bytes.fromhex(named[1]))
    assert named[2] == tmk.check_value
    vector = _named("opens the 20 bytes")
    session = MESSAGES["0810"].data(62)
    keys, master = iso8583.split_master(session + vector, session_bytes=len(session))
    assert keys == Keys62.parse(session)
    assert master is not None
    opened = MODULE.import_under(tmk, Purpose.TERMINAL_MASTER, *master)
    clear = MODULE.import_clear(Purpose.TERMINAL_MASTER, _named("to the new master key"))
    assert opened.check_value == clear.check_value == _named("whose check value is").hex().upper()
    assert iso8583.with_master(session, master) == session + vector


@pytest.mark.parametrize("mti", ["0200", "0210", "0400"])
def test_the_macs_are_under_the_pages_mac_key(mti: str) -> None:
    key = MODULE.import_clear(Purpose.MAC, _named("MAK"))
    body = iso8583.encode(MESSAGES[mti])
    assert MODULE.verify_mac(key, iso8583.mac_block(body), body[-8:])


def test_the_sale_is_one_of_the_test_worlds_cards_with_its_pin_block() -> None:
    sale, card = MESSAGES["0200"], world.built_in().card("debit-1")
    assert card is not None
    assert sale.text(35) == world.track2(card).clear()
    key = MODULE.import_clear(Purpose.PIN, _named("Opened: PIK"))
    assert sale.data(52) == MODULE.encrypt_pin(key, card.pin, card.pan)
    for mti in ("0800", "0200", "0210", "0400", "0500"):
        iso8583.check_profile(MESSAGES[mti])
    assert Field60.parse(sale.text(60)).batch == Field60.parse(MESSAGES["0810"].text(60)).batch
    assert Totals48.parse(MESSAGES["0500"].text(48)) == Totals48(debit_minor=1234, debit_count=1)


def test_the_pages_field_table_is_the_codes() -> None:
    chapter = PAGE.partition("## 3. Field formats")[2].partition("## 4.")[0]
    written = {int(row[0]): row[1].strip() for row in re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|", chapter, re.M)}
    assert written == {number: _notation(field) for number, field in FIELDS.items()}


def _notation(field: Field) -> str:
    """As the page writes it: the least length too, where it is more than 1."""
    return field.notation.replace("..", f" {field.minimum}..") if field.minimum > 1 else field.notation


# Chapter 14

TDES_PART, _, AES_PART = DUKPT_CHAPTER.partition("## 15.")[0].partition("### The keys of an AES terminal")
PARTS = [("10000009", TDES_PART, dukpt_tdes, Algorithm.TDES), ("10000010", AES_PART, dukpt_aes, Algorithm.AES)]
SCHEMES = pytest.mark.parametrize(("tid", "part", "rules", "cipher"), PARTS, ids=["TDES", "AES"])


def _row(name: str, part: str) -> bytes:
    return _named(rf"\| {re.escape(name)} \|", part)


def _terminal(tid: str) -> world.Terminal:
    terminal = world.built_in().terminal(tid)
    assert terminal is not None
    return terminal


@SCHEMES
def test_the_keys_of_chapter_14_are_the_ones_that_derive(
    tid: str, part: str, rules: ModuleType, cipher: Algorithm
) -> None:
    terminal = _terminal(tid)
    initial, zero = world.initial_key(terminal), world.initial_serial_number(terminal)
    assert _row("initial key", part) == initial

    def key(counter: int) -> bytes:
        ksn = (int.from_bytes(zero, "big") + counter).to_bytes(len(zero), "big")
        made: bytes = reduce(rules.step, reversed(rules.ancestry(ksn)), initial)
        return made

    def working(use: Use, algorithm: Algorithm = cipher) -> bytes:
        first = next_serial_number(zero)
        if cipher is Algorithm.TDES:
            return dukpt_tdes.working_key(key(1), use)
        return dukpt_aes.working_key(key(1), first, use, algorithm)

    written = {name: _row(name, part) for name in ROWS[cipher]}
    assert written == {
        name: key(made) if isinstance(made, int) else working(*made) for name, made in ROWS[cipher].items()
    }


ROWS: dict[Algorithm, dict[str, int | tuple[Use] | tuple[Use, Algorithm]]] = {
    Algorithm.TDES: {
        "transaction key, counter 1": 1,
        "counter 2": 2,
        "counter 3 (one step from counter 2)": 3,
        "counter 1, PIN key": (Use.PIN,),
        "counter 1, MAC key of the request": (Use.MAC_REQUEST,),
        "counter 1, MAC key of the answer": (Use.MAC_RESPONSE,),
    },
    Algorithm.AES: {
        "K, counter 1": 1,
        "K, counter 3": 3,
        "counter 1, PIN key": (Use.PIN,),
        "counter 1, MAC key of the request": (Use.MAC_REQUEST,),
        "counter 1, MAC key of the answer": (Use.MAC_RESPONSE,),
        "counter 1, PIN key for 3DES": (Use.PIN, Algorithm.TDES),
        "counter 1, MAC key of the request for 3DES": (Use.MAC_REQUEST, Algorithm.TDES),
    },
}


@SCHEMES
def test_the_sale_of_chapter_14_is_the_terminals(tid: str, part: str, rules: ModuleType, cipher: Algorithm) -> None:
    terminal, card = _terminal(tid), world.built_in().card("debit-1")
    assert card is not None
    frames = _frames(part)
    sale, answer = (iso8583.decode(frame[2:]) for frame in frames)
    for frame, message in zip(frames, (sale, answer), strict=True):
        assert iso8583.frame(iso8583.encode(message)) == frame
        iso8583.check_profile(message)
    assert (sale.mti, sale.text(41), answer.mti, answer.text(39)) == ("0200", tid, "0210", "00")
    field = Field59.parse(sale.data(59))
    assert field.ksn == next_serial_number(world.initial_serial_number(terminal))
    initial = MODULE.import_clear(Purpose.DUKPT_INITIAL, world.initial_key(terminal), cipher)
    for message, direction in ((sale, Direction.REQUEST), (answer, Direction.RESPONSE)):
        key = DukptKey(base=initial, ksn=field.ksn, direction=direction)
        block = iso8583.mac_block(iso8583.encode(message))
        assert MODULE.verify_mac(key, block, message.data(64), terminal.mac_algorithm)
    written = re.findall(r"MAC `([0-9A-F]{16})`", part)
    assert written == [message.data(64).hex().upper() for message in (sale, answer)]
    pin = MODULE.translate_pin(
        sale.data(52) or field.pin_block,
        card.pan,
        from_key=DukptKey(base=initial, ksn=field.ksn),
        to_key=ZONE,
        from_format=terminal.pin_format,
    )
    assert pin == MODULE.encrypt_pin(ZONE, card.pin, card.pan)


def test_the_vectors_of_chapters_6_and_7() -> None:
    chapter = PAGE.partition("**AES-CMAC**")[2]
    key, data, mac = re.findall(r"`([0-9A-F]{16,})`", chapter)[:3]
    made = MODULE.mac(
        MODULE.import_clear(Purpose.MAC, bytes.fromhex(key), Algorithm.AES), bytes.fromhex(data), MacAlgorithm.AES_CMAC
    )
    assert made.hex().upper() == mac
    chapter = PAGE.partition("**Format 4**")[2].partition("Vector, PIN 1234")[2]
    key, block = re.findall(r"`([0-9A-F]{32})`", chapter)[:2]
    pin_key = MODULE.import_clear(Purpose.PIN, bytes.fromhex(key), Algorithm.AES)
    pan = Pan("4111111111111111")
    translated = MODULE.translate_pin(
        bytes.fromhex(block), pan, from_key=pin_key, to_key=ZONE, from_format=PinFormat.ISO_4
    )
    assert translated == MODULE.encrypt_pin(ZONE, "1234", pan)


# Chapter 15

KINDS_CHAPTER = DUKPT_CHAPTER.partition("## 15.")[2].partition("## 16.")[0]


def test_the_table_of_kinds_is_the_codes() -> None:
    rows = re.findall(r"^\| [^|]+ \| (\d{4}) \| (\d{6}) \| (\d\d) \| (\d\d) \| (yes|no) \|", KINDS_CHAPTER, re.M)
    written = {(*told, reversible == "yes") for *told, reversible in rows}
    others = [facts for kind, facts in KINDS.items() if kind is not Kind.SALE]
    assert len(rows) == len(others)
    assert written == {
        (facts.mti, facts.processing_code, facts.condition_code, facts.message_type, facts.reversible)
        for facts in others
    }


def test_the_examples_of_fields_54_and_62_are_read_as_the_page_says() -> None:
    balance = re.search(r"`(\d{4}156C\d{12})` is ([\d,.]+)\.$", KINDS_CHAPTER, re.M)
    assert balance is not None
    (amount,) = iso8583.Balances54.parse(balance[1]).amounts
    assert f"{amount.minor / 100:,.2f}" == balance[2]
    target = re.search(r"`(\d{14,21})`, behind the length `(\d{4})`", KINDS_CHAPTER)
    assert target is not None
    assert len(target[1]) == int(target[2])
    assert iso8583.target_card(target[1].encode()) == target[1][2:]
    widths = [int(width) for width in re.findall(r"^\| (\d+) \| ", KINDS_CHAPTER.partition("### Instalment")[2], re.M)]
    assert (sum(widths[:5]), sum(widths[5:])) == (
        len(iso8583.Plan62(6).pack()),
        len(iso8583.Terms62(1, "156", 0).pack()),
    )
