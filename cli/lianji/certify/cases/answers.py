"""The fields that an approval of each kind has, and what they say."""

from __future__ import annotations

from contracts.kinds import KINDS, Effect, Kind
from iso8583 import FormatError, Institutions44
from lianji.certify.case import Section
from lianji.certify.cases.making import MAKE, in_words
from lianji.certify.desk import Done
from lianji.certify.rig import Rig
from lianji.certify.verdict import Failed, expect, require

SECTION = Section("answer", "Fields of an approval")
_REPEATED = (3, 4, 11, 25, 41, 42, 49, 53)
_GIVEN = (12, 13, 15, 32, 37, 44)
_ORGANISATION = "CUP"
_NO_RRN = "0" * 12


def _is_answered(done: Done) -> None:
    """Beside the mandatory fields, MTI and MAC, which every answer is held to."""
    asked, answer = done.sent.message, done.answer
    for number in _REPEATED:
        if number in asked.fields:
            expect(f"{number}, as it was asked", wanted=asked.text(number), got=answer.text(number))
    expect("60, its first three parts", wanted=asked.text(60)[:11], got=answer.text(60))
    for number in _GIVEN:
        require(number in answer.fields, f"{number}: is missing")
    require(answer.text(2) == done.card.pan.clear(), "2: is not the card's number")
    expect("37, twelve zeros where nothing is recorded", wanted=False, got=answer.text(37) == _NO_RRN)
    expect("63 (card organisation)", wanted=_ORGANISATION, got=answer.text(63)[:3])
    numbered = KINDS[done.transaction.kind].effect is not Effect.LOOKS
    require(not numbered or len(answer.text(38)) == 6, "38: is missing in an approval")
    try:
        Institutions44.parse(answer.text(44))
    except FormatError as error:
        raise Failed(str(error)) from None


def _of(kind: Kind) -> None:
    async def check(rig: Rig) -> None:
        _is_answered(await MAKE[kind](rig))

    title = f"The approval of {in_words(kind)} has the fields of its kind, and repeats the request's"
    SECTION.add(kind.value, title, "8" if kind is Kind.SALE else "8, 15", check)


for _kind in Kind:
    _of(_kind)


@SECTION.case("9")
async def reversal(rig: Rig) -> None:
    """The answer to a reversal has the fields of its kind, and repeats the request's"""
    sale = await MAKE[Kind.SALE](rig)
    reversal = sale.desk.reversal(sale.sent)
    answer = await sale.desk.ask(reversal)
    expect("39 (response code)", wanted="00", got=answer.text(39))
    sale.over = True
    for number in _REPEATED:
        if number in reversal.message.fields:
            expect(f"{number}, as it was asked", wanted=reversal.message.text(number), got=answer.text(number))
    expect("37, the original's", wanted=sale.answer.text(37), got=answer.text(37))


@SECTION.case("8")
async def counted_up(rig: Rig) -> None:
    """Each transaction has a reference number of its own"""
    first, second = await MAKE[Kind.SALE](rig), await MAKE[Kind.SALE](rig)
    require(first.answer.text(37) != second.answer.text(37), "37: two transactions have the same one")
