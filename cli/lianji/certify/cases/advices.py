"""Offline sales, and what all notices (0220) have alike."""

from __future__ import annotations

from contracts.kinds import Kind
from lianji.certify.case import Section
from lianji.certify.cases import making
from lianji.certify.cases.making import AMOUNT, in_words
from lianji.certify.desk import APPROVED
from lianji.certify.rig import Rig
from lianji.certify.verdict import expect

SECTION = Section("advice", "Offline sale and other notices")
_ADVICES = (Kind.REFUND, Kind.COMPLETION_ADVICE, Kind.OFFLINE_SALE)


def _entered(how: str, what: str, entry_mode: str) -> None:
    async def check(rig: Rig) -> None:
        change = {22: entry_mode}
        (await rig.main.do(Kind.OFFLINE_SALE, rig.debit, AMOUNT, change=change)).must_be(APPROVED)

    SECTION.add(f"offline-sale-{how}", f"An offline sale of {what} is taken, without a track", "15", check)


_entered("keyed", "a card that was keyed", "012")
_entered("chip", "a chip that was read", "052")
_entered("contactless", "a contactless card", "072")


@SECTION.case("15")
async def offline_sale_of_more_than_there_is(rig: Rig) -> None:
    """An offline sale is booked whatever the account holds"""
    poor = rig.card("poor")
    (await rig.main.do(Kind.OFFLINE_SALE, poor, poor.holds_minor + 100_00)).must_be(APPROVED)


@SECTION.case("15")
async def offline_sale_without_number(rig: Rig) -> None:
    """An offline sale without field 2 is answered 30"""
    change = {2: None, 14: None, 22: "022", 35: rig.debit.track.clear()}
    (await rig.main.do(Kind.OFFLINE_SALE, rig.debit, AMOUNT, change=change)).must_be("30")


@SECTION.case("15")
async def offline_sale_with_track(rig: Rig) -> None:
    """An offline sale may bring the track beside the number, if it is that card's"""
    change = {22: "022", 35: rig.debit.track.clear()}
    (await rig.main.do(Kind.OFFLINE_SALE, rig.debit, AMOUNT, change=change)).must_be(APPROVED)
    (await rig.main.do(Kind.OFFLINE_SALE, rig.debit, AMOUNT, change={**change, 2: rig.credit.pan.clear()})).must_be(
        "30"
    )


@SECTION.case("12, 15")
async def offline_sale_with_pin(rig: Rig) -> None:
    """An offline sale with a PIN block is answered 30"""
    (await rig.main.do(Kind.OFFLINE_SALE, rig.debit, AMOUNT, pin=rig.debit.pin)).must_be("30")


@SECTION.case("15")
async def completion_of_more_than_there_is(rig: Rig) -> None:
    """A completion as a notice is booked whatever the account holds; as a request it is answered 51"""
    poor = rig.card("poor")
    held = (await rig.main.do(Kind.PRE_AUTH, poor, poor.holds_minor)).must_be(APPROVED)
    (await rig.main.about(Kind.COMPLETION, held, poor.holds_minor + 1)).must_be("51")
    (await rig.main.about(Kind.COMPLETION_ADVICE, held, poor.holds_minor + 1)).must_be(APPROVED)


def _never_reversed(kind: Kind) -> None:
    async def check(rig: Rig) -> None:
        done = await making.MAKE[kind](rig)
        answer, _ = await rig.main.raw(rig.main.reversal(done.sent))
        expect("39 (response code)", wanted="40", got=answer.text(39))

    SECTION.add(f"{kind.value}-not-reversed", f"The reversal of {in_words(kind)} is answered 40", "12, 15", check)


def _sent_again(kind: Kind) -> None:
    async def check(rig: Rig) -> None:
        done = await making.MAKE[kind](rig)
        again = await done.desk.send(done.sent, done.card)
        expect("39 (response code) of the repetition", wanted=done.code, got=again.code)
        expect("37 of the repetition", wanted=done.answer.text(37), got=again.answer.text(37))

    title = f"{in_words(kind).capitalize()} that is sent again is answered as it was, and booked once"
    SECTION.add(f"{kind.value}-sent-again", title, "8, 15", check)


for _kind in _ADVICES:
    _never_reversed(_kind)
    _sent_again(_kind)
