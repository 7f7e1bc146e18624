"""Each kind at the gateway: what of its request reaches the switch, what of the switch's word reaches the terminal, what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

import iso8583
import terminal_gw.kinds
from contracts import response_codes as rc
from contracts.authorization import AuthorizeReply, AuthorizeRequest, ReverseRequest
from contracts.kinds import CLAIMS, KINDS, Effect, Kind
from contracts.pan import sealed_with
from iso8583 import Amount54, Balances54, Message, Terms62, Value
from runtime.bus import NoAnswer, NoRoom, NotDelivered
from terminal_gw.kinds import WIRES
from terminal_gw.labels import kind_of
from tests.support_kinds import BALANCE, BATCH, PLAN, STAN, TARGET, Line, approval, said_of
from tests.unit.test_gateway_pipeline import AT_MS, CARD, TCP

CLAIMING = sorted(CLAIMS)
LOOKING = [kind for kind in Kind if KINDS[kind].effect is Effect.LOOKS]
REVERSIBLE = [kind for kind in Kind if KINDS[kind].reversible]
NOTICES = [kind for kind in Kind if KINDS[kind].mti == "0220"]


def test_each_kind_has_its_file() -> None:
    """ADR 0027."""
    files = {path.stem for path in Path(terminal_gw.kinds.__file__).parent.iterdir() if path.suffix == ".py"}
    assert set(WIRES) == set(Kind)
    assert files - {"__init__", "wire", "originals"} == {kind.value.replace("-", "_") for kind in Kind}


@pytest.mark.parametrize("kind", Kind)
async def test_a_request_reaches_the_switch_with_all_that_it_says(kind: Kind) -> None:
    line = Line()
    reply = await line.gateway.answer(line.request(kind))
    assert reply.mti == iso8583.reply_mti(KINDS[kind].mti)
    assert line.terminal.trusts(reply)
    asked: AuthorizeRequest = line.switch.last(AuthorizeRequest)
    assert (asked.kind, asked.terminal, asked.batch, asked.stan) == (kind, line.terminal.tid, BATCH, STAN)
    assert asked.amount_minor == (0 if kind in LOOKING else 1234)
    assert asked.card.pan == CARD.pan
    assert asked.original == said_of(kind)
    assert asked.instalment == (PLAN if kind is Kind.INSTALMENT else None)
    assert asked.takes_part == (kind is Kind.SALE)
    assert (asked.target is None) == (kind is not Kind.TRANSFER)
    assert bool(asked.card.pin_block) == (asked.entry_mode[2:] == "1")


@pytest.mark.parametrize("kind", Kind)
async def test_an_answer_says_what_the_bank_has_said_and_is_complete(kind: Kind) -> None:
    line = Line()
    reply = await line.gateway.answer(line.request(kind))
    iso8583.check_profile(reply)
    own = {number: value for number, value in reply.fields.items() if number in (4, 38, 54, 62)}
    wanted: dict[int, Value] = {} if kind in LOOKING else {4: "000000001234", 38: "A1B2C3"}
    if kind is Kind.SALE:
        wanted[4] = "000000001000"
    if kind is Kind.BALANCE:
        wanted[54] = Balances54((Amount54.of("10", iso8583.AVAILABLE, "156", BALANCE.available_minor),)).pack()
    if kind is Kind.INSTALMENT:
        wanted[62] = Terms62(209, "156", 44, 12, "1", 44, 0).pack()
    assert own == wanted
    assert reply.text(2) == CARD.pan.clear()


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("code", ["12", "51"])
async def test_a_decline_says_nothing_of_money(kind: Kind, code: str) -> None:
    line = Line()
    message = line.request(kind)
    line.switch.answers["authorize"] = AuthorizeReply(response_code=code, rrn="000000000008", at_ms=AT_MS)
    reply = await line.gateway.answer(message)
    assert reply.text(39) == code
    assert not {38, 54, 62} & set(reply.fields)
    assert reply.text(4) == message.text(4)


@pytest.mark.parametrize("kind", Kind)
async def test_a_repetition_is_answered_with_the_same_bytes_and_has_the_same_mark(kind: Kind) -> None:
    line = Line()
    body = iso8583.encode(line.request(kind))
    first = await line.gateway.pipeline.receive(body, TCP)
    mark = line.switch.last(AuthorizeRequest).fingerprint
    assert (await line.gateway.pipeline.receive(body, TCP)) == first
    assert first.answer is not None
    assert line.switch.last(AuthorizeRequest).fingerprint == mark


async def test_no_two_kinds_of_the_same_amount_and_card_have_one_mark() -> None:
    """Else one that came under the STAN of another would get that one's answer."""
    marks = {}
    for kind in Kind:
        line = Line()
        await line.gateway.answer(line.request(kind))
        marks[kind] = line.switch.last(AuthorizeRequest).fingerprint
    assert len(set(marks.values())) == len(Kind)


