"""The gateway's one pipeline over a fake switch: what passes, what is refused, and with which word."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import structlog

import iso8583
import world
from contracts import codec, subjects
from contracts.authorization import (
    AuthorizeReply,
    AuthorizeRequest,
    ReverseReply,
    ReverseRequest,
    SettleReply,
    SettleRequest,
    SignOffReply,
    SignOnReply,
    SignOnRequest,
    Totals,
)
from contracts.identity import shard_of
from contracts.pan import sealed_with
from iso8583 import Field60, Keys62, Message, Totals48, Value
from runtime.bus import NoAnswer, NotDelivered, Request, SteppedDown
from runtime.trace_context import TraceContext
from runtime.tracing import Parent, Span, Tracer
from security_module import Purpose, SecurityModule, WrappedKey
from terminal_gw.admission import Admission
from terminal_gw.answers import Sealer
from terminal_gw.downloaded import Downloads
from terminal_gw.handlers import NatsIngress
from terminal_gw.keyring import Keyring
from terminal_gw.masters import Masters
from terminal_gw.pipeline import HANDLERS, Pipeline
from terminal_gw.requests import Desk, Ingress
from terminal_gw.sessions import Sessions
from terminal_gw.stop_versions import StopVersions
from terminal_gw.switch import Switch
from tests.support_keys import acquirers_rings

WORLD = world.built_in()
CARD = next(card for card in WORLD.cards if card.name == "debit-1")
AT_MS = 1_767_196_799_000  # 2025-12-31 23:59:59 in Shanghai
ENVELOPE = 21
TCP = Ingress("tcp", "192.0.2.1:40000")
MANY = 10_000
"""More troubles than there are tries in a test."""


class FakeSwitch:
    """The bus, with `auth` behind it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.trace: list[Parent] = []
        self.trouble: list[Exception] = []
        self.answers: dict[str, msgspec.Struct] = {
            "authorize": AuthorizeReply(
                response_code="00",
                rrn="000000000001",
                at_ms=AT_MS,
                authorization_code="A1B2C3",
                institution=CARD.issuer,
            ),
            "reverse": ReverseReply(response_code="00", rrn="000000000001", at_ms=AT_MS),
            "sign-on": SignOnReply(response_code="00", rrn="000000000009", at_ms=AT_MS, batch="000007"),
            "sign-off": SignOffReply(response_code="00", at_ms=AT_MS, rrn="000000000010"),
            "settle": SettleReply(
                result="1", rrn="000000000011", at_ms=AT_MS, totals=Totals(debit_minor=1234, debit_count=1)
            ),
        }
        self.hold: asyncio.Event | None = None

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Parent = None) -> bytes:
        self.asked.append((subject, body))
        self.trace.append(trace)
        if self.trouble:
            raise self.trouble.pop(0)
        if self.hold is not None:
            await self.hold.wait()
        return codec.encode(self.answers[subject.rsplit(".", 1)[1]])

    def last(self, kind: type[Any]) -> Any:
        return codec.decoder(kind).decode(self.asked[-1][1])


class FakeBucket:
    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.reads = 0
        self.trouble: Exception | None = None

    async def get(self, key: str) -> bytes | None:
        self.reads += 1
        if self.trouble:
            raise self.trouble
        return self.values.get(key)

    async def put(self, key: str, value: bytes) -> None:
        if self.trouble:
            raise self.trouble
        self.values[key] = value

    async def delete(self, key: str) -> None:
        self.values.pop(key, None)


class Gateway:
    """A pipeline on fakes; a second one over the same bucket is another gateway."""

    def __init__(
        self, switch: FakeSwitch | None = None, bucket: FakeBucket | None = None, *, answer_timeout_s: float = 15.0
    ) -> None:
        self.switch, self.bucket = switch or FakeSwitch(), bucket or FakeBucket()
        module, self.tracer = SecurityModule(world.lmk("acquirer")), Tracer("terminal-gw", "test")
        self.tracer.enabled = True
        self.rings = acquirers_rings(module)
        self.masters = Masters(self.rings, lambda: AT_MS)
        self.admission = Admission()
        self.desk = Desk(
            world=WORLD,
            module=module,
            keyring=Keyring(module, self.rings, WORLD),
            masters=self.masters,
            sessions=Sessions(self.bucket, module),
            downloads=Downloads(self.bucket),
            stops=StopVersions(self.bucket),
            switch=Switch(self.switch, self.tracer, WORLD.shards, answer_timeout_s=answer_timeout_s, retry_s=0.001),
            admission=self.admission,
            tracer=self.tracer,
            now_ms=lambda: AT_MS,
        )
        self.pipeline = Pipeline(self.desk, Sealer(module))

    async def send(self, message: Message) -> Message | None:
        received = await self.pipeline.receive(iso8583.encode(message), TCP)
        return None if received.answer is None else iso8583.decode(received.answer)

    async def answer(self, message: Message) -> Message:
        reply = await self.send(message)
        assert reply is not None
        return reply


