"""The examples of docs/terminal-protocol.md are the bytes that the code makes and reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import iso8583
import world
from iso8583 import FIELDS, Field, Field60, Keys62, Totals48
from security_module import Purpose, SecurityModule

PAGE = (Path(__file__).parents[2] / "docs" / "terminal-protocol.md").read_text()
HEX = re.compile(r"[0-9A-F]+")
TERMINAL = "10000001"
MODULE = SecurityModule(bytes(32))


def _frame(block: str) -> bytes:
    """The hexadecimal columns of a block: at each line's start, until the words begin."""
    digits = ""
    for line in block.splitlines():
        for word in line.split("  ")[0].split() if not line.startswith("  ") else [line.split()[0]]:
            digits += word if HEX.fullmatch(word) else ""
    return bytes.fromhex(digits)


def _named(name: str) -> bytes:
    found = re.search(rf"{name} `([0-9A-F]+)`", PAGE)
    assert found, name
    return bytes.fromhex(found[1])


BLOCKS = [_frame(block) for block in re.findall(r"```text\n(.*?)```", PAGE, re.S)]
FRAMES = [block for block in BLOCKS if int.from_bytes(block[:2], "big") == len(block) - 2]
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
