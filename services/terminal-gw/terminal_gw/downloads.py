"""0800 downloads: parameters, CA public keys, IC parameters, each by request, pages and end (docs/terminal-protocol.md)."""

from __future__ import annotations

from typing import NamedTuple

from contracts import response_codes as rc
from iso8583 import FormatError, Value, page_of, parse_index, sized
from terminal_gw.answers import Answer, Refusal, repeated
from terminal_gw.domain.host_time import host_time
from terminal_gw.requests import Desk, Exchange
from world import Download, Merchant, Offer

ENDS = {"361": Download.PARAMETERS, "371": Download.CA_KEYS, "381": Download.IC_PARAMETERS}
"""60.3 of an end message → what it ends."""


class _Asked(NamedTuple):
    merchant: Merchant
    offer: Offer


async def page(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """360, 370, 380: the records from the index on that field 62 says; none: from the first. 12: the version has changed, begin again."""
    kind, message, tid = Download(exchange.sixty.network_code), exchange.message, exchange.terminal.tid
    asked = _asked(desk, exchange, kind)
    try:
        index = parse_index(message.data(62)) if 62 in message.fields else 0
        content = page_of([sized(record) for record in asked.offer.records], index)
    except FormatError as error:
        return Refusal.of(error)
    if index == 0:
        await desk.downloads.begin(tid, kind, asked.offer.version)
    elif not await desk.downloads.is_offered(tid, kind, asked.offer.version):
        return Refusal(rc.INVALID_RELATED_TRANSACTION, "62", "goes on with a version that is not the present one")
    return Answer({**_fields(desk, exchange), 62: content}, code=rc.APPROVED)


async def end(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """361, 371, 381: the terminal has everything. Field 62 of the answer is its version, 4 digits. 12: of another version, begin again."""
    kind = ENDS[exchange.sixty.network_code]
    asked = _asked(desk, exchange, kind)
    if not await desk.downloads.confirm(exchange.terminal, asked.merchant, kind, asked.offer.version):
        return Refusal(
            rc.INVALID_RELATED_TRANSACTION, "60.3", "ends a download that has not begun, or of an older version"
        )
    return Answer({**_fields(desk, exchange), 62: b"%04d" % asked.offer.version}, code=rc.APPROVED)


def _asked(desk: Desk, exchange: Exchange, kind: Download) -> _Asked:
    merchant = desk.world.merchant(exchange.terminal.merchant)
    assert merchant is not None  # noqa: S101 - a terminal of the world has a merchant of the world
    return _Asked(merchant, desk.downloads.offer(exchange.terminal, merchant, kind))


def _fields(desk: Desk, exchange: Exchange) -> dict[int, Value]:
    moment, fields = host_time(desk.now_ms()), repeated(exchange.message)
    fields[12], fields[13], fields[39] = moment.time, moment.date, rc.APPROVED
    return fields