class Terminal:
    """The other end of the line, with a security module of its own."""

    def __init__(self, tid: str = "10000001") -> None:
        row = WORLD.terminal(tid)
        assert row is not None
        self.tid, self.mid, self.algorithm = tid, row.merchant, row.mac_algorithm
        self.module = SecurityModule(b"0" * 32)
        self.master = self.module.import_clear(Purpose.TERMINAL_MASTER, world.terminal_master_key(tid))
        self.pin: WrappedKey | None = None
        self.mac: WrappedKey | None = None
        self.batch = "000000"

    async def sign_on(self, gateway: Gateway, code: str = "003") -> Message:
        reply = await gateway.answer(self.management("0800", code, {63: "001"}))
        keys = Keys62.parse(reply.data(62))
        self.pin = self.module.import_under(self.master, Purpose.PIN, *keys.pin)
        self.mac = self.module.import_under(self.master, Purpose.MAC, *keys.mac)
        self.batch = Field60.parse(reply.text(60)).batch
        return reply

    def management(self, mti: str, code: str, more: dict[int, Value] | None = None) -> Message:
        fields: dict[int, Value] = {11: "000001", 41: self.tid, 42: self.mid, 60: f"00{self.batch}{code}"}
        return Message(mti, fields | (more or {}), bytes.fromhex("6005250000"))

    def sale(self, change: dict[int, Value | None] | None = None, *, pin: str = "123456", mti: str = "0200") -> Message:
        assert self.pin is not None
        fields: dict[int, Value | None] = {
            3: "000000",
            4: "000000001234",
            11: "000042",
            22: "021",
            25: "00",
            26: "12",
            35: world.track2(CARD).clear(),
            41: self.tid,
            42: self.mid,
            49: "156",
            52: self.module.encrypt_pin(self.pin, pin, CARD.pan),
            53: "2600000000000000",
            60: f"22{self.batch}00050",
            **(change or {}),
        }
        return self.signed(
            Message(mti, {n: v for n, v in fields.items() if v is not None}, bytes.fromhex("6005250000"))
        )

    def settlement(self) -> Message:
        totals = Totals48(debit_minor=1234, debit_count=1).pack()
        return self.management("0500", "201", {48: totals, 49: "156", 63: "001"})

    def reversal(self, reason: str = "98") -> Message:
        drop: dict[int, Value | None] = dict.fromkeys((26, 35, 52, 53))
        return self.sale({**drop, 39: reason}, mti="0400")

    def signed(self, message: Message) -> Message:
        assert self.mac is not None
        message.fields[64] = bytes(8)
        body = iso8583.encode(message)
        message.fields[64] = self.module.mac(self.mac, iso8583.mac_block(body), self.algorithm)
        return message

    def trusts(self, reply: Message) -> bool:
        if self.mac is None or 64 not in reply.fields:
            return False
        block = iso8583.mac_block(iso8583.encode(reply))
        return self.module.verify_mac(self.mac, block, reply.data(64), self.algorithm)


@pytest.fixture
async def line() -> tuple[Gateway, Terminal]:
    gateway, terminal = Gateway(), Terminal()
    await terminal.sign_on(gateway)
    return gateway, terminal


@pytest.fixture
async def hasty_line() -> tuple[Gateway, Terminal]:
    """For what the switch never answers: the gateway soon stops asking."""
    gateway, terminal = Gateway(answer_timeout_s=0.25), Terminal()
    await terminal.sign_on(gateway)
    return gateway, terminal


Line = tuple[Gateway, Terminal]


