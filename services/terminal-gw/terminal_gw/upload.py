"""0320: the details of a batch. Of each the switch is told STAN, amount and kind of card; the card numbers of field 48 go no further than here."""

from __future__ import annotations

from contracts import response_codes as rc
from contracts.authorization import Cryptogram, UploadedDetail, UploadReply, UploadRequest
from contracts.codec import decoder
from iso8583 import FormatError, Signed, parse_count, parse_details, parse_signed
from terminal_gw.answers import Answer, Refusal, repeated
from terminal_gw.domain.host_time import host_time
from terminal_gw.requests import Desk, Exchange, from_silence
from terminal_gw.switch import Silence

_replies = decoder(UploadReply)


async def details(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """201: up to 8 transactions."""
    try:
        told = _details(exchange)
    except FormatError as error:
        return Refusal.of(error)
    return await _ask(desk, exchange, details=told)


async def chip_details(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """203: one transaction, with what its chip has signed."""
    try:
        told, signed = _details(exchange), parse_signed(exchange.message.data(55))
    except FormatError as error:
        return Refusal.of(error)
    if len(told) != 1:
        return Refusal(rc.FORMAT_ERROR, "48", "has more than the one detail that field 55 is of")
    return await _ask(desk, exchange, details=told, cryptogram=_cryptogram(signed))


async def end(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """202 of a batch that did not balance, 207 of one that did: how many details there were. 00: the batch is closed."""
    try:
        count = parse_count(exchange.message.text(48))
    except FormatError as error:
        return Refusal.of(error)
    return await _ask(desk, exchange, count=count)


def _details(exchange: Exchange) -> tuple[UploadedDetail, ...]:
    return tuple(
        UploadedDetail(stan=detail.stan, amount_minor=detail.amount_minor, foreign=detail.foreign)
        for detail in parse_details(exchange.message.text(48))
    )


def _cryptogram(signed: Signed) -> Cryptogram:
    return Cryptogram(
        cryptogram=signed.cryptogram.hex().upper(),
        information=signed.information.hex().upper(),
        counter=signed.counter.hex().upper(),
    )


async def _ask(
    desk: Desk,
    exchange: Exchange,
    *,
    details: tuple[UploadedDetail, ...] = (),
    cryptogram: Cryptogram | None = None,
    count: int | None = None,
) -> Answer | Refusal | None:
    terminal = exchange.terminal
    request = UploadRequest(
        terminal=terminal.tid,
        merchant=terminal.merchant,
        batch=exchange.sixty.batch,
        stan=exchange.message.text(11),
        details=details,
        cryptogram=cryptogram,
        count=count,
    )
    reply = await desk.switch.ask("upload", terminal.merchant, request, _replies, exchange.span)
    if isinstance(reply, Silence):
        return from_silence(reply)
    moment, fields = host_time(reply.at_ms), repeated(exchange.message)
    fields[12], fields[13], fields[39] = moment.time, moment.date, reply.response_code
    fields[32] = desk.world.acquirer
    if reply.rrn:
        fields[37] = reply.rrn
    return Answer(fields, rrn=reply.rrn, code=reply.response_code)
