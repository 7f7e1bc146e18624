"""0500: batch settlement. The answer's word is the result digit of field 48; it has no field 39."""

from __future__ import annotations

import msgspec

from contracts import response_codes as rc
from contracts.authorization import SETTLE_ERROR, SettleReply, SettleRequest, Totals
from contracts.bounds import fit_field_48
from contracts.codec import decoder
from iso8583 import FormatError, Totals48
from terminal_gw.answers import Answer, Refusal, repeated
from terminal_gw.domain.host_time import host_time
from terminal_gw.requests import Desk, Exchange
from terminal_gw.switch import Silence

_BALANCED = "1"
_replies = decoder(SettleReply)
_TOO_MUCH = Refusal(rc.OVER_COUNT_LIMIT, "48", "holds less than the host counts in this batch")


async def settle(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """The terminal's totals against the host's. Without the switch's word there is none for the terminal: its line is closed, it asks again."""
    message, terminal = exchange.message, exchange.terminal
    try:
        totals = Totals48.parse(message.text(48))
    except FormatError as error:
        return Refusal.of(error)
    if any(totals[5:9]):
        return Refusal(rc.FORMAT_ERROR, "48", "has totals of foreign cards, and no foreign card is taken here")
    request = SettleRequest(
        terminal=terminal.tid,
        merchant=terminal.merchant,
        batch=exchange.sixty.batch,
        stan=message.text(11),
        operator=message.text(63)[:3].strip(),
        currency=message.text(49),
        totals=Totals(
            debit_minor=totals.debit_minor,
            debit_count=totals.debit_count,
            credit_minor=totals.credit_minor,
            credit_count=totals.credit_count,
        ),
    )
    reply = await desk.switch.ask("settle", terminal.merchant, request, _replies, exchange.span)
    if isinstance(reply, Silence):
        return None
    return _answer(desk, exchange, reply)


def _answer(desk: Desk, exchange: Exchange, reply: SettleReply) -> Answer | Refusal:
    message, moment, host = exchange.message, host_time(reply.at_ms), reply.totals
    if not fit_field_48(*msgspec.structs.astuple(host)):
        return _TOO_MUCH
    fields = repeated(message)
    fields[12], fields[13], fields[15] = moment.time, moment.date, moment.date
    fields[32], fields[63] = desk.world.acquirer, message.text(63)
    if reply.rrn:
        fields[37] = reply.rrn
    fields[48] = Totals48(
        debit_minor=host.debit_minor,
        debit_count=host.debit_count,
        credit_minor=host.credit_minor,
        credit_count=host.credit_count,
        result=reply.result,
        foreign_result=SETTLE_ERROR if reply.result == SETTLE_ERROR else _BALANCED,  # nothing against nothing
    ).pack()
    return Answer(fields, rrn=reply.rrn, code=reply.result)