@pytest.mark.parametrize(
    ("tid", "code", "size"),
    [("10000001", "003", 40), ("10000001", "001", 24), ("10000005", "003", 40), ("10000006", "001", 24)],
)
async def test_a_terminal_signs_on_and_sells(tid: str, code: str, size: int) -> None:
    gateway, terminal = Gateway(), Terminal(tid)
    reply = await terminal.sign_on(gateway, code)
    assert (reply.mti, reply.text(39), terminal.batch, len(reply.data(62))) == ("0810", "00", "000007", size)
    assert reply.tpdu.hex() == "6000000525"
    assert (reply.text(12), reply.text(13), reply.text(37)) == ("235959", "1231", "000000000009")
    assert reply.text(32) == WORLD.acquirer
    assert gateway.switch.last(SignOnRequest).operator == "001"
    sold = await gateway.answer(terminal.sale())
    assert (sold.mti, sold.text(39)) == ("0210", "00")
    assert terminal.trusts(sold)


async def test_a_sale_asks_the_merchants_shard_and_answers_every_field(line: Line) -> None:
    gateway, terminal = line
    reply = await gateway.answer(terminal.sale())
    subject, _ = gateway.switch.asked[-1]
    assert subject == subjects.auth(shard_of(terminal.mid, WORLD.shards), "authorize")
    asked: AuthorizeRequest = gateway.switch.last(AuthorizeRequest)
    assert (asked.terminal, asked.merchant, asked.batch, asked.stan) == (terminal.tid, terminal.mid, "000007", "000042")
    assert (asked.amount_minor, asked.currency, asked.entry_mode) == (1234, "156", "021")
    assert asked.card.pan == CARD.pan
    assert asked.card.track2 == world.track2(CARD)
    assert asked.card.pin_zone == CARD.issuer
    module = SecurityModule(world.lmk("issuer"))
    assert module.verify_pin(
        asked.card.pin_block,
        CARD.pan,
        pin_key=module.import_clear(Purpose.ZONE_PIN, world.zone_pin_key(CARD.issuer)),
        pvk=module.import_clear(Purpose.PVK, world.pvk(CARD.issuer)),
        pvv=world.pvv(CARD),
    )
    assert str(asked.masked) == str(CARD.pan)
    data_key, id_ = module.import_clear(Purpose.DATA, world.data_key()), f"{terminal.tid}:000007:000042"
    assert asked.masked.key_version == 1
    assert asked.masked.digest == module.digest(data_key, CARD.pan.clear().encode())
    assert module.unseal(data_key, asked.masked.sealed, sealed_with(id_)) == CARD.pan.clear().encode()
    assert (asked.fingerprint[:2], asked.other_fingerprints) == ("1:", ())
    institution = WORLD.institution(CARD.issuer)
    assert institution is not None
    assert {number: value for number, value in reply.fields.items() if number != 64} == {
        2: CARD.pan.clear(),
        3: "000000",
        4: "000000001234",
        11: "000042",
        12: "235959",
        13: "1231",
        14: CARD.expiry,
        15: "1231",
        25: "00",
        32: WORLD.acquirer,
        37: "000000000001",
        38: "A1B2C3",
        39: "00",
        41: terminal.tid,
        42: terminal.mid,
        44: f"{institution.code:<11}{WORLD.acquirer:<11}",
        49: "156",
        53: "2600000000000000",
        60: "22000007000",
        63: "CUP",
    }
    iso8583.check_profile(reply)


async def test_a_repetition_is_answered_with_the_same_bytes(line: Line) -> None:
    gateway, terminal = line
    body = iso8583.encode(terminal.sale())
    first = await gateway.pipeline.receive(body, TCP)
    second = await gateway.pipeline.receive(body, TCP)
    assert first.answer is not None
    assert first == second


async def test_a_card_of_nobody_is_still_asked_about_and_without_pin_block(line: Line) -> None:
    gateway, terminal = line
    gateway.switch.answers["authorize"] = AuthorizeReply(response_code="15", rrn="000000000002", at_ms=AT_MS)
    reply = await gateway.answer(terminal.sale({35: "4000000000000002D30121010000000000000"}))
    assert reply.text(39) == "15"
    assert 38 not in reply.fields
    asked: AuthorizeRequest = gateway.switch.last(AuthorizeRequest)
    assert (asked.card.pin_block, asked.card.pin_zone) == (b"", "")


