"""Chip and contactless: field 55, both cryptograms, counters, fallback, and what may come without."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from contracts.kinds import Kind
from iso8583 import FormatError, chip, tlv
from lianji.certify.case import Section
from lianji.certify.cases.keys import wrong_pin
from lianji.certify.cases.making import AMOUNT
from lianji.certify.desk import APPROVED, Desk, Done
from lianji.certify.profile import CardEntry
from lianji.certify.rig import Rig
from lianji.certify.sealed import Fields
from lianji.certify.verdict import Failed, expect, require
from terminal_sim.cards import Inserted

SECTION = Section("chip", "Chip and contactless")
_LARGE = 1_000_01
"""More than a contactless card pays without a PIN."""
_WRONG, _SEEN, _USE_CHIP = "05", "59", "45"
Tags = Mapping[str, bytes | None]


def _inserted(rig: Rig, *, contactless: bool = False) -> AbstractContextManager[Inserted]:
    return rig.read(rig.card("chip"), contactless=contactless)


async def _do(
    rig: Rig,
    read: Inserted,
    kind: Kind = Kind.SALE,
    amount_minor: int = AMOUNT,
    *,
    card: CardEntry | None = None,
    pin: str | None = None,
    tags: Tags | None = None,
    change: Fields | None = None,
) -> Done:
    """A transaction with the chip that is in the reader."""
    more = {"pin": pin, "tags": tags, "change": change, "chip": read}
    return await rig.desk("chip").do(kind, card or rig.card("chip"), amount_minor, **more)


def _last_word(desk: Desk, done: Done, wanted: int) -> None:
    """Failed when the chip ends the transaction otherwise: TC, where it believes its bank, or AAC."""
    if desk.dialogue is None:
        raise Failed("chip: has begun nothing")
    try:
        ended = desk.dialogue.end(done.code, done.answer.data(55)) if 55 in done.answer.fields else None
    except FormatError as error:
        raise Failed(f"55: {error}") from None
    said = "nothing" if ended is None else {chip.TC: "TC", chip.AAC: "AAC"}.get(ended.kind, "?")
    expect("the chip's last word", wanted={chip.TC: "TC", chip.AAC: "AAC"}[wanted], got=said)


@SECTION.case("17")
async def with_pin(rig: Rig) -> None:
    """A chip and the right PIN: approved, and the chip believes the bank's cryptogram (TC)"""
    with _inserted(rig) as read:
        sale = (await _do(rig, read)).must_be(APPROVED)
        _last_word(sale.desk, sale, chip.TC)


@SECTION.case("17")
async def other_version(rig: Rig) -> None:
    """A chip of the other cryptogram version: approved, and the chip believes the bank's cryptogram"""
    card = rig.card("chip_other")
    with rig.read(card) as read:
        sale = (await _do(rig, read, card=card, pin="")).must_be(APPROVED)
        _last_word(sale.desk, sale, chip.TC)


@SECTION.case("17")
async def with_wrong_pin(rig: Rig) -> None:
    """A wrong PIN is answered 55, with the bank's cryptogram all the same, and the chip declines (AAC)"""
    card = rig.card("chip")
    with _inserted(rig) as read:
        refused = (await _do(rig, read, pin=wrong_pin(card.pin))).must_be("55")
        require(55 in refused.answer.fields, "55: the answer has none, though the bank believed the chip")
        _last_word(refused.desk, refused, chip.AAC)
        (await _do(rig, read)).must_be(APPROVED)  # the count of wrong PINs begins anew


@SECTION.case("7, 17")
async def without_pin(rig: Rig) -> None:
    """A chip that is put in without a PIN is answered 55"""
    with _inserted(rig) as read:
        (await _do(rig, read, pin="")).must_be("55")


@SECTION.case("17")
async def contactless_small(rig: Rig) -> None:
    """A small contactless sale needs no PIN"""
    with _inserted(rig, contactless=True) as read:
        sale = (await _do(rig, read, pin="")).must_be(APPROVED)
        _last_word(sale.desk, sale, chip.TC)


@SECTION.case("17")
async def contactless_large(rig: Rig) -> None:
    """A contactless sale above the limit needs a PIN: 55 without, approved with it"""
    with _inserted(rig, contactless=True) as read:
        (await _do(rig, read, amount_minor=_LARGE, pin="")).must_be("55")
        (await _do(rig, read, amount_minor=_LARGE)).must_be(APPROVED)


@SECTION.case("17")
async def number_for_the_track(rig: Rig) -> None:
    """A chip may come with its number in field 2 and no track"""
    number: Fields = {2: rig.card("chip").pan.clear(), 35: None}
    with _inserted(rig) as read:
        (await _do(rig, read, change=number)).must_be(APPROVED)


@SECTION.case("17")
async def sequence_repeated(rig: Rig) -> None:
    """The answer repeats field 23"""
    with _inserted(rig) as read:
        sale = (await _do(rig, read)).must_be(APPROVED)
    expect("23 (sequence)", wanted=sale.sent.message.text(23), got=sale.answer.text(23))


