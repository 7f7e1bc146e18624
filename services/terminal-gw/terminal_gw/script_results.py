"""0620 with 951: what a chip has made of its bank's orders, told by the terminal until the bank has it (docs/terminal-protocol.md, chapter 17)."""

from __future__ import annotations

from contracts.codec import decoder
from contracts.script_results import ScriptResultsReply, ScriptResultsRequest
from iso8583 import FormatError, Original61, ScriptNotice
from terminal_gw.answers import Answer, Refusal, repeated
from terminal_gw.domain.host_time import host_time
from terminal_gw.requests import Desk, Exchange, from_silence
from terminal_gw.switch import Silence

_replies = decoder(ScriptResultsReply)


async def told(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """Field 61 names the transaction whose answer brought the orders; 00: the bank has it."""
    message, terminal = exchange.message, exchange.terminal
    try:
        original = Original61.parse(message.text(61))
        notice = ScriptNotice.parse(message.data(55))
    except FormatError as error:
        return Refusal.of(error)
    question = ScriptResultsRequest(
        terminal=terminal.tid,
        merchant=terminal.merchant,
        batch=original.batch,
        stan=original.stan,
        counter=notice.counter,
        results=bytes(notice.results).hex().upper(),
    )
    reply = await desk.switch.ask("script-results", terminal.merchant, question, _replies, exchange.span)
    if isinstance(reply, Silence):
        return from_silence(reply)
    moment, fields = host_time(reply.at_ms), repeated(message)
    fields[12], fields[13], fields[39] = moment.time, moment.date, reply.response_code
    fields[32], fields[37] = desk.world.acquirer, message.text(37)
    return Answer(fields, code=reply.response_code, institution=reply.institution)