async def test_a_keyed_card_needs_number_and_expiry(line: Line) -> None:
    gateway, terminal = line
    keyed: dict[int, Value | None] = {
        22: "012",
        26: None,
        35: None,
        52: None,
        53: None,
        2: CARD.pan.clear(),
        14: "3512",
    }
    assert (await gateway.answer(terminal.sale(keyed))).text(39) == "00"
    assert gateway.switch.last(AuthorizeRequest).card.track2 is None
    assert (await gateway.answer(terminal.sale({**keyed, 14: None}))).text(39) == "30"


async def test_a_reversal_goes_to_the_switch_with_its_reason(line: Line) -> None:
    gateway, terminal = line
    reply = await gateway.answer(terminal.reversal("A0"))
    assert (reply.mti, reply.text(39), reply.text(37)) == ("0410", "00", "000000000001")
    assert terminal.trusts(reply)
    iso8583.check_profile(reply)
    asked: ReverseRequest = gateway.switch.last(ReverseRequest)
    assert (asked.batch, asked.stan, asked.amount_minor, asked.reason) == ("000007", "000042", 1234, "A0")
    refused = await gateway.answer(terminal.reversal("00"))
    assert refused.text(39) == "30"


async def test_settlement_answers_in_field_48_and_has_no_39(line: Line) -> None:
    gateway, terminal = line
    reply = await gateway.answer(terminal.settlement())
    assert reply.mti == "0510"
    assert 39 not in reply.fields
    assert Totals48.parse(reply.text(48)) == Totals48(debit_minor=1234, debit_count=1, result="1", foreign_result="1")
    iso8583.check_profile(reply)
    asked: SettleRequest = gateway.switch.last(SettleRequest)
    assert (asked.operator, asked.totals) == ("001", Totals(debit_minor=1234, debit_count=1))
    foreign = Totals48(foreign_debit_minor=1, foreign_debit_count=1).pack()
    refused = await gateway.answer(terminal.management("0500", "201", {48: foreign, 49: "156", 63: "001"}))
    assert refused.text(39) == "30"


@pytest.mark.parametrize(
    "host", [Totals(debit_minor=1, debit_count=1000), Totals(debit_minor=10**12, debit_count=999)], ids=["count", "sum"]
)
async def test_totals_that_field_48_cannot_carry_are_a_refusal_and_no_broken_line(line: Line, host: Totals) -> None:
    """Of a journal from before the size of a batch was limited."""
    gateway, terminal = line
    gateway.switch.answers["settle"] = SettleReply(result="2", rrn="000000000009", at_ms=AT_MS, totals=host)
    with structlog.testing.capture_logs() as lines:
        reply = await gateway.answer(terminal.settlement())
    assert (reply.mti, reply.text(39)) == ("0510", "65")
    assert 48 not in reply.fields
    assert [said["field"] for said in lines if "field" in said] == ["48"]


async def test_echo_asks_nobody_and_sign_off_forgets_the_keys(line: Line) -> None:
    gateway, terminal = line
    before = len(gateway.switch.asked)
    echo = await gateway.answer(Message("0820", {41: terminal.tid, 42: terminal.mid, 60: "00000000301"}))
    assert (echo.mti, echo.text(39), echo.text(12), echo.text(13)) == ("0830", "00", "235959", "1231")
    assert len(gateway.switch.asked) == before
    off = await gateway.answer(terminal.management("0820", "002"))
    assert off.text(39) == "00"
    assert gateway.bucket.values == {}
    refused = await gateway.answer(terminal.sale())
    assert (refused.text(39), refused.header.processing) == ("A0", "3")
    assert 64 not in refused.fields


async def test_stored_sessions_hold_no_clear_key(line: Line) -> None:
    gateway, _ = line
    (stored,) = gateway.bucket.values.values()
    pin = msgspec.json.decode(stored)["pin"]
    assert set(pin) == {"purpose", "cryptogram", "check_value", "length"}
    assert len(bytes.fromhex(pin["cryptogram"])) == 12 + 16 + 16