@pytest.mark.parametrize("kind", CLAIMING)
@pytest.mark.parametrize(
    "change",
    [{"stan": "000040"}, {"batch": "000006"}, {"date": "1230"}, {"rrn": "0" * 12, "authorization_code": "0" * 6}],
)
async def test_another_original_is_another_transaction(kind: Kind, change: dict[str, str]) -> None:
    line = Line()
    await line.gateway.answer(line.request(kind))
    first: AuthorizeRequest = line.switch.last(AuthorizeRequest)
    other = msgspec.structs.replace(said_of(kind), **change)
    await line.gateway.answer(line.request(kind, original=other))
    second: AuthorizeRequest = line.switch.last(AuthorizeRequest)
    assert second.original == said_of(kind, other)
    assert first.fingerprint != second.fingerprint


async def test_a_sales_mark_is_the_one_that_journals_hold() -> None:
    line = Line()
    await line.gateway.answer(line.request(Kind.SALE))
    asked: AuthorizeRequest = line.switch.last(AuthorizeRequest)
    assert asked.fingerprint == line.gateway.desk.keyring.cards.fingerprints(1234, CARD.pan, "000000").current


async def test_the_target_of_a_transfer_is_sealed_for_it_and_shown_nowhere() -> None:
    line = Line()
    with structlog.testing.capture_logs() as lines:
        await line.gateway.answer(line.request(Kind.TRANSFER))
    asked: AuthorizeRequest = line.switch.last(AuthorizeRequest)
    assert asked.target is not None
    assert asked.target.pan == TARGET
    assert str(asked.target.masked) == str(TARGET)
    module, (version,) = line.gateway.desk.module, line.gateway.rings.known("data").usable()  # type: ignore[union-attr]
    sealed = sealed_with(f"{line.terminal.tid}:{BATCH}:{STAN}")
    assert module.unseal(version.key, asked.target.masked.sealed, sealed) == TARGET.clear().encode()
    spans = [span.attributes for span in line.gateway.tracer.take()]
    assert TARGET.clear() not in f"{lines}{spans}{asked!r}"


async def test_a_target_that_is_no_card_is_the_switchs_to_refuse() -> None:
    """14 and its intent belong together."""
    line = Line()
    wrong = TARGET.clear()[:-1] + str((int(TARGET.clear()[-1]) + 1) % 10)
    await line.gateway.answer(line.request(Kind.TRANSFER, {62: iso8583.with_target(wrong)}))
    assert line.switch.last(AuthorizeRequest).target.pan.clear() == wrong


@pytest.mark.parametrize("flag", ["", "0", "1"])
async def test_a_sale_says_whether_it_takes_a_part(flag: str) -> None:
    line = Line()
    await line.gateway.answer(line.request(Kind.SALE, {60: f"22{BATCH}00050{flag}"}))
    assert line.switch.last(AuthorizeRequest).takes_part == (flag == "1")


GOODS = {62: b"06" + CARD.pan.clear().encode().ljust(30) + b"11".ljust(30)}
DIGITS = {62: b"06" + b"6291 0100-0000 A 0012".ljust(30) + b"11".ljust(30)}


