"""Downloads: parameters, CA public keys, IC parameters and the stop list, page by page; and whether one card is on that."""

from __future__ import annotations

from iso8583 import FormatError, Message, parse_page, parse_stop
from lianji.certify.case import Section
from lianji.certify.desk import APPROVED, Desk
from lianji.certify.profile import CardEntry
from lianji.certify.rig import Rig
from lianji.certify.sealed import plain
from lianji.certify.verdict import Failed, expect, require
from terminal_sim.download import CA_KEYS, IC_PARAMETERS, PARAMETERS, SPLITS, end_of
from terminal_sim.stopped import STOP_LIST

SECTION = Section("download", "Downloads and the stop list")
_WHAT = {PARAMETERS: "parameters", CA_KEYS: "CA public keys", IC_PARAMETERS: "IC parameters", STOP_LIST: "stop list"}
_MOST_PAGES = 1000
_BEHIND = 999


async def _ask(desk: Desk, code: str, index: bytes = b"") -> Message:
    message = desk.messages.download(stan=desk.next_stan(), batch=desk.batch, code=code, index=index)
    return await desk.ask(plain(message))


async def _records(desk: Desk, code: str) -> list[bytes]:
    """All pages; Failed when one cannot be read."""
    records: list[bytes] = []
    for _ in range(_MOST_PAGES):
        answer = await _ask(desk, code, b"%03d" % len(records))
        expect("39 (response code) of a page", wanted=APPROVED, got=answer.text(39))
        try:
            page = parse_page(answer.data(62))
            records += SPLITS[code](page)
        except FormatError as error:
            raise Failed(str(error)) from None
        if page.last:
            return records
    raise Failed(f"62: {_MOST_PAGES} pages, and none of them is the last")


def _of(code: str, what: str) -> None:
    name = what.lower().replace(" ", "-")

    async def whole(rig: Rig) -> None:
        desk = rig.desk("batch")
        await desk.ready()
        require(bool(await _records(desk, code)), "62: there is no record")
        answer = await _ask(desk, end_of(code))
        expect("39 (response code) of the end", wanted=APPROVED, got=answer.text(39))
        version = answer.data(62)
        digits = 4 <= len(version) <= (8 if code == STOP_LIST else 4)
        require(digits and version.isdigit() and int(version) > 0, "62: is not a version of so many digits")

    async def again(rig: Rig) -> None:
        desk = rig.desk("batch")
        await desk.ready()
        first, second = await _records(desk, code), await _records(desk, code)
        require(first == second, "62: the same version has other records")

    SECTION.add(name, f"Download of {what}: it comes in pages, and its end is answered with its version", "16", whole)
    SECTION.add(f"{name}-again", f"Download of {what}: it may be asked for as often as one likes", "16", again)


for _code, _what in _WHAT.items():
    _of(_code, _what)


@SECTION.case("16")
async def from_the_beginning(rig: Rig) -> None:
    """A request without an index is for the first page"""
    desk = rig.desk("batch")
    await desk.ready()
    first, same = await _ask(desk, PARAMETERS, b"000"), await _ask(desk, PARAMETERS)
    require(first.data(62) == same.data(62), "62: is another page than that of index 000")


@SECTION.case("16")
async def index_behind_the_last(rig: Rig) -> None:
    """An index behind the last record is answered 30"""
    desk = rig.desk("batch")
    await desk.ready()
    await _records(desk, PARAMETERS)
    answer = await _ask(desk, PARAMETERS, b"%03d" % _BEHIND)
    expect("39 (response code)", wanted="30", got=answer.text(39))


@SECTION.case("16")
async def index_not_digits(rig: Rig) -> None:
    """An index that is not 3 digits is answered 30"""
    desk = rig.desk("batch")
    await desk.ready()
    answer = await _ask(desk, PARAMETERS, b"1")
    expect("39 (response code)", wanted="30", got=answer.text(39))


@SECTION.case("16")
async def nothing_is_pushed_afterwards(rig: Rig) -> None:
    """When everything pushed was downloaded to its end, no answer pushes it any more"""
    desk = rig.desk("batch")
    await desk.ready()
    for code in _WHAT:
        await _records(desk, code)
        await _ask(desk, end_of(code))
    answer = await desk.sign_on()
    require(answer.header.processing not in ("1", "4", "5", "7"), "header: a download that was confirmed is pushed")


@SECTION.case("16")
async def stop_list_names_a_stopped_card(rig: Rig) -> None:
    """A card that is stopped is on the list, by its number or how that begins"""
    number, desk = rig.card("stopped").pan.clear(), rig.desk("batch")
    await desk.ready()
    stops = [parse_stop(record) for record in await _records(desk, STOP_LIST)]
    require(
        any(stop.digits and number.startswith(stop.digits) for stop in stops), "62: no record is of the stopped card"
    )


async def _query(rig: Rig, card: CardEntry) -> str:
    """What the host says of one card."""
    desk = rig.desk("batch")
    await desk.ready()
    message = desk.messages.stop_check(stan=desk.next_stan(), batch=desk.batch, pan=card.pan)
    return (await desk.ask(plain(message))).text(39)


@SECTION.case("16")
async def query_of_a_stopped_card(rig: Rig) -> None:
    """The query of a card that is stopped is answered as a sale to it would be"""
    stopped = rig.card("stopped")
    expect("39 (response code)", wanted=stopped.expect, got=await _query(rig, stopped))


@SECTION.case("16")
async def query_of_a_good_card(rig: Rig) -> None:
    """The query of a card that is not on the list is answered 00"""
    expect("39 (response code)", wanted=APPROVED, got=await _query(rig, rig.debit))