async def test_no_key_of_a_session_that_is_over_stays_open(line: Line) -> None:
    first, terminal = line
    second = Gateway(first.switch, first.bucket)
    opened = []
    for gateway in (first, second, first, first):
        await terminal.sign_on(gateway)
        for each in (first, second):
            assert (await each.answer(terminal.sale())).text(39) == "00"
        opened.append([each.desk.module.keys_open for each in (first, second)])
    assert opened == [opened[0]] * len(opened)
    await first.answer(terminal.management("0820", "002"))
    assert first.desk.module.keys_open == opened[0][0] - 2


async def test_another_gateway_knows_the_session_and_its_newer_keys(line: Line) -> None:
    first, terminal = line
    second = Gateway(first.switch, first.bucket)
    assert (await second.answer(terminal.sale())).text(39) == "00"
    await terminal.sign_on(second)
    assert (await first.answer(terminal.sale())).text(39) == "00"
    reads = first.bucket.reads
    assert (await first.answer(terminal.sale())).text(39) == "00"
    assert first.bucket.reads == reads


async def test_a_bad_mac_is_a0_after_one_look_at_the_bucket_and_reaches_nobody(line: Line) -> None:
    gateway, terminal = line
    message = terminal.sale()
    message.fields[64] = b"00000000"
    asked, reads = len(gateway.switch.asked), gateway.bucket.reads
    reply = await gateway.answer(message)
    assert (reply.text(39), reply.header.processing, reply.text(41)) == ("A0", "3", terminal.tid)
    assert (len(gateway.switch.asked), gateway.bucket.reads) == (asked, reads + 1)
    assert 64 not in reply.fields


async def test_every_byte_under_the_mac_counts(line: Line) -> None:
    gateway, terminal = line
    body = iso8583.encode(terminal.sale())
    amount_at = ENVELOPE + 3 + 5
    changed = body[:amount_at] + bytes([body[amount_at] ^ 1]) + body[amount_at + 1 :]
    received = await gateway.pipeline.receive(changed, TCP)
    assert received.answer is not None
    assert iso8583.decode(received.answer).text(39) == "A0"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({41: "99999999"}, "97", "41"),
        ({42: "000000000000000"}, "03", "42"),
        ({41: None}, "30", "41"),
        ({4: None}, "30", "4"),
        ({11: None}, "30", "11"),
        ({53: None}, "30", "53"),
        ({53: "1600000000000000"}, "30", "53"),
        ({35: None}, "30", "2"),
        ({35: None, 2: CARD.pan.clear()}, "30", "35"),
        ({35: "62910100000000012345D"}, "30", "35"),
        ({2: "6291010000000000"}, "30", "2"),
        ({14: "2001"}, "30", "14"),
        ({49: "840"}, "30", "49"),
        ({60: "2200000"}, "30", "60.2"),
        ({52: b"\x00" * 8}, "99", "52"),
        ({3: "310000", 60: "01000007000"}, "30", "4"),
        ({3: "310000"}, "40", "3"),
        ({3: "990000"}, "40", "3"),
        ({22: "051"}, "30", "55"),
    ],
)
async def test_refusals_name_the_field_and_ask_nobody(
    line: Line, change: dict[int, Value | None], code: str, field: str
) -> None:
    gateway, terminal = line
    asked = len(gateway.switch.asked)
    with structlog.testing.capture_logs() as lines:
        reply = await gateway.answer(terminal.sale(change))
        again = await gateway.answer(terminal.sale(change))
    assert reply.text(39) == code
    assert reply == again
    assert [(row["event"], row["field"], row["response_code"]) for row in lines] == [
        ("message refused", field, code)
    ] * 2
    assert len(gateway.switch.asked) == asked
    assert CARD.pan.clear() not in str(lines)
    assert world.track2(CARD).clear() not in str(lines)


@pytest.mark.parametrize(
    ("mti", "code"), [("0100", "40"), ("0220", "40"), ("0320", "40"), ("0300", "30"), ("0600", "30")]
)
async def test_message_types_that_are_not_served(line: Line, mti: str, code: str) -> None:
    gateway, terminal = line
    reply = await gateway.answer(terminal.sale(mti=mti, change={3: "990000"}))
    assert (reply.mti, reply.text(39)) == (iso8583.reply_mti(mti), code)