@SECTION.case("17")
async def other_sequence(rig: Rig) -> None:
    """The sequence number of another card (23) is answered 05"""
    with _inserted(rig) as read:
        (await _do(rig, read, change={23: "099"})).must_be(_WRONG)


@SECTION.case("17")
async def balance(rig: Rig) -> None:
    """A balance inquiry by chip: 9F02 is zeros, as there is no field 4"""
    with _inserted(rig) as read:
        (await _do(rig, read, Kind.BALANCE, 0)).must_be(APPROVED)


@SECTION.case("17")
async def pre_authorization(rig: Rig) -> None:
    """A pre-authorization by chip is approved; its void may do without field 55"""
    with _inserted(rig) as read:
        held = (await _do(rig, read, Kind.PRE_AUTH)).must_be(APPROVED)
        (await rig.desk("chip").void(held, chip=read, change={55: None})).must_be(APPROVED)


# What is wrong with a cryptogram


@SECTION.case("17")
async def wrong_cryptogram(rig: Rig) -> None:
    """A wrong cryptogram is answered 05, and no bank's cryptogram comes back"""
    with _inserted(rig) as read:
        refused = (await _do(rig, read, tags={"9F26": bytes(8)})).must_be(_WRONG)
    require(55 not in refused.answer.fields, "55: the bank has answered a chip that it did not believe")


def _covered(tag: str, what: str, value: bytes) -> None:
    async def check(rig: Rig) -> None:
        with _inserted(rig) as read:
            (await _do(rig, read, tags={tag: value})).must_be(_WRONG)

    SECTION.add(
        f"cryptogram-covers-{tag.lower()}", f"Another {what} than in the cryptogram is answered 05", "17", check
    )


_covered("9F37", "unpredictable number", bytes(4))
_covered("9F36", "transaction counter", b"\0\0")
_covered("95", "verification result", b"\x80\0\0\0\0")
_covered("9A", "date", bytes.fromhex("300101"))
_covered("9F1A", "country", bytes.fromhex("0840"))
_covered("9F03", "cashback amount", bytes.fromhex("000000000100"))
_covered("82", "interchange profile", b"\0\0")


@SECTION.case("17")
async def copied(rig: Rig) -> None:
    """The same chip data under another STAN is answered 59: the chip has counted on"""
    with _inserted(rig) as read:
        first = (await _do(rig, read)).must_be(APPROVED)
        copy: Fields = {55: first.sent.message.data(55)}
        (await _do(rig, read, change=copy)).must_be(_SEEN)


@SECTION.case("17")
async def earlier_counter(rig: Rig) -> None:
    """A lower counter than one that has been seen is answered 59"""
    desk, card = rig.desk("chip"), rig.card("chip")
    await desk.ready()
    with _inserted(rig) as read:
        earlier = desk.prepare(Kind.SALE, card, AMOUNT, chip=read)
        (await _do(rig, read)).must_be(APPROVED)
        (await desk.send(earlier, card)).must_be(_SEEN)


@SECTION.case("8, 17")
async def repeated(rig: Rig) -> None:
    """A repetition gets the same answer, with the bank's cryptogram in it"""
    desk = rig.desk("chip")
    with _inserted(rig) as read:
        sale = (await _do(rig, read)).must_be(APPROVED)
        again = await desk.ask(sale.sent)
        expect("55 of the second answer", wanted="as in the first", got=_alike(sale, again.fields.get(55)))
        _last_word(desk, sale, chip.TC)


def _alike(done: Done, field_55: object) -> str:
    return "as in the first" if done.answer.fields.get(55) == field_55 else "another"


# What is wrong with field 55


def _without(tag: str) -> None:
    name = chip.REQUEST[tag].name

    async def check(rig: Rig) -> None:
        with _inserted(rig) as read:
            (await _do(rig, read, tags={tag: None})).must_be("30")

    SECTION.add(f"without-{tag.lower()}", f"55 without {tag}, {name}, is answered 30", "17", check)


for _tag, _row in chip.REQUEST.items():
    if _row.mandatory:
        _without(_tag)


def _card_data(tag: str) -> None:
    async def check(rig: Rig) -> None:
        with _inserted(rig) as read:
            (await _do(rig, read, tags={tag: bytes.fromhex("1122334455")})).must_be("30")

    SECTION.add(f"card-data-{tag.lower()}", f"55 with {tag}, which says whose card it is, is answered 30", "17", check)


for _tag in sorted(chip.CARD_DATA):
    _card_data(_tag)


def _contradicts(name: str, what: str, tag: str, value: str) -> None:
    async def check(rig: Rig) -> None:
        with _inserted(rig) as read:
            (await _do(rig, read, tags={tag: bytes.fromhex(value)})).must_be("30")

    SECTION.add(f"contradicts-{name}", f"Another {what} in {tag} is answered 30", "17", check)


_contradicts("amount", "amount than field 4", "9F02", "000000000001")
_contradicts("currency", "currency than field 49", "5F2A", "0840")
_contradicts("type", "type than field 3", "9C", "20")
_contradicts("kind", "cryptogram than an ARQC", "9F27", "40")


