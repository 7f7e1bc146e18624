"""Wire bytes of the profile's published check vectors (terminal-protocol, Check vectors)."""

from __future__ import annotations

import pytest

import iso8583
from iso8583 import Field53, Field59, Field60, Header, Keys62, Message

MAC_MESSAGE = bytes.fromhex(
    "007F600003000060321032007202003020048000C08015000000000000001234000002030099303030303030303139353237313831383232313738373531353600192600000100060000000000435F01123238343431323334353637383930313233345F03063136303033365F04063230303832365C0230314233413039324145"
)
SIGN_ON_REPLY = bytes.fromhex(
    "007960000001386131003111080810003800010AC0001450021122130107200800085500323231333031343931333239303039393939393930363030313433303137303131393939390011000005190030004046F161A743497B32EAC760DF5EA57DF5900ECCE3977731A7EA402DDF0000000000000000CFF1592A"
)
SIGN_ON = bytes.fromhex(
    "08000020000000C00012000105303030303037363438343831303030353831323630303200110000000100300003303031"
)
ENVELOPE = bytes.fromhex("6000010000" + "603100000000")


def _body(framed: bytes) -> bytes:
    reader = iso8583.FrameReader()
    reader.push(framed)
    body = reader.pop()
    assert body is not None
    assert not reader.partial
    return body


def test_the_mac_vectors_message_reads_and_writes_back() -> None:
    message = iso8583.decode(_body(MAC_MESSAGE))
    assert message == Message(
        mti="0200",
        tpdu=bytes.fromhex("6000030000"),
        header=Header("60", "32", "1", "0", "320072"),
        fields={
            3: "000000",
            4: "000000001234",
            11: "000002",
            22: "030",
            25: "99",
            41: "00000001",
            42: "952718182217875",
            49: "156",
            60: "2600000100060000000",
            62: bytes.fromhex("5F01123238343431323334353637383930313233345F03063136303033365F04063230303832365C023031"),
            64: b"B3A092AE",
        },
    )
    assert iso8583.frame(iso8583.encode(message)) == MAC_MESSAGE


def test_the_mac_block_runs_from_the_mti_to_before_field_64() -> None:
    assert iso8583.mac_block(_body(MAC_MESSAGE)) == MAC_MESSAGE[13:-8]


def test_the_sign_on_reply_reads_and_writes_back() -> None:
    message = iso8583.decode(_body(SIGN_ON_REPLY))
    assert message.mti == "0810"
    assert message.header == Header("61", "31", "0", "0", "311108")
    assert {number: value for number, value in message.fields.items() if number != 62} == {
        11: "500211",
        12: "221301",
        13: "0720",
        32: "00085500",
        37: "221301491329",
        39: "00",
        41: "99999906",
        42: "001430170119999",
        60: "00000519003",
    }
    assert Field60.parse(message.text(60)) == Field60("00", "000519", "003")
    keys = Keys62.parse(message.data(62))
    assert keys.pin.cryptogram.hex().upper() == "46F161A743497B32EAC760DF5EA57DF5"
    assert keys.pin.check_value.hex().upper() == "900ECCE3"
    assert keys.mac.cryptogram.hex().upper() == "977731A7EA402DDF" + "00" * 8
    assert keys.mac.check_value.hex().upper() == "CFF1592A"
    assert keys.track is None
    assert keys.pack() == message.data(62)
    assert iso8583.frame(iso8583.encode(message)) == SIGN_ON_REPLY


def test_the_sign_on_request_reads_and_writes_back() -> None:
    message = iso8583.decode(ENVELOPE + SIGN_ON)
    assert message.mti == "0800"
    assert message.fields == {
        11: "000105",
        41: "00000764",
        42: "848100058126002",
        60: "00000001003",
        63: "001",
    }
    iso8583.check_profile(message)
    assert iso8583.encode(message) == ENVELOPE + SIGN_ON


def test_the_tpdu_of_an_answer_is_swapped() -> None:
    assert iso8583.swapped(bytes.fromhex("6005250000")).hex() == "6000000525"


@pytest.mark.parametrize(
    ("ksn", "block", "wire"),
    [
        ("FF482110000009000001", "", "DF01 0A FF482110000009000001"),
        ("482100011000001000000001", "", "DF01 0C 482100011000001000000001"),
        (
            "482100011000001000000001",
            "A912150391AB65A67E52883D81CE2D15",
            "DF01 0C 482100011000001000000001 DF02 10 A912150391AB65A67E52883D81CE2D15",
        ),
    ],
)
def test_field_59_on_the_wire(ksn: str, block: str, wire: str) -> None:
    data = bytes.fromhex(wire)
    field = Field59(bytes.fromhex(ksn), bytes.fromhex(block))
    assert field.pack() == data
    assert Field59.parse(data) == field
    body = iso8583.encode(Message("0200", {59: data}))
    assert body[21:].hex().upper() == f"{len(data):04d}{wire.replace(' ', '')}"
    assert iso8583.decode(body).data(59) == data


def test_field_53_on_the_wire() -> None:
    for digits in ("26", "36", "44", "20", "16", "23"):
        field = Field53.parse(digits.ljust(16, "0"))
        assert (field, field.pack()) == (Field53(digits[0], digits[1]), digits.ljust(16, "0"))
    assert Field53.parse("2610000000000000").tracks == "1"


@pytest.mark.parametrize(
    ("number", "value", "wire"),
    [
        (22, "021", "0210"),
        (23, "001", "0001"),
        (2, "6291010000000000014"[:17], "1762910100000000000" + "0"),
        (35, "6212345678901265D30122010000012300000"[:21], "21" + "6212345678901265D30120"),
        (48, "123", "0003" + "1230"),
        (61, "1" * 29, "0029" + "1" * 29 + "0"),
        (32, "48210000", "08" + "48210000"),
        (44, "AB", "02" + "4142"),
        (55, b"\x9f\x26", "0002" + "9F26"),
        (59, bytes.fromhex("DF010AFF482110000009000001"), "0013" + "DF010AFF482110000009000001"),
    ],
)
def test_alignment_and_lengths_of_single_fields(number: int, value: str | bytes, wire: str) -> None:
    body = iso8583.encode(Message("0200", {number: value}))
    assert body[21:].hex().upper() == wire.upper()
    assert iso8583.decode(body).fields == {number: value}