async def test_what_cannot_be_decoded_is_answered_as_far_as_it_could_be_read(line: Line) -> None:
    gateway, terminal = line
    body = bytearray(iso8583.encode(terminal.sale()))
    body[ENVELOPE + 3] = 0xAA  # first byte of field 4
    with structlog.testing.capture_logs() as lines:
        received = await gateway.pipeline.receive(bytes(body), TCP)
    assert received.answer is not None
    assert iso8583.decode(received.answer).fields == {3: "000000", 39: "30"}
    (row,) = lines
    assert (row["event"], row["field"], row["mti"], row["response_code"]) == ("message refused", "4", "0200", "30")
    received = await gateway.pipeline.receive(iso8583.encode(terminal.sale()) + b"\x00", TCP)
    assert received.answer is not None
    assert iso8583.decode(received.answer).text(39) == "30"


@pytest.mark.parametrize("body", [b"\x00", b"GET / HTTP/1.1\r\nHost: example\r\n\r\n", bytes(200), b"\xff" * 200])
async def test_what_is_no_message_is_not_answered(body: bytes) -> None:
    received = await Gateway().pipeline.receive(body, TCP)
    assert received.answer is None


async def test_an_answer_sent_to_the_host_is_not_answered(line: Line) -> None:
    gateway, terminal = line
    received = await gateway.pipeline.receive(iso8583.encode(terminal.sale(mti="0210")), TCP)
    assert received.answer is None


@pytest.mark.parametrize("build", [Terminal.sale, Terminal.reversal, Terminal.settlement])
@pytest.mark.parametrize(
    "trouble",
    [
        [NoAnswer("lost")] * MANY,
        [NotDelivered("starting"), *[NoAnswer("lost")] * MANY],
        [NoAnswer("lost"), *[NotDelivered("starting")] * MANY],
        [SteppedDown("no more"), *[NotDelivered("starting")] * MANY],
    ],
    ids=["always", "at the second try", "once", "by one that a successor may have heard, too"],
)
async def test_an_outcome_that_stays_unknown_is_never_answered(
    hasty_line: Line, build: Callable[[Terminal], Message], trouble: list[Exception]
) -> None:
    gateway, terminal = hasty_line
    message, asked = build(terminal), len(gateway.switch.asked)
    gateway.switch.trouble = list(trouble)
    with structlog.testing.capture_logs() as lines:
        assert await gateway.send(message) is None
    assert len(gateway.switch.asked) > asked + 1
    assert "answered" not in [row["event"] for row in lines]


@pytest.mark.parametrize("body", [b"", b"nonsense", msgspec.json.encode({"response_code": CARD.pan.clear()})])
async def test_an_answer_of_the_switch_that_cannot_be_read_is_an_unknown_outcome(line: Line, body: bytes) -> None:
    gateway, terminal = line

    async def nonsense(*_: object, **__: object) -> bytes:
        return body

    gateway.switch.request = nonsense  # type: ignore[method-assign]
    with structlog.testing.capture_logs() as lines:
        assert await gateway.send(terminal.sale()) is None
    assert [row["event"] for row in lines] == [
        "an answer of the switch cannot be read",
        "left unanswered: the outcome is unknown",
    ]
    assert CARD.pan.clear() not in str(lines)


@pytest.mark.parametrize("build", [Terminal.sale, Terminal.reversal, Terminal.settlement])
async def test_an_answer_after_no_answer_is_the_answer(line: Line, build: Callable[[Terminal], Message]) -> None:
    gateway, terminal = line
    message = build(terminal)
    expected, asked = await gateway.send(message), len(gateway.switch.asked)
    gateway.switch.trouble = [NoAnswer("fenced"), NotDelivered("starting"), NoAnswer("lost")]
    assert await gateway.send(message) == expected is not None
    assert len(gateway.switch.asked) == asked + 4
    assert len(set(gateway.switch.asked[asked:])) == 1  # each time the same question, byte for byte


async def test_a_repetition_differs_in_the_sealed_number_only(line: Line) -> None:
    """No two sealed values are alike, so that nobody can tell from them who bought twice."""
    gateway, terminal = line
    await gateway.send(terminal.sale())
    first: AuthorizeRequest = gateway.switch.last(AuthorizeRequest)
    await gateway.send(terminal.sale())
    second: AuthorizeRequest = gateway.switch.last(AuthorizeRequest)
    assert first.masked.sealed != second.masked.sealed
    same = msgspec.structs.replace(second.masked, sealed=first.masked.sealed)
    assert msgspec.structs.replace(second, masked=same) == first


