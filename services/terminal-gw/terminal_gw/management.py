"""0800 and 0820: sign-on with key download, sign-off, echo."""

from __future__ import annotations

from contracts import response_codes as rc
from contracts.authorization import SignOffReply, SignOffRequest, SignOnReply, SignOnRequest
from contracts.codec import decoder
from iso8583 import DownloadedKey, Keys62, Value, named_master, with_master
from key_store import KeyStoreError
from security_module import MacAlgorithm, Purpose
from terminal_gw.answers import Answer, Refusal, repeated, short60
from terminal_gw.domain.host_time import host_time
from terminal_gw.masters import Held
from terminal_gw.requests import Desk, Exchange, from_silence
from terminal_gw.sessions import Session
from terminal_gw.switch import Silence

SINGLE, DOUBLE = "001", "003"
"""60.3 of a sign-on: single-length keys, double-length keys."""

_sign_on_replies = decoder(SignOnReply)
_sign_off_replies = decoder(SignOffReply)


async def sign_on(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """New session keys under the terminal's master key, and the batch number that the switch gives."""
    message, terminal = exchange.message, exchange.terminal
    if exchange.sixty.network_code == SINGLE and terminal.mac_algorithm is MacAlgorithm.X9_19:
        return Refusal(rc.FUNCTION_NOT_SUPPORTED, "60.3", "an X9.19 terminal needs double-length keys")
    request = SignOnRequest(
        terminal=terminal.tid, merchant=terminal.merchant, stan=message.text(11), operator=message.text(63)[:3].strip()
    )
    held = await _master_key(desk, exchange)
    if isinstance(held, Refusal):
        return held
    reply = await desk.switch.ask("sign-on", terminal.merchant, request, _sign_on_replies, exchange.span)
    if isinstance(reply, Silence):
        return from_silence(reply)
    fields = _fields(desk, exchange, reply.at_ms, reply.rrn, reply.response_code)
    if reply.response_code == rc.APPROVED:
        fields[60] = short60(exchange.sixty._replace(batch=reply.batch))
        # The keys are durable before the terminal has them, or a gateway that restarts now could not read its next message.
        fields[62] = await _new_keys(desk, exchange, held, reply.batch)
    return Answer(fields, rrn=reply.rrn, code=reply.response_code)


async def _master_key(desk: Desk, exchange: Exchange) -> Held | Refusal:
    """The master key that the terminal holds: the one that it names in field 62, else the current one."""
    message, tid = exchange.message, exchange.terminal.tid
    named = named_master(message.data(62)) if 62 in message.fields else ""
    try:
        held = await desk.masters.sign_on(tid, named)
    except KeyStoreError as error:
        return Refusal(rc.SYSTEM_MALFUNCTION, "62", str(error))
    if held is not None:
        return held
    if named:
        return Refusal(
            rc.AUTHENTICATION_FAILED, "62", "names a master key that this host does not have for the terminal"
        )
    return Refusal(rc.SYSTEM_MALFUNCTION, "62", "the host has no master key for the terminal")


async def _new_keys(desk: Desk, exchange: Exchange, held: Held, batch: str) -> bytes:
    """Field 62: PIN key, then MAC key, 8 or 16 bytes each with their check values; behind them the next master key, when there is one."""
    tid, length = exchange.terminal.tid, 8 if exchange.sixty.network_code == SINGLE else 16
    module = desk.module
    session = Session(
        pin=module.generate(Purpose.PIN, length=length),
        mac=module.generate(Purpose.MAC, length=length),
        batch=batch,
        master=held.key.check_value,
    )
    await desk.sessions.put(tid, session)
    keys = [DownloadedKey(*module.export_under(held.key, key, width=length)) for key in (session.pin, session.mac)]
    if held.next is None:
        return Keys62(*keys).pack()
    desk.masters.handed(tid)
    return with_master(Keys62(*keys).pack(), DownloadedKey(*module.export_under(held.key, held.next)))


async def sign_off(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """The session is forgotten once the switch has agreed."""
    terminal = exchange.terminal
    request = SignOffRequest(terminal=terminal.tid, merchant=terminal.merchant, stan=exchange.message.text(11))
    reply = await desk.switch.ask("sign-off", terminal.merchant, request, _sign_off_replies, exchange.span)
    if isinstance(reply, Silence):
        return from_silence(reply)
    if reply.response_code == rc.APPROVED:
        await desk.sessions.forget(terminal.tid)
    return Answer(
        _fields(desk, exchange, reply.at_ms, reply.rrn, reply.response_code), rrn=reply.rrn, code=reply.response_code
    )


async def echo(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """The line works and the gateway is awake; nobody else is asked."""
    return Answer(_fields(desk, exchange, desk.now_ms(), "", rc.APPROVED), code=rc.APPROVED)


def _fields(desk: Desk, exchange: Exchange, at_ms: int, rrn: str, code: str) -> dict[int, Value]:
    moment = host_time(at_ms)
    fields = repeated(exchange.message)
    fields[12], fields[13], fields[39] = moment.time, moment.date, code
    if rrn:
        fields[32], fields[37] = desk.world.acquirer, rrn
    return fields
