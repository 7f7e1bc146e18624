"""What the codec, the frames, the JSON form and the profile refuse, and which field they name."""

from __future__ import annotations

import pytest

import iso8583
from iso8583 import Field53, Field59, Field60, FormatError, Institutions44, Keys62, Message, Texts63, Totals48
from iso8583.fields import FIELDS, Shown
from iso8583.subfields import DownloadedKey

PAN = "6291010000000000014"
SALE = Message(
    "0200",
    {
        3: "000000",
        4: "000000001234",
        11: "000002",
        22: "021",
        25: "00",
        26: "12",
        35: PAN + "D30122010000123",
        41: "10000001",
        42: "001100053110001",
        49: "156",
        52: b"\x01\x23\x45\x67\x89\xab\xcd\xef",
        53: "2600000000000000",
        60: "22000001000500",
        64: b"B3A092AE",
    },
)
ENVELOPE = "6000010000" + "603100000000"
SERIAL = Field59(bytes(10)).pack()
SERIAL_AND_BLOCK = Field59(bytes(12), bytes(16)).pack()


def _wire(mti: str, *numbers: int, content: str = "") -> bytes:
    bitmap = sum(1 << (64 - number) for number in numbers)
    return bytes.fromhex(f"{ENVELOPE}{mti}{bitmap:016X}{content}")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (bytes.fromhex(ENVELOPE + "0200"), "body"),
        (b"\x61" + _wire("0800")[1:], "tpdu"),
        (bytes.fromhex("6000010000" + "60310000000A" + "0800" + "00" * 8), "header"),
        (_wire("1200"), "mti"),
        (_wire("0A00"), "mti"),
        (_wire("0900"), "mti"),
        (_wire("0290"), "mti"),
        (_wire("0800", 1), "bitmap"),
        (_wire("0800", 7), "bitmap"),
        (_wire("0200", 3, content="0000"), "3"),
        (_wire("0200", 3, content="00000A"), "3"),
        (_wire("0200", 22, content="0211"), "22"),
        (_wire("0200", 23, content="1001"), "23"),
        (_wire("0200", 2, content="0A62910100"), "2"),
        (_wire("0200", 2, content="20" + "62" * 10), "2"),
        (_wire("0200", 2, content="19" + "62" * 9), "2"),
        (_wire("0200", 35, content="37" + "6E" * 19), "35"),
        (_wire("0200", 39, content="2030"), "39"),
        (_wire("0200", 41, content="30" * 7 + "0A"), "41"),
        (_wire("0200", 41, content="30" * 7 + "E9"), "41"),
        (_wire("0200", 52, content="00" * 7), "52"),
        (_wire("0200", 59, content="0000"), "59"),
        (_wire("0200", 59, content="0256" + "00" * 256), "59"),
        (_wire("0200", 59, content="0013" + "DF010A" + "00" * 9), "59"),
        (_wire("0200", 60, content="0000"), "60"),
        (_wire("0200", 60, content="0A01"), "60"),
        (_wire("0200", 64, content="00" * 9), "body"),
    ],
)
def test_decoding_refuses_and_names_the_field(body: bytes, field: str) -> None:
    with pytest.raises(FormatError) as caught:
        iso8583.decode(body)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (3, "00000"),
        (3, "00000x"),
        (3, "00000٣"),
        (3, "0 00 0"),
        (3, b"\x00\x00\x00"),
        (4, "1234"),
        (35, "1234"),
        (35, "6" * 19 + "=30122010000"),
        (39, "0-"),
        (41, "1000000\n"),
        (52, b"1234567"),
        (52, "12345678"),
        (60, ""),
        (59, b""),
        (59, "DF010A"),
        (62, b""),
        (62, b"0" * 1000),
    ],
)
def test_encoding_refuses_and_names_the_field(number: int, value: str | bytes) -> None:
    with pytest.raises(FormatError) as caught:
        iso8583.encode(Message("0200", {number: value}))
    assert caught.value.field == str(number)


def test_encoding_refuses_what_is_not_in_the_profile() -> None:
    for message, field in (
        (Message("0200", {5: "1"}), "bitmap"),
        (Message("2200"), "mti"),
        (Message("0200", tpdu=b"\x60"), "tpdu"),
        (Message("0200", header=iso8583.Header(software="1")), "header"),
    ):
        with pytest.raises(FormatError) as caught:
            iso8583.encode(message)
        assert caught.value.field == field


def test_no_error_holds_what_was_received() -> None:
    body = iso8583.encode(SALE)
    for cut in range(len(body)):
        with pytest.raises(FormatError) as caught:
            iso8583.decode(body[:cut])
        assert PAN[6:15] not in f"{caught.value!r}{caught.value}{caught.value.__cause__!r}"