@pytest.mark.parametrize(
    ("kind", "change", "code", "field"),
    [
        *((kind, {61: None}, "30", "61") for kind in CLAIMING),
        *((kind, {61: "0000070000411"}, "30", "61") for kind in CLAIMING),
        *((kind, {61: f"{BATCH}0000411331"}, "30", "61.3") for kind in CLAIMING),
        *((kind, {61: f"{BATCH}0000410000"}, "30", "61.3") for kind in CLAIMING),
        *((kind, {61: f"{BATCH}{STAN}1231"}, "30", "61") for kind in CLAIMING if CLAIMS[kind].same_batch),
        *((kind, {37: None}, "30", "37") for kind in CLAIMING if CLAIMS[kind].same_batch or kind is Kind.REFUND),
        (Kind.REFUND, {63: None}, "30", "63"),
        (Kind.PRE_AUTH_VOID, {38: None}, "30", "38"),
        *((kind, {4: "000000000000"}, "30", "4") for kind in LOOKING),
        *((kind, {4: None}, "30", "4") for kind in Kind if kind not in LOOKING),
        (Kind.COMPLETION_ADVICE, {22: "021"}, "30", "52"),
        (Kind.OFFLINE_SALE, {2: None, 35: f"{CARD.pan.clear()}D3512101"}, "30", "2"),
        (Kind.OFFLINE_SALE, {35: f"{TARGET.clear()}D3512101"}, "30", "2"),
        (Kind.INSTALMENT, {62: None}, "30", "62"),
        (Kind.INSTALMENT, {62: b"06"}, "30", "62"),
        (Kind.INSTALMENT, GOODS, "30", "62"),
        (Kind.INSTALMENT, DIGITS, "30", "62"),
        (Kind.TRANSFER, {62: None}, "30", "62"),
        (Kind.TRANSFER, {62: b"17" + TARGET.clear().encode()}, "30", "62"),
        (Kind.TRANSFER, {62: TARGET.clear().encode()}, "30", "62"),
        *(
            (kind, {22: "052"} | dict.fromkeys((26, 52, 53)), "30", "55")
            for kind in Kind
            if kind not in CLAIMS and kind is not Kind.OFFLINE_SALE
        ),
        *((kind, {22: "102"} | dict.fromkeys((26, 52, 53)), "40", "22") for kind in Kind),
        *((kind, {25: "99"}, "40", "3") for kind in Kind),
        *((kind, {49: "840"}, "30", "49") for kind in Kind),
    ],
)
async def test_what_is_damaged_or_contradicts_is_refused_by_name_and_asks_nobody(
    kind: Kind, change: dict[int, Value | None], code: str, field: str
) -> None:
    line = Line()
    with structlog.testing.capture_logs() as lines:
        reply = await line.gateway.answer(line.request(kind, change))
    assert reply.text(39) == code
    assert [(row["field"], row["response_code"]) for row in lines] == [(field, code)]
    assert line.switch.asked == []
    assert CARD.pan.clear() not in str(lines)
    assert TARGET.clear() not in str(lines)


@pytest.mark.parametrize("kind", [kind for kind in CLAIMING if not CLAIMS[kind].same_batch])
async def test_another_terminals_original_may_have_this_requests_number(kind: Kind) -> None:
    line = Line()
    reply = await line.gateway.answer(line.request(kind, {61: f"{BATCH}{STAN}1231"}))
    assert reply.text(39) == "00"


@pytest.mark.parametrize("kind", CLAIMING)
async def test_the_long_form_of_field_61_is_read_too(kind: Kind) -> None:
    line = Line()
    message = line.request(kind)
    reply = await line.gateway.answer(line.request(kind, {61: message.text(61) + "0148210000000"}))
    assert reply.text(39) == "00"
    assert line.switch.last(AuthorizeRequest).original == said_of(kind)


KEYED: dict[int, Value | None] = {
    **dict.fromkeys((26, 35, 52, 53)),
    **{22: "012", 2: CARD.pan.clear(), 14: CARD.expiry},
}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(("tid", "code"), [("10000001", ""), ("10000004", "58")])
async def test_a_card_is_keyed_only_where_the_merchant_may(kind: Kind, tid: str, code: str) -> None:
    line = Line(tid)
    with structlog.testing.capture_logs() as lines:
        reply = await line.gateway.answer(line.request(kind, KEYED))
    assert reply.text(39) == (code or approval(kind).response_code)
    assert len(line.switch.asked) == (0 if code else 1)
    assert lines[-1].get("field", "") == ("22" if code else "")