async def test_what_nobody_got_is_tried_again_and_in_the_end_96(line: Line, hasty_line: Line) -> None:
    gateway, terminal = line
    gateway.switch.trouble = [NotDelivered("starting")] * 3
    assert (await gateway.answer(terminal.sale())).text(39) == "00"
    gateway, terminal = hasty_line
    gateway.switch.trouble = [NotDelivered("starting")] * MANY
    reply = await gateway.answer(terminal.sale())
    assert reply.text(39) == "96"
    assert terminal.trusts(reply)


async def test_a_session_is_asked_for_again_while_the_broker_starts(line: Line) -> None:
    """By a gateway that knows none: its refusal would have no MAC, and the sale would have to be reversed."""
    gateway, terminal = line
    second = Gateway(gateway.switch, gateway.bucket)
    second.desk.sessions._patience_s = 60
    gateway.bucket.trouble = NoAnswer("starting")
    selling = asyncio.create_task(second.answer(terminal.sale()))
    before = gateway.bucket.reads
    while gateway.bucket.reads < before + 2:
        await asyncio.sleep(0)
    gateway.bucket.trouble = None
    assert (await selling).text(39) == "00"


async def test_without_the_bucket_nobody_signs_on_and_nothing_is_sold_unchecked(line: Line) -> None:
    gateway, terminal = line
    gateway.bucket.trouble = NoAnswer("bucket")
    reply = await gateway.answer(terminal.management("0800", "003", {63: "001"}))
    assert reply.text(39) == "96"
    assert 62 not in reply.fields
    restarted = Gateway(gateway.switch, gateway.bucket)
    asked = len(gateway.switch.asked)
    assert (await restarted.answer(terminal.sale())).text(39) == "96"
    assert len(gateway.switch.asked) == asked


async def test_a_refused_sign_on_downloads_no_keys() -> None:
    gateway, terminal = Gateway(), Terminal("10000008")
    gateway.switch.answers["sign-on"] = SignOnReply(response_code="58", rrn="000000000003", at_ms=AT_MS)
    reply = await gateway.answer(terminal.management("0800", "003", {63: "001"}))
    assert reply.text(39) == "58"
    assert 62 not in reply.fields
    assert gateway.bucket.values == {}


async def test_an_x9_19_terminal_cannot_take_single_length_keys() -> None:
    reply = await Gateway().answer(Terminal("10000005").management("0800", "001", {63: "001"}))
    assert reply.text(39) == "40"


async def test_an_answered_message_is_one_line_without_card_data(line: Line) -> None:
    gateway, terminal = line
    gateway.tracer.take()
    with structlog.testing.capture_logs() as lines:
        await gateway.answer(terminal.sale())
    (row,) = lines
    assert isinstance(row.pop("duration_ms"), float)
    (root,) = (span for span in gateway.tracer.take() if not span.parent_id)
    assert row == {
        "event": "answered",
        "log_level": "info",
        "component": "pipeline",
        "mti": "0200",
        "terminal": terminal.tid,
        "stan": "000042",
        "kind": "sale",
        "response_code": "00",
        "institution": CARD.issuer,
        "rrn": "000000000001",
        "trace_id": root.context.trace_id,
    }


async def test_spans_of_a_swipe(line: Line) -> None:
    gateway, terminal = line
    gateway.tracer.take()
    above = TraceContext("1" * 32, "2" * 16)
    body = iso8583.encode(terminal.sale())
    await gateway.pipeline.handle(iso8583.decode(body), body, Ingress("nats", "x", above))
    spans = {span.name: span for span in gateway.tracer.take()}
    root = spans.pop("process terminal.v1.{terminal}.request")
    assert set(spans) == {"verify MAC", "translate PIN", "send auth.v1.{shard}.authorize", "send answer"}
    assert (root.context.trace_id, root.parent_id) == (above.trace_id, above.span_id)
    assert all(span.parent_id == root.span_id for span in spans.values())
    asked_with = gateway.switch.trace[-1]
    assert isinstance(asked_with, Span)
    assert asked_with.context == spans["send auth.v1.{shard}.authorize"].context
    assert root.attributes == {
        "lianji.mti": "0200",
        "lianji.terminal": terminal.tid,
        "lianji.kind": "sale",
        "lianji.entry_mode": "021",
        "lianji.institution": "huaxing",
        "lianji.rrn": "000000000001",
        "lianji.response_code": "00",
    }
    assert root.error_text == ""
    assert CARD.pan.clear() not in str([span.attributes for span in (root, *spans.values())])