@SECTION.case("17")
async def missing(rig: Rig) -> None:
    """A chip's sale without field 55 is answered 30"""
    with _inserted(rig) as read:
        (await _do(rig, read, change={55: None})).must_be("30")


@SECTION.case("17")
async def without_a_chip(rig: Rig) -> None:
    """Field 55 of a swiped card is answered 30"""
    with _inserted(rig) as read:
        (await _do(rig, read, change={22: "021"})).must_be("30")


def _damaged(name: str, what: str, damage: bytes, cut: int = 0) -> None:
    async def check(rig: Rig) -> None:
        desk = rig.desk("chip")
        await desk.ready()
        with _inserted(rig) as read:
            made = desk.prepare(Kind.SALE, rig.card("chip"), AMOUNT, chip=read)
            data = made.message.data(55)
            (await _do(rig, read, change={55: data[: len(data) - cut] + damage})).must_be("30")

    SECTION.add(f"damaged-{name}", f"55 that {what} is answered 30", "17", check)


_damaged("cut", "is cut short", b"", cut=1)
_damaged("twice", "has a tag twice", tlv.pack({"82": bytes(2)}))
_damaged("padded", "is padded", bytes(2))
_damaged("long-length", "says a length in a longer form than it needs", bytes.fromhex("9F3381031122") + b"\x33")


@SECTION.case("17")
async def unknown_tag(rig: Rig) -> None:
    """A tag that is not in the table is taken, and goes no further"""
    with _inserted(rig) as read:
        (await _do(rig, read, tags={"9F53": b"\x52"})).must_be(APPROVED)


# Around the chip


@SECTION.case("17")
async def swiped_around(rig: Rig) -> None:
    """A swipe of a card with a chip, at a terminal that reads chips, is answered 45"""
    (await rig.desk("chip").do(Kind.SALE, rig.card("chip"), AMOUNT)).must_be(_USE_CHIP)


@SECTION.case("17")
async def swiped_elsewhere(rig: Rig) -> None:
    """A swipe of a card with a chip, at a terminal that reads none, is approved"""
    (await rig.main.do(Kind.SALE, rig.card("chip"), AMOUNT)).must_be(APPROVED)


@SECTION.case("17")
async def stripe_of_the_chip(rig: Rig) -> None:
    """A stripe that was written from what the chip says has another verification value: 59"""
    with _inserted(rig) as read:
        track: Fields = {35: read.track.clear()}
    (await rig.main.do(Kind.SALE, rig.card("chip"), AMOUNT, change=track)).must_be(_SEEN)


@SECTION.case("15, 17")
async def refund_without(rig: Rig) -> None:
    """A refund of a chip's sale may do without field 55: the card says only which it is"""
    with _inserted(rig) as read:
        sale = (await _do(rig, read)).must_be(APPROVED)
        (await rig.desk("chip").about(Kind.REFUND, sale, chip=read, change={55: None})).must_be(APPROVED)


@SECTION.case("9, 17")
async def reversed_by_the_chip(rig: Rig) -> None:
    """An approval that the chip declines is reversed (06), with the results of the bank's orders in 55 (DF31)"""
    with _inserted(rig) as read:
        sale = (await _do(rig, read)).must_be(APPROVED)
    results: Fields = {55: bytes.fromhex("DF310500000000009505") + bytes(5)}
    answer = await rig.desk("chip").reverse(sale, reason="06", change=results)
    expect("39 (response code)", wanted=APPROVED, got=answer.text(39))


# Off line


@SECTION.case("15, 17")
async def offline(rig: Rig) -> None:
    """An offline sale with the chip's certificate (TC) is taken"""
    with _inserted(rig) as read:
        (await _do(rig, read, Kind.OFFLINE_SALE)).must_be(APPROVED)


@SECTION.case("17")
async def offline_by_arqc(rig: Rig) -> None:
    """An offline sale with an ARQC is answered 30"""
    with _inserted(rig) as read:
        (await _do(rig, read, Kind.OFFLINE_SALE, tags={"9F27": b"\x80"})).must_be("30")


@SECTION.case("17")
async def offline_copied(rig: Rig) -> None:
    """The same certificate under another STAN is answered 59"""
    with _inserted(rig) as read:
        first = (await _do(rig, read, Kind.OFFLINE_SALE)).must_be(APPROVED)
        (await _do(rig, read, Kind.OFFLINE_SALE, change={55: first.sent.message.data(55)})).must_be(_SEEN)


@SECTION.case("17")
async def offline_told_late(rig: Rig) -> None:
    """An offline sale may be told behind a later transaction of its chip, once"""
    desk, card = rig.desk("chip"), rig.card("chip")
    await desk.ready()
    with _inserted(rig) as read:
        earlier = desk.prepare(Kind.OFFLINE_SALE, card, AMOUNT, chip=read)
        (await _do(rig, read)).must_be(APPROVED)
        (await desk.send(earlier, card)).must_be(APPROVED)


@SECTION.case("17")
async def offline_wrong(rig: Rig) -> None:
    """An offline sale with a wrong certificate is answered 05"""
    with _inserted(rig) as read:
        (await _do(rig, read, Kind.OFFLINE_SALE, tags={"9F26": bytes(8)})).must_be(_WRONG)