@pytest.mark.parametrize("mode", ["012", "022", "052", "072"])
@pytest.mark.parametrize("expiry", ["3512", None])
@pytest.mark.parametrize("kind", [kind for kind in Kind if KINDS[kind].notice])
async def test_a_notice_needs_the_number_alone(mode: str, expiry: str | None, kind: Kind) -> None:
    line = Line()
    reply = await line.gateway.answer(line.request(kind, {22: mode, 2: CARD.pan.clear(), 14: expiry, 35: None}))
    assert (reply.text(39), reply.text(14)) == ("00", expiry or "")
    asked: AuthorizeRequest = line.switch.last(AuthorizeRequest)
    assert (asked.card.expiry, asked.card.track2, asked.entry_mode) == (expiry or "", None, mode)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in LOOKING])
async def test_what_is_reversed_is_told_by_the_originals_fields(kind: Kind) -> None:
    line = Line()
    with structlog.testing.capture_logs() as lines:
        reply = await line.gateway.answer(line.reversal(kind))
    if kind not in REVERSIBLE:
        assert (reply.text(39), lines[-1]["field"]) == ("40", "3")
        assert line.switch.asked == []
        return
    assert (reply.mti, reply.text(39)) == ("0410", "00")
    asked: ReverseRequest = line.switch.last(ReverseRequest)
    assert (asked.kind, asked.batch, asked.stan, asked.amount_minor) == (kind, BATCH, STAN, 1234)
    assert asked.reason == "98"


@pytest.mark.parametrize("kind", Kind)
async def test_only_what_has_not_happened_yet_is_shed(kind: Kind) -> None:
    line = Line()
    line.gateway.desk.admission.limit = 0
    reply = await line.gateway.answer(line.request(kind))
    assert reply.text(39) == ("00" if kind in NOTICES else rc.SYSTEM_MALFUNCTION)
    assert len(line.switch.asked) == (1 if kind in NOTICES else 0)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("trouble", [NoAnswer("lost"), NotDelivered("starting"), NoRoom("full")])
async def test_silence_is_an_unknown_outcome_or_96_for_every_kind(kind: Kind, trouble: Exception) -> None:
    line = Line()
    line.gateway.desk.switch._answer_timeout_s = 0.02
    message = line.request(kind)
    line.switch.trouble = [trouble] * 1000
    reply = await line.gateway.send(message)
    if isinstance(trouble, NoAnswer):
        assert reply is None
    else:
        assert reply is not None
        assert reply.text(39) == rc.SYSTEM_MALFUNCTION


@pytest.mark.parametrize("kind", Kind)
async def test_a_kind_is_measured_under_its_name(kind: Kind) -> None:
    line = Line()
    with structlog.testing.capture_logs() as lines:
        await line.gateway.answer(line.request(kind))
    (row,) = [row for row in lines if row["event"] == "answered"]
    assert row["kind"] == kind.value
    (root,) = (span for span in line.gateway.tracer.take() if not span.parent_id)
    assert root.attributes["lianji.kind"] == kind.value


async def test_a_status_is_answered_as_an_echo_is() -> None:
    line = Line()
    reply = await line.gateway.answer(line.terminal.management("0820", "362"))
    assert (reply.mti, reply.text(39), reply.text(60), reply.text(12)) == ("0830", "00", f"00{BATCH}362", "235959")
    assert line.switch.asked == []
    assert kind_of(Message("0820", {60: f"00{BATCH}362"})) == "status"


def test_what_cannot_be_told_has_no_name() -> None:
    fields: dict[int, Any] = {3: "000000", 25: "00", 60: "22000001000"}
    assert kind_of(Message("0200", fields)) == "sale"
    for number in fields:
        assert kind_of(Message("0200", {n: v for n, v in fields.items() if n != number})) == "other"
