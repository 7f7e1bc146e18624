"""Field 55 at the gateway: what goes on to the bank, what is kept, what comes back, and what is refused by its tag."""

from __future__ import annotations

import pytest
import structlog

import world
from contracts.authorization import AuthorizeReply, AuthorizeRequest, ReverseRequest
from contracts.codec import encode, encode_stored
from contracts.kinds import CLAIMS, KINDS, Effect, Kind
from iso8583 import Answer55, Message, Value, chip, parse_request, tlv
from tests.support_chip import card_named, chip_of, dialogue
from tests.support_kinds import BATCH, STAN, Line
from tests.unit.test_gateway_pipeline import AT_MS, CARD

ANEW = [kind for kind in Kind if kind not in CLAIMS]
WORD = Answer55(b"12345678" + b"00").pack()


def inserted(line: Line, kind: Kind, change: dict[int, Value | None] | None = None, **tags: bytes | None) -> Message:
    """A request of a card that was put in; `tags`: t9F02 and so on, None for one that is missing."""
    alone = kind is Kind.OFFLINE_SALE
    amount = 0 if KINDS[kind].effect is Effect.LOOKS else 1234
    begun = dialogue(chip_of("debit-1"), kind=kind, amount_minor=amount, alone=alone).tags
    objects = {tag: begun[tag] for tag in chip.REQUEST if tag in begun}
    objects |= {tag[1:]: value for tag, value in tags.items() if value is not None}
    for tag in (tag[1:] for tag, value in tags.items() if value is None):
        del objects[tag]
    message = line.request(kind)
    how = "05" + message.text(22)[2:]
    sixty = message.text(60)[:11] + "50" + message.text(60)[13:]
    track: dict[int, Value | None] = {} if alone else {35: world.track2_equivalent(CARD).clear()}
    return line.request(kind, {22: how, 23: "001", 55: tlv.pack(objects), 60: sixty} | track | (change or {}))


@pytest.mark.parametrize("kind", ANEW)
async def test_what_the_chip_says_goes_on_and_what_the_bank_says_comes_back(kind: Kind) -> None:
    line = Line()
    answer = line.switch.answers["authorize"]
    assert isinstance(answer, AuthorizeReply)
    message = inserted(line, kind)
    line.switch.answers["authorize"] = AuthorizeReply(response_code="51", rrn="000000000008", at_ms=AT_MS, chip=WORD)
    reply = await line.gateway.answer(message)
    asked: AuthorizeRequest = line.switch.last(AuthorizeRequest)
    assert asked.card.chip == message.data(55)
    assert (asked.card.sequence, asked.chip_reader) == ("001", True)
    tags = parse_request(message.data(55))
    assert asked.chip is not None
    kept = asked.chip
    assert (kept.application, kept.cryptogram, kept.results, kept.counter) == tuple(
        tags[tag].hex().upper() for tag in ("84", "9F26", "95", "9F36")
    )
    assert kept.offline == (kind is Kind.OFFLINE_SALE)
    assert (reply.text(39), reply.data(55), reply.text(23)) == ("51", WORD, "001")


async def test_another_cryptogram_is_another_transaction() -> None:
    line = Line()
    marks = []
    for results in (bytes(5), b"\0\0\4\0\0"):
        await line.gateway.answer(inserted(line, Kind.SALE, t95=results, t9F26=results + bytes(3)))
        marks.append(line.switch.last(AuthorizeRequest).fingerprint)
    assert marks[0] != marks[1]


@pytest.mark.parametrize(
    ("kind", "tags", "tag"),
    [
        (Kind.SALE, {"t9F02": bytes.fromhex("000000001235")}, "9F02"),
        (Kind.BALANCE, {"t9F02": bytes.fromhex("000000001234")}, "9F02"),
        (Kind.SALE, {"t5F2A": bytes.fromhex("0840")}, "5F2A"),
        (Kind.SALE, {"t9C": b"\x20"}, "9C"),
        (Kind.SALE, {"t9F27": b"\x40"}, "9F27"),
        (Kind.SALE, {"t9F27": b"\x00"}, "9F27"),
        (Kind.OFFLINE_SALE, {"t9F27": b"\x80"}, "9F27"),
        (Kind.SALE, {"t9F36": None}, "9F36"),
        (Kind.SALE, {"t9F26": bytes(7)}, "9F26"),
        (Kind.SALE, {"t5A": bytes.fromhex("6291010000000012")}, "5A"),
    ],
)
async def test_a_damaged_field_is_refused_by_the_tags_name_and_nobody_is_asked(
    kind: Kind, tags: dict[str, bytes | None], tag: str
) -> None:
    line = Line()
    with structlog.testing.capture_logs() as lines:
        reply = await line.gateway.answer(inserted(line, kind, **tags))
    assert reply.text(39) == "30"
    assert [(row["field"], row["response_code"]) for row in lines] == [(f"55.{tag}", "30")]
    assert line.switch.asked == []
    assert CARD.pan.clear() not in str(lines)


async def test_a_chips_data_has_no_place_beside_a_swipe() -> None:
    line = Line()
    with structlog.testing.capture_logs() as lines:
        reply = await line.gateway.answer(line.request(Kind.SALE, {55: inserted(line, Kind.SALE).data(55)}))
    assert reply.text(39) == "30"
    assert [row["field"] for row in lines] == ["55"]


@pytest.mark.parametrize("kind", [Kind.VOID, Kind.REFUND, Kind.COMPLETION])
async def test_a_chip_may_be_read_only_to_say_which_card_it_is(kind: Kind) -> None:
    line = Line()
    message = inserted(line, kind, {55: None, 23: None})
    reply = await line.gateway.answer(message)
    assert reply.text(39) == "00"
    assert (line.switch.last(AuthorizeRequest).card.chip, line.switch.last(AuthorizeRequest).chip) == (b"", None)


@pytest.mark.parametrize(("reader", "reads"), [("0", False), ("2", False), ("5", True), ("6", True)])
async def test_the_bank_is_told_that_a_swipe_was_made_where_chips_are_read(reader: str, reads: bool) -> None:
    line = Line()
    await line.gateway.answer(line.request(Kind.SALE, {60: f"22{BATCH}000{reader}0"}))
    assert line.switch.last(AuthorizeRequest).chip_reader == reads


@pytest.mark.parametrize("data", [b"\x9f", bytes.fromhex("5A086291010000000012"), tlv.element("DF31", bytes(5))])
async def test_a_reversal_is_taken_whatever_its_chip_data_is(data: bytes) -> None:
    line = Line()
    message = line.reversal(Kind.SALE)
    message.fields = dict(sorted({**message.fields, 22: "051", 23: "001", 55: data}.items()))
    await line.gateway.answer(line.terminal.sale(_all(message), mti="0400"))
    assert line.switch.last(ReverseRequest).stan == STAN


def _all(message: Message) -> dict[int, Value | None]:
    """The message's fields and no others of a sale."""
    return {**dict.fromkeys((26, 35, 52, 53)), **message.fields}


async def test_what_the_chip_says_cannot_be_stored() -> None:
    line = Line()
    await line.gateway.answer(inserted(line, Kind.SALE))
    asked: AuthorizeRequest = line.switch.last(AuthorizeRequest)
    assert encode(asked)
    with pytest.raises(TypeError):
        encode_stored(asked.card)
    assert card_named("debit-1").pan.clear() not in encode_stored(asked.chip).decode()