def test_a_message_shows_neither_card_nor_pin_block_nor_key() -> None:
    serial = Field59(bytes.fromhex("FF482110000009000001"), b"block of PIN 123").pack()
    message = Message("0200", {**SALE.fields, 2: PAN, 14: "3012", 55: b"secret", 59: serial, 62: b"keys"})
    for shown in (repr(message), str(message), iso8583.masked_dump(message)):
        assert "629101*********0014" in shown
        assert PAN not in shown
        assert "D3012" not in shown
        assert "3012" not in shown
        assert "0123456789abcdef" not in shown.lower()
        assert "secret" not in shown
        assert "keys'" not in shown
        assert "block of" not in shown
        assert "ff4821" not in shown.lower()
        assert "10000001" in shown
    assert {n for n, field in FIELDS.items() if field.shown is Shown.NEVER} == {14, 35, 36, 48, 52, 55, 59, 62, 64}


def test_salvage_keeps_what_stands_before_the_fault() -> None:
    body = bytearray(iso8583.encode(SALE))
    body[21 + 3] = 0xAA  # the first byte of field 4
    salvaged = iso8583.salvage(bytes(body))
    assert salvaged is not None
    assert salvaged.mti == "0200"
    assert salvaged.fields == {3: "000000"}
    assert iso8583.salvage(b"\x60" * 10) is None
    assert iso8583.salvage(iso8583.encode(SALE)) == SALE


@pytest.mark.parametrize("length", [0, 4097, 65535])
def test_a_frame_is_refused_from_its_length_alone(length: int) -> None:
    reader = iso8583.FrameReader()
    reader.push(length.to_bytes(2, "big"))
    with pytest.raises(FormatError) as caught:
        reader.pop()
    assert caught.value.field == "length"
    with pytest.raises(FormatError):
        iso8583.frame(b"x" * length)


def test_the_mac_block_needs_a_field_64() -> None:
    with pytest.raises(FormatError) as caught:
        iso8583.mac_block(iso8583.encode(Message("0800", {11: "000001"})))
    assert caught.value.field == "64"


def test_replies() -> None:
    reply = iso8583.reply_to(SALE, {39: "A0"}, processing="3")
    assert (reply.mti, reply.header.processing, reply.fields) == ("0210", "3", {39: "A0"})
    with pytest.raises(FormatError):
        iso8583.reply_mti("0210")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b"", "json"),
        (b"[]", "json"),
        (b'{"mti":"0200"}', "json"),
        (b'{"mti":"0200","fields":{},"extra":1}', "json"),
        (b'{"mti":"0200","fields":{"3":5}}', "json"),
        (b'{"mti":"0200","fields":{"5":"1"}}', "json"),
        (b'{"mti":"0200","fields":{"3":"1","03":"1"}}', "json"),
        (b'{"mti":"0200","fields":{"52":"xy"}}', "52"),
        (b'{"mti":"0200","fields":{"59":"DF0"}}', "59"),
        (b'{"mti":"0200","fields":{},"tpdu":"6"}', "tpdu"),
        (b'{"mti":"0200","fields":{},"header":"60"}', "header"),
        (b'{"mti":"0200","fields":{"3":"\xff"}}', "json"),
        (b"[" * 100_000, "json"),
    ],
)
def test_the_json_form_refuses_and_names_the_field(text: bytes, field: str) -> None:
    with pytest.raises(FormatError) as caught:
        iso8583.from_json(text)
    assert caught.value.field == field


def test_the_profile_names_the_first_missing_field() -> None:
    iso8583.check_profile(SALE)
    for number in (3, 4, 11, 22, 25, 41, 42, 49, 60, 64):
        fields = {key: value for key, value in SALE.fields.items() if key != number}
        with pytest.raises(FormatError) as caught:
            iso8583.check_profile(Message("0200", fields))
        assert caught.value.field == str(number)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({35: None}, "2"),
        ({53: None}, "53"),
        ({52: None}, "52"),
        ({52: None, 59: SERIAL}, "52"),
        ({59: SERIAL_AND_BLOCK}, "59.DF02"),
        ({52: None, 53: None, 59: SERIAL_AND_BLOCK}, "53"),
        ({22: "022", 52: None, 59: SERIAL_AND_BLOCK}, "52"),
        ({59: b"\xdf\x02\x10" + bytes(16)}, "59.DF01"),
        ({22: "022"}, "52"),
        ({60: "2200001"}, "60.2"),
        ({60: "220000010"}, "60.3"),
        ({60: "22000001000500000000"}, "60"),
    ],
)
def test_the_profile_names_contradictions(change: dict[int, str | bytes | None], field: str) -> None:
    fields = {number: value for number, value in {**SALE.fields, **change}.items() if value is not None}
    with pytest.raises(FormatError) as caught:
        iso8583.check_profile(Message("0200", fields))
    assert caught.value.field == field


