"""0320 through the gateway's pipeline: what the switch is told of a batch's details, and what stays here."""

from __future__ import annotations

import pytest
import structlog

import iso8583
from contracts.authorization import Cryptogram, UploadedDetail, UploadReply, UploadRequest
from iso8583 import Message, Value
from runtime.bus import NoAnswer, NotDelivered
from tests.unit.test_gateway_pipeline import AT_MS, CARD, MANY, WORLD, Gateway, Terminal

Line = tuple[Gateway, Terminal]


@pytest.fixture
async def line() -> Line:
    gateway, terminal = Gateway(answer_timeout_s=0.25), Terminal()
    gateway.switch.answers["upload"] = UploadReply(response_code="00", at_ms=AT_MS)
    await terminal.sign_on(gateway)
    return gateway, terminal


CARD_DIGITS = CARD.pan.clear()
"""In the place of a card number in field 48."""


def detail(stan: str, amount_minor: int, *, kind: str = "00") -> str:
    return f"{kind}{stan}{CARD_DIGITS:0>20}{amount_minor:012d}"


def upload(terminal: Terminal, code: str, details: str, **more: Value) -> Message:
    return terminal.management(
        "0320", code, {48: details, **{int(number[1:]): value for number, value in more.items()}}
    )


async def test_an_upload_tells_the_switch_all_but_the_card_numbers(line: Line) -> None:
    gateway, terminal = line
    reply = await gateway.answer(
        upload(terminal, "201", "02" + detail("000001", 1234) + detail("000009", 5, kind="01"))
    )
    assert (reply.mti, reply.text(39), reply.text(32)) == ("0330", "00", WORLD.acquirer)
    assert 37 not in reply.fields
    assert 48 not in reply.fields
    iso8583.check_profile(reply)
    asked: UploadRequest = gateway.switch.last(UploadRequest)
    assert asked.details == (
        UploadedDetail(stan="000001", amount_minor=1234),
        UploadedDetail(stan="000009", amount_minor=5, foreign=True),
    )
    assert (asked.batch, asked.count) == (reply.text(60)[2:8], None)
    assert CARD_DIGITS.encode() not in gateway.switch.asked[-1][1]


@pytest.mark.parametrize("code", ["202", "207"])
async def test_the_end_of_an_upload_tells_its_count_and_gets_the_closes_number(line: Line, code: str) -> None:
    gateway, terminal = line
    gateway.switch.answers["upload"] = UploadReply(response_code="00", at_ms=AT_MS, rrn="000000000012")
    reply = await gateway.answer(upload(terminal, code, "0017"))
    assert (reply.text(39), reply.text(37), reply.text(12)) == ("00", "000000000012", "235959")
    asked: UploadRequest = gateway.switch.last(UploadRequest)
    assert (asked.details, asked.count) == ((), 17)


async def test_a_chip_detail_brings_its_cryptogram_and_nothing_else_of_field_55(line: Line) -> None:
    gateway, terminal = line
    chip = bytes.fromhex("9F2608" + "00112233445566AB" + "9F360200FF" + "5A08" + "6291010000000018" + "9F270140")
    reply = await gateway.answer(upload(terminal, "203", "01" + detail("000001", 1234), f55=chip))
    assert reply.text(39) == "00"
    asked: UploadRequest = gateway.switch.last(UploadRequest)
    assert asked.cryptogram == Cryptogram(cryptogram="00112233445566AB", information="40", counter="00FF")
    assert b"6291010000000018" not in gateway.switch.asked[-1][1]


@pytest.mark.parametrize(
    ("code", "content", "chip", "field"),
    [
        ("201", "00", b"", "48"),
        ("201", "09" + detail("000001", 1) * 8, b"", "48"),
        ("201", "02" + detail("000001", 1), b"", "48"),
        ("201", "01" + detail("000001", 1, kind="07"), b"", "48"),
        ("202", "017", b"", "48"),
        ("203", "02" + detail("000001", 1) * 2, bytes.fromhex("9F26080011223344556677"), "48"),
        ("203", "01" + detail("000001", 1), bytes.fromhex("9F360200FF"), "55.9F26"),
        ("203", "01" + detail("000001", 1), bytes.fromhex("9F260400112233"), "55.9F26"),
        ("203", "01" + detail("000001", 1), bytes.fromhex("9F2608001122"), "55.9F26"),
        ("203", "01" + detail("000001", 1), bytes.fromhex("9F"), "55"),
    ],
)
async def test_a_damaged_upload_names_its_field_and_reaches_nobody(
    line: Line, code: str, content: str, chip: bytes, field: str
) -> None:
    gateway, terminal = line
    before = len(gateway.switch.asked)
    more = {"f55": chip} if chip else {}
    with structlog.testing.capture_logs() as lines:
        reply = await gateway.answer(upload(terminal, code, content, **more))
    assert reply.text(39) == "30"
    assert [said["field"] for said in lines if "field" in said] == [field]
    assert CARD_DIGITS not in str(lines)
    assert len(gateway.switch.asked) == before


async def test_an_upload_that_nobody_took_may_be_sent_again(line: Line) -> None:
    gateway, terminal = line
    gateway.switch.trouble = [NotDelivered("nobody")] * MANY
    assert (await gateway.answer(upload(terminal, "202", "0000"))).text(39) == "96"
    gateway.switch.trouble = [NoAnswer("gone")] * MANY
    assert await gateway.send(upload(terminal, "202", "0000")) is None
