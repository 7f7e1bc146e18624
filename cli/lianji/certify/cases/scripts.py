"""What a chip has made of its bank's orders: the notice (0620), its repetition, and what is wrong with one."""

from __future__ import annotations

from contracts.kinds import Kind
from iso8583 import Message, Original61, chip, parse_request, tlv
from lianji.certify.case import Section
from lianji.certify.cases.making import AMOUNT
from lianji.certify.desk import APPROVED, Done
from lianji.certify.rig import Rig
from lianji.certify.sealed import Sealed, refused_bare
from lianji.certify.verdict import Failed, expect

SECTION = Section("scripts", "What chips make of their banks' orders")
_NOT_FOUND, _FORMAT, _WRONG_MAC = "25", "30", "A0"


async def _sold(rig: Rig) -> Done:
    """A sale in which a chip has taken part."""
    card = rig.card("chip")
    with rig.read(card) as read:
        return (await rig.desk("chip").do(Kind.SALE, card, AMOUNT, chip=read)).must_be(APPROVED)


async def _notice(of: Done, *, original: str = "", without: str = "") -> Sealed:
    """About a transaction, whose orders were done. `original`: field 61, where it is another's; `without`: a tag that is missing."""
    desk = of.desk
    await desk.ready()
    if desk.session is None:
        raise Failed("not signed on")
    begun = parse_request(bytes.fromhex(of.transaction.chip))
    said = {
        chip.SCRIPT_RESULTS: chip.script_results(1, 1),
        chip.COUNTER: begun[chip.COUNTER],
        chip.RESULTS: begun[chip.RESULTS],
    }
    data = tlv.pack({tag: value for tag, value in said.items() if tag != without})
    named = original or Original61(of.transaction.batch, of.transaction.stan, of.answer.text(13)).pack()
    message = desk.messages.script_results(
        of.transaction, stan=desk.next_stan(), batch=desk.batch, data=data, original=named
    )
    message.fields.update(desk.protection("", None))
    return Sealed(*desk.sealed(desk.session, message))


async def _told(of: Done, *, original: str = "", without: str = "") -> Message:
    return await of.desk.ask(await _notice(of, original=original, without=without))


def _expect(answer: Message, wanted: str) -> None:
    expect("39 (response code)", wanted=wanted, got=answer.text(39))


@SECTION.case("17")
async def told(rig: Rig) -> None:
    """What a chip has made of its bank's orders is taken: 0630 with 00"""
    _expect(await _told(await _sold(rig)), APPROVED)


@SECTION.case("17")
async def told_again(rig: Rig) -> None:
    """Told once more, under another STAN: 00 again"""
    sale = await _sold(rig)
    _expect(await _told(sale), APPROVED)
    _expect(await _told(sale), APPROVED)


@SECTION.case("17")
async def told_of_nothing(rig: Rig) -> None:
    """Of a transaction that nobody knows it is answered 25"""
    sale = await _sold(rig)
    _expect(await _told(sale, original=f"{sale.transaction.batch}9999990131"), _NOT_FOUND)


@SECTION.case("17")
async def told_without_results(rig: Rig) -> None:
    """Without tag DF31 it is answered 30"""
    _expect(await _told(await _sold(rig), without=chip.SCRIPT_RESULTS), _FORMAT)


@SECTION.case("17")
async def told_without_counter(rig: Rig) -> None:
    """Without the chip's counter (9F36) it is answered 30"""
    _expect(await _told(await _sold(rig), without=chip.COUNTER), _FORMAT)


@SECTION.case("12, 17")
async def told_with_a_wrong_mac(rig: Rig) -> None:
    """With a wrong MAC it is answered A0"""
    sale = await _sold(rig)
    notice = await _notice(sale)
    answer, _ = await sale.desk.raw(notice._replace(body=notice.body[:-1] + bytes([notice.body[-1] ^ 1])))
    refused_bare(answer, _WRONG_MAC)