def test_a_pin_block_stands_in_field_52_or_in_field_59() -> None:
    iso8583.check_profile(Message("0200", {**SALE.fields, 59: SERIAL}))
    without = {number: value for number, value in SALE.fields.items() if number != 52}
    iso8583.check_profile(Message("0200", {**without, 53: "4400000000000000", 59: SERIAL_AND_BLOCK}))
    reversal = {n: SALE.fields[n] for n in (3, 4, 11, 22, 25, 41, 42, 49, 60, 64)} | {39: "98", 59: SERIAL}
    iso8583.check_profile(Message("0400", reversal))


@pytest.mark.parametrize(
    ("data", "field", "reason"),
    [
        ("", "59.DF01", "is missing"),
        ("DF", "59", "a tag other"),
        ("9F02", "59", "a tag other"),
        ("DF03" + "01" + "00", "59", "a tag other"),
        ("5A" + "08" + "00" * 8, "59", "a tag other"),
        ("DF01", "59.DF01", "ends before its length"),
        ("DF01" + "81" + "0A" + "00" * 10, "59.DF01", "not of one byte"),
        ("DF01" + "00", "59.DF01", "0 is not 10 or 12"),
        ("DF01" + "0B" + "00" * 11, "59.DF01", "11 is not 10 or 12"),
        ("DF01" + "0A" + "00" * 9, "59.DF01", "ends inside it"),
        ("DF01" + "0A" + "00" * 11, "59", "a tag other"),
        ("DF01" + "0A" + "00" * 10 + "DF02", "59.DF02", "ends before its length"),
        ("DF01" + "0A" + "00" * 10 + "DF02" + "08" + "00" * 8, "59.DF02", "8 is not 16"),
        ("DF01" + "0A" + "00" * 10 + "DF02" + "10" + "00" * 15, "59.DF02", "ends inside it"),
        ("DF02" + "10" + "00" * 16, "59.DF01", "is missing"),
        ("DF02" + "10" + "00" * 16 + "DF01" + "0A" + "00" * 10, "59.DF01", "behind a higher tag"),
        (("DF01" + "0A" + "00" * 10) * 2, "59.DF01", "is there twice"),
    ],
)
def test_what_is_wrong_in_field_59_is_named_by_its_tag(data: str, field: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        Field59.parse(bytes.fromhex(data))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "53"),
        ("260000000000000", "53"),
        ("0600000000000000", "53.1"),
        ("5600000000000000", "53.1"),
        ("2100000000000000", "53.2"),
        ("2620000000000000", "53.3"),
        ("2600000000000001", "53"),
        ("٢600000000000000", "53.1"),
    ],
)
def test_what_is_wrong_in_field_53_is_named(text: str, field: str) -> None:
    with pytest.raises(FormatError) as caught:
        Field53.parse(text)
    assert caught.value.field == field


def test_a_kind_without_a_row_is_unsupported_not_malformed() -> None:
    assert iso8583.rule_for(Message("0200", {**SALE.fields, 3: "990000"})) is None
    iso8583.check_profile(Message("0200", {**SALE.fields, 3: "990000"}))


def test_a_refusal_need_not_be_complete() -> None:
    fields = {3: "000000", 25: "00", 60: SALE.fields[60]}
    iso8583.check_profile(Message("0210", {**fields, 39: "97"}))
    with pytest.raises(FormatError):
        iso8583.check_profile(Message("0210", {**fields, 39: "00"}))


def test_subfields() -> None:
    assert Institutions44("03050000", "48210000").pack() == "03050000   48210000   "
    assert Institutions44.parse("03050000   48210000   ") == Institutions44("03050000", "48210000")
    assert Texts63("CUP").pack() == "CUP"
    assert Texts63.parse(Texts63("CUP", network="busy").pack()) == Texts63("CUP", network="busy")
    with pytest.raises(FormatError):
        Institutions44("1" * 12, "").pack()
    with pytest.raises(FormatError):
        Totals48(debit_minor=10**12).pack()
    with pytest.raises(FormatError):
        Keys62(DownloadedKey(b"8" * 8, b"4444"), DownloadedKey(b"8" * 16, b"4444")).pack()
    assert Field60("22", "000001", "000").pack() == "22000001000"
    for wrong in (Field59(bytes(11)), Field59(b""), Field59(bytes(10), bytes(8))):
        with pytest.raises(FormatError):
            wrong.pack()