async def test_a_message_is_traced_and_counted_from_its_coming(line: Line) -> None:
    gateway, terminal = line
    gateway.tracer.take()
    began_ns = time.time_ns()
    with structlog.testing.capture_logs() as said:
        body = iso8583.encode(terminal.sale())
        await gateway.pipeline.receive(body, Ingress("tcp", "192.0.2.1:1", None, time.monotonic() - 7))
    root = next(span for span in gateway.tracer.take() if span.name == "receive frame")
    assert 6.9 < (began_ns - root.start_ns) / 1e9 < 7.1
    assert said[-1]["duration_ms"] >= 7000


def test_every_handler_is_of_a_request_that_the_profile_knows() -> None:
    known = {key[0] for key in iso8583.profile.FINANCIAL} | {key[0] for key in iso8583.profile.MANAGEMENT}
    assert {mti for mti, _ in HANDLERS} <= known
    assert all(code == "" or (mti, code) in iso8583.profile.MANAGEMENT for mti, code in HANDLERS)


def _request(terminal: str, body: bytes) -> Request:
    return Request(subjects.terminal_request(terminal), body, None, 0)


async def test_the_same_swipe_as_json(line: Line) -> None:
    gateway, terminal = line
    ingress = NatsIngress(gateway.pipeline)
    answer = await ingress.handle(_request(terminal.tid, iso8583.to_json(terminal.sale())))
    assert answer is not None
    reply = iso8583.from_json(answer)
    assert (reply.mti, reply.text(39)) == ("0210", "00")
    assert terminal.trusts(reply)
    tampered = terminal.sale()
    tampered.fields[4] = "000000000001"
    answer = await ingress.handle(_request(terminal.tid, iso8583.to_json(tampered)))
    assert answer is not None
    assert iso8583.from_json(answer).text(39) == "A0"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "json"),
        (b'{"mti":"0820","fields":{"41":"1000000","42":"482290058130001","60":"00000000301"}}', "41"),
        (b'{"mti":"0820","fields":{"41":"10000002","42":"482290058130001","60":"00000000301"}}', "41"),
        (b'{"mti":"0830","fields":{"41":"10000001"}}', "mti"),
        (b'{"mti":"0820","fields":{"41":"10000001","60":""}}', "60"),
    ],
)
async def test_json_errors_name_the_field(body: bytes, field: str) -> None:
    answer = await NatsIngress(Gateway().pipeline).handle(_request("10000001", body))
    assert answer is not None
    assert msgspec.json.decode(answer)["error"]["field"] == field


async def test_a_second_json_request_of_a_terminal_in_flight_is_refused(line: Line) -> None:
    gateway, terminal = line
    ingress = NatsIngress(gateway.pipeline)
    swipe = iso8583.to_json(terminal.sale())
    gateway.switch.hold = asyncio.Event()
    first = asyncio.create_task(ingress.handle(_request(terminal.tid, swipe)))
    await asyncio.sleep(0)
    second = await ingress.handle(_request(terminal.tid, swipe))
    assert second is not None
    assert msgspec.json.decode(second)["error"]["field"] == "41"
    gateway.switch.hold.set()
    assert iso8583.from_json(await first or b"").text(39) == "00"
    third = await ingress.handle(_request(terminal.tid, swipe))
    assert iso8583.from_json(third or b"").text(39) == "00"


async def test_an_unknown_outcome_is_not_answered_over_nats_either(hasty_line: Line) -> None:
    gateway, terminal = hasty_line
    gateway.switch.trouble = [NoAnswer("lost")] * MANY
    assert await NatsIngress(gateway.pipeline).handle(_request(terminal.tid, iso8583.to_json(terminal.sale()))) is None
