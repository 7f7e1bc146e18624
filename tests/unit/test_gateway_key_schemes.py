"""Terminals of every key scheme at the gateway: what is opened and answered under which key, and what contradicts a terminal's scheme."""

from __future__ import annotations

import pytest
import structlog

import iso8583
import world
from contracts.authorization import AuthorizeRequest, ReverseRequest
from iso8583 import Field59, Message, Value
from security_module import Direction, MacAlgorithm, PinFormat
from terminal_gw.handlers import NatsIngress
from tests.support_dukpt import TPDU, DukptTerminal
from tests.unit.test_gateway_pipeline import CARD, ENVELOPE, TCP, WORLD, Gateway, Terminal, _request
from world import KeyScheme

TDES, AES, TDES_FORMAT_3, AES_AS_TDES = "10000009", "10000010", "10000012", "10000013"
DERIVING = [t.tid for t in WORLD.terminals if t.scheme is not KeyScheme.SESSION and t.tid < "2"]
CREDIT = next(card for card in WORLD.cards if card.name == "credit-1")
SKIPPED = {TDES: "1fffff", AES: "ffffffff"}
"""Counters with more ones than a terminal uses."""


def serial_number(tid: str, counter: str = "") -> bytes:
    row = WORLD.terminal(tid)
    assert row is not None
    zero = world.initial_serial_number(row)
    return zero[: len(zero) - len(counter) // 2] + bytes.fromhex(counter)


def field_59(ksn: bytes, block: bytes = b"") -> bytes:
    return Field59(ksn, block).pack()


async def refused(gateway: Gateway, message: Message) -> tuple[Message, str]:
    """The answer, and the field that the log names; nothing of the serial number is in the log, and nobody was asked."""
    asked = len(gateway.switch.asked)
    with structlog.testing.capture_logs() as lines:
        reply = await gateway.answer(message)
    (row,) = [row for row in lines if row["event"] == "message refused"]
    assert row["response_code"] == reply.text(39)
    assert message.data(59).hex()[-20:] not in str(lines).lower() or not message.data(59)
    assert len(gateway.switch.asked) == asked
    return reply, row["field"]


@pytest.mark.parametrize("tid", DERIVING)
async def test_a_terminal_that_derives_its_keys_signs_on_for_its_batch_and_sells(tid: str) -> None:
    gateway, terminal = Gateway(), DukptTerminal(tid)
    for code in ("001", "003"):
        reply = await gateway.answer(terminal.sign_on(code))
        assert (reply.text(39), reply.text(60), 62 in reply.fields) == ("00", f"00000007{code}", False)
    assert gateway.bucket.values == {}
    for card in (CARD, CREDIT):
        for _ in range(3):
            sold = await gateway.answer(terminal.sale(card))
            assert (sold.mti, sold.text(39), sold.header.processing) == ("0210", "00", "0")
            assert terminal.trusts(sold)
            assert not terminal.trusts(sold, Direction.REQUEST)
            assert not {52, 59} & set(sold.fields)
    assert terminal.trusts(await gateway.answer(terminal.reversal()))
    assert gateway.switch.last(ReverseRequest).reason == "98"
    assert gateway.bucket.reads == 0  # there is nothing to ask for


@pytest.mark.parametrize("tid", ["10000001", "10000011", *DERIVING])
async def test_a_block_is_passed_on_in_the_banks_format(tid: str) -> None:
    gateway = Gateway()
    for card, pin_format, length in ((CARD, "iso-0", 8), (CREDIT, "iso-4", 16)):
        if tid in DERIVING:
            await gateway.answer(DukptTerminal(tid).sale(card))
        else:
            terminal = Terminal(tid)
            await terminal.sign_on(gateway)
            block = terminal.module.encrypt_pin(
                terminal.pin, "123456", card.pan, PinFormat.ISO_3 if tid == "10000011" else PinFormat.ISO_0
            )
            control = "36" if tid == "10000011" else "26"
            await gateway.answer(terminal.sale({35: world.track2(card).clear(), 52: block, 53: control.ljust(16, "0")}))
        sent = gateway.switch.last(AuthorizeRequest).card
        assert (sent.pin_zone, sent.pin_format, len(sent.pin_block)) == (card.issuer, pin_format, length)


async def test_the_same_bytes_again_get_the_same_answer_and_an_older_counter_is_no_fault() -> None:
    """Which counters were used is not kept: what a message may do is decided by the transaction's identity."""
    gateway, terminal = Gateway(), DukptTerminal(TDES)
    first = iso8583.encode(terminal.sale(CARD))
    later = iso8583.encode(terminal.sale(CARD))
    answers = [await gateway.pipeline.receive(body, TCP) for body in (first, later, first)]
    assert answers[0] == answers[2] != answers[1]
    assert None not in [received.answer for received in answers]


@pytest.mark.parametrize("tid", [TDES, AES, AES_AS_TDES])
async def test_a_wrong_mac_is_a0_without_a_push_and_without_a_mac(tid: str) -> None:
    """A MAC on this answer could be collected by anybody, for serial numbers to come; and a sign-on would bring no keys."""
    gateway, terminal = Gateway(), DukptTerminal(tid)
    message = terminal.sale(CARD)
    message.fields[4] = "000000000001"
    reply, field = await refused(gateway, message)
    assert (reply.text(39), field, reply.header.processing, 64 in reply.fields) == ("A0", "64", "0", False)


async def test_a_mac_of_the_other_direction_or_transaction_is_not_one() -> None:
    gateway, terminal = Gateway(), DukptTerminal(TDES)
    for direction, back in ((Direction.RESPONSE, 0), (Direction.REQUEST, 1)):
        message = terminal.sale(CARD)
        block = iso8583.mac_block(iso8583.encode(message))
        key = terminal.key(direction)
        if back:
            terminal.sale(CARD)  # the next transaction's key
            key = terminal.key(direction)
        message.fields[64] = terminal.module.mac(key, block, MacAlgorithm.X9_19)
        assert (await gateway.answer(message)).text(39) == "A0"


@pytest.mark.parametrize(
    ("tid", "change", "code", "field"),
    [
        # which key: field 59
        (TDES, {59: None}, "30", "59"),
        (TDES, {59: b"\x9f\x02\x01\x00"}, "30", "59"),
        (TDES, {59: b"\xdf\x02\x10" + bytes(16)}, "30", "59.DF01"),
        (TDES, {59: b"\xdf\x01\x09" + bytes(9)}, "30", "59.DF01"),
        (TDES, {59: b"\xdf\x01\x0a" + bytes(9)}, "30", "59.DF01"),
        (TDES, {59: field_59(serial_number(TDES, "000001")) + b"\xdf\x02\x08" + bytes(8)}, "30", "59.DF02"),
        (TDES, {59: field_59(serial_number(AES, "00000001"))}, "30", "59.DF01"),
        (AES, {59: field_59(serial_number(TDES, "000001"))}, "30", "59.DF01"),
        (TDES, {59: field_59(serial_number(TDES_FORMAT_3, "000001"))}, "A0", "59.DF01"),
        (AES, {59: field_59(serial_number("10000014", "00000001"), bytes(16))}, "A0", "59.DF01"),
        (TDES, {59: field_59(serial_number(TDES, "200001"))}, "A0", "59.DF01"),  # a bit above the counter's 21
        (TDES, {59: field_59(serial_number(TDES, "000000"))}, "30", "59.DF01"),
        (TDES, {59: field_59(serial_number(TDES, SKIPPED[TDES]))}, "30", "59.DF01"),
        (AES, {59: field_59(serial_number(AES, SKIPPED[AES]), bytes(16))}, "30", "59.DF01"),
    ],
)
async def test_a_serial_number_that_is_not_the_terminals_is_refused(
    tid: str, change: dict[int, Value | None], code: str, field: str
) -> None:
    reply, named = await refused(Gateway(), DukptTerminal(tid).sale(CARD, change))
    assert (reply.text(39), named, reply.header.processing, 64 in reply.fields) == (code, field, "0", False)


@pytest.mark.parametrize(
    ("tid", "change", "field"),
    [
        # which block: fields 53, 52 and 59
        (TDES, {53: None}, "53"),
        (TDES, {53: "4400000000000000"}, "53"),
        (TDES, {53: "3600000000000000"}, "53"),
        (TDES, {53: "1600000000000000"}, "53"),
        (TDES, {53: "2000000000000000"}, "53"),
        (TDES, {53: "2610000000000000"}, "53"),
        (TDES, {53: "2600000000000001"}, "53"),
        (TDES, {53: "5600000000000000"}, "53.1"),
        (TDES, {53: "2500000000000000"}, "53.2"),
        (TDES, {53: "2620000000000000"}, "53.3"),
        (TDES_FORMAT_3, {53: "2600000000000000"}, "53"),
        (AES_AS_TDES, {53: "3400000000000000"}, "53"),
        (AES, {53: "2600000000000000"}, "53"),
        (AES, {53: "4600000000000000"}, "53"),
        (AES, {52: bytes(8)}, "59.DF02"),
        (AES, {52: bytes(8), 59: "own"}, "59.DF02"),
        (TDES, {52: None}, "52"),
        (TDES, {52: None, 59: "own and block"}, "59.DF02"),
        (TDES, {59: "own and block"}, "59.DF02"),
        (TDES, {22: "022", 26: None, 52: None, 53: "2600000000000000", 59: "own and block"}, "52"),
        (AES, {22: "022"}, "52"),
    ],
)
async def test_a_pin_block_that_contradicts_the_terminals_registration_is_refused_under_its_own_key(
    tid: str, change: dict[int, Value | None], field: str
) -> None:
    terminal = DukptTerminal(tid)
    row = terminal.row
    own = serial_number(tid, "000001" if row.scheme is KeyScheme.DUKPT_TDES else "00000001")
    made: dict[Value | None, bytes] = {
        "own": field_59(own),
        "own and block": field_59(own, bytes(16)),
    }
    message = terminal.sale(CARD, {n: made.get(v, v) if n == 59 else v for n, v in change.items()})
    reply, named = await refused(Gateway(), message)
    assert (reply.text(39), named) == ("30", field)
    assert terminal.trusts(reply)


@pytest.mark.parametrize(("tid", "field"), [(TDES, "52"), (TDES_FORMAT_3, "52"), (AES, "59.DF02")])
async def test_a_block_of_another_card_is_99(tid: str, field: str) -> None:
    terminal, other = DukptTerminal(tid), WORLD.card("credit-1")
    assert other is not None
    # A PIN whose third digit becomes none under the other number: format 3's fill is random, and by itself notices it only mostly.
    message = terminal.sale(CARD, {35: world.track2(other).clear()}, pin="129456")
    reply, named = await refused(Gateway(), message)
    assert (reply.text(39), named) == ("99", field)
    assert terminal.trusts(reply)


async def test_a_terminal_with_session_keys_has_no_field_59() -> None:
    gateway, terminal = Gateway(), Terminal()
    await terminal.sign_on(gateway)
    reply, field = await refused(gateway, terminal.sale({59: field_59(serial_number(TDES, "000001"))}))
    assert (reply.text(39), field) == ("30", "59")


@pytest.mark.parametrize(
    ("tid", "code", "control", "answer"),
    [
        ("10000001", "003", "26", "00"),
        ("10000001", "003", "20", "30"),
        ("10000001", "001", "20", "00"),
        ("10000001", "001", "26", "00"),  # single DES is 3DES with one key
        ("10000001", "001", "30", "30"),
        ("10000001", "003", "36", "30"),
        ("10000001", "003", "44", "30"),
        ("10000011", "003", "36", "00"),
        ("10000011", "001", "30", "00"),
        ("10000011", "003", "26", "30"),
    ],
)
async def test_field_53_of_a_terminal_with_session_keys(tid: str, code: str, control: str, answer: str) -> None:
    gateway, terminal = Gateway(), Terminal(tid)
    await terminal.sign_on(gateway, code)
    assert terminal.pin is not None
    pin_format = PinFormat.ISO_3 if tid == "10000011" else PinFormat.ISO_0
    block = terminal.module.encrypt_pin(terminal.pin, "123456", CARD.pan, pin_format)
    message = terminal.sale({52: block, 53: control.ljust(16, "0")})
    if answer == "00":
        assert (await gateway.answer(message)).text(39) == "00"
    else:
        reply, field = await refused(gateway, message)
        assert (reply.text(39), field) == ("30", "53")


async def test_what_cannot_be_decoded_is_answered_without_a_mac() -> None:
    terminal = DukptTerminal(AES)
    body = bytearray(iso8583.encode(terminal.sale(CARD)))
    body[ENVELOPE + 3] = 0xAA  # first byte of field 4
    received = await Gateway().pipeline.receive(bytes(body), TCP)
    assert received.answer is not None
    assert iso8583.decode(received.answer).fields == {3: "000000", 39: "30"}


async def test_sign_off_has_no_keys_to_forget() -> None:
    gateway, terminal = Gateway(), DukptTerminal(TDES)
    off = await gateway.answer(
        Message("0820", {11: "000009", 41: terminal.tid, 42: terminal.mid, 60: "00000007002"}, TPDU)
    )
    assert off.text(39) == "00"
    assert (await gateway.answer(terminal.sale(CARD))).text(39) == "00"


@pytest.mark.parametrize("tid", [TDES, AES])
async def test_the_same_sale_as_json(tid: str) -> None:
    gateway, terminal = Gateway(), DukptTerminal(tid)
    answer = await NatsIngress(gateway.pipeline).handle(_request(tid, iso8583.to_json(terminal.sale(CARD))))
    assert answer is not None
    reply = iso8583.from_json(answer)
    assert reply.text(39) == "00"
    assert terminal.trusts(reply)


def test_the_world_has_a_terminal_for_each_scheme_and_format_that_fit() -> None:
    """Format 4 and AES-CMAC need AES keys, which a sign-on does not bring and TDES DUKPT does not derive."""
    pairs = {(t.scheme, t.pin_format) for t in WORLD.terminals}
    assert pairs == {
        (scheme, pin_format)
        for scheme in KeyScheme
        for pin_format in PinFormat
        if scheme is KeyScheme.DUKPT_AES or pin_format is not PinFormat.ISO_4
    }
    for t in WORLD.terminals:
        assert t.scheme is KeyScheme.DUKPT_AES or t.mac_algorithm is not MacAlgorithm.AES_CMAC
    assert {t.mac_algorithm for t in WORLD.terminals} == set(MacAlgorithm)
