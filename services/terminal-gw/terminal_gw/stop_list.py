"""0800 with 390 and 391, 0820 with 393: the stop list page by page, its end, and whether one card is on it (docs/terminal-protocol.md).

A list belongs to a shard, and so to all terminals of a merchant. The world's own entries come first. Numbers are opened here for the message
that carries them, and are kept by nobody on the way.
"""

from __future__ import annotations

from contracts import response_codes as rc
from contracts.codec import decoder
from contracts.pan import Pan, luhn_valid
from contracts.stop_list import (
    DIGITS,
    MOST_LINES,
    StopCheckReply,
    StopCheckRequest,
    StopLine,
    StopListPage,
    StopListQuestion,
)
from iso8583 import FormatError, StopRecord, Value, page_from, parse_index
from iso8583.paging import MOST
from runtime import logs
from security_module import SealedDataError
from terminal_gw.answers import Answer, Refusal, repeated
from terminal_gw.domain.host_time import host_time
from terminal_gw.requests import Desk, Exchange, from_silence
from terminal_gw.switch import Silence

log = logs.get("stop-list")

PAGE, END, CHECK = "390", "391", "393"
"""60.3."""
_UNREADABLE = StopRecord("", "0")
_PREFIX_DIGITS = 10
"""Of a card number that is looked up: how much of it goes to the switch in clear."""

_pages = decoder(StopListPage)
_checks = decoder(StopCheckReply)


async def page(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """390: the records from the index on that field 62 says. 12: the list has changed since the first page, begin again."""
    message, tid = exchange.message, exchange.terminal.tid
    try:
        index = parse_index(message.data(62)) if 62 in message.fields else 0
    except FormatError as error:
        return Refusal.of(error)
    base = [StopRecord(e.prefix_or_pan.clear(), DIGITS[e.reason]).pack() for e in desk.world.stop_list]
    found = await _ask(desk, exchange, first=max(index - len(base), 0), most=MOST_LINES)
    if isinstance(found, Silence):
        return from_silence(found)
    skipped = max(len(base) + found.size - MOST, 0)
    if skipped and not isinstance(found, Silence):
        # An index has three digits: of a longer list terminals have the newest, and the switch knows the others.
        found = await _ask(desk, exchange, first=max(index - len(base), 0) + skipped, most=MOST_LINES)
        if isinstance(found, Silence):
            return from_silence(found)
    size = len(base) + found.size - skipped
    if index > size:
        return Refusal(rc.FORMAT_ERROR, "62", "is behind the last record")
    if index == 0:
        await desk.stops.begin(tid, found.version)
    elif not await desk.stops.is_offered(tid, found.version):
        return Refusal(rc.INVALID_RELATED_TRANSACTION, "62", "goes on with a version that is not the present one")
    records = [*base[index:], *(_record(desk, line) for line in found.lines)]
    content = page_from(records, last=index + len(records) >= size)
    return Answer({**_fields(desk, exchange, rc.APPROVED), 62: content}, code=rc.APPROVED)


async def end(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """391: the terminal has everything. Field 62 of the answer is its version, 4 digits and more. 12: of another version, begin again."""
    found = await _ask(desk, exchange, first=0, most=0)
    if isinstance(found, Silence):
        return from_silence(found)
    if not await desk.stops.confirm(exchange.terminal.tid, found.version):
        return Refusal(
            rc.INVALID_RELATED_TRANSACTION, "60.3", "ends a download that has not begun, or of an older version"
        )
    return Answer({**_fields(desk, exchange, rc.APPROVED), 62: b"%04d" % found.version}, code=rc.APPROVED)


async def check(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """393: 39 is 00 for the card of field 2 when it is not on the list, else the code that using it would be answered."""
    message = exchange.message
    pan = Pan(message.text(2))
    if not luhn_valid(pan.clear()) or len(pan.clear()) <= _PREFIX_DIGITS:
        return Refusal(rc.INVALID_CARD_NUMBER, "2", "is no card number")
    question = StopCheckRequest(
        terminal=exchange.terminal.tid,
        merchant=exchange.terminal.merchant,
        digests=desk.keyring.cards.digests(pan),
        prefix=pan.clear()[:_PREFIX_DIGITS],
    )
    reply = await desk.switch.ask("stop-check", exchange.terminal.merchant, question, _checks, exchange.span)
    if isinstance(reply, Silence):
        return from_silence(reply)
    code = reply.response_code
    if code == rc.APPROVED:
        code = desk.world.stop_reason(pan) or code
    return Answer(_fields(desk, exchange, code), code=code)


async def _ask(desk: Desk, exchange: Exchange, *, first: int, most: int) -> StopListPage | Silence:
    question = StopListQuestion(first=first, most=most)
    return await desk.switch.ask("stop-list", exchange.terminal.merchant, question, _pages, exchange.span)


def _record(desk: Desk, line: StopLine) -> bytes:
    if line.card is None:
        return StopRecord(line.prefix, DIGITS[line.reason]).pack()
    try:
        pan = desk.keyring.cards.opened(line.card, line.institution, line.entry)
    except SealedDataError as error:
        # Its bank tells it again within the hour, and it is sealed anew; until then the switch alone refuses it.
        log.error("a stopped card cannot be opened", institution=line.institution, entry=line.entry, reason=str(error))
        return _UNREADABLE.pack()
    return StopRecord(pan.clear(), DIGITS[line.reason]).pack()


def _fields(desk: Desk, exchange: Exchange, code: str) -> dict[int, Value]:
    moment, fields = host_time(desk.now_ms()), repeated(exchange.message)
    fields[12], fields[13], fields[39] = moment.time, moment.date, code
    return fields
