"""0800 and 0820: sign-on with key download, sign-off, echo and status.

None of them carries a MAC, so a captured one can be sent again by anybody. A sign-on that made the session which stands is answered as it
was, with the same keys; a sign-off of another batch than the session's is refused. An older sign-on, or a sign-off of the open batch, costs
the terminal one more sign-on (docs/terminal-protocol.md, 12).
"""

from __future__ import annotations

import hashlib

import iso8583
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
from terminal_gw.sessions import Session, SignOnAnswer
from terminal_gw.switch import Silence
from world import KeyScheme

SINGLE, DOUBLE = "001", "003"
"""60.3 of a sign-on: single-length keys, double-length keys."""

_sign_on_replies = decoder(SignOnReply)
_sign_off_replies = decoder(SignOffReply)


async def sign_on(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """The batch number that the switch gives, and for a terminal with session keys new ones under its master key."""
    message, terminal = exchange.message, exchange.terminal
    downloads = terminal.scheme is KeyScheme.SESSION
    if downloads and exchange.sixty.network_code == SINGLE and terminal.mac_algorithm is MacAlgorithm.X9_19:
        return Refusal(rc.FUNCTION_NOT_SUPPORTED, "60.3", "an X9.19 terminal needs double-length keys")
    request = SignOnRequest(
        terminal=terminal.tid, merchant=terminal.merchant, stan=message.text(11), operator=message.text(63)[:3].strip()
    )
    held = await _master_key(desk, exchange) if downloads else None
    if isinstance(held, Refusal):
        return held
    reply = await desk.switch.ask("sign-on", terminal.merchant, request, _sign_on_replies, exchange.span)
    if isinstance(reply, Silence):
        return from_silence(reply)
    if reply.response_code != rc.APPROVED:
        return _as_said(desk, exchange, reply)
    await desk.stops.learn(terminal.tid, reply.stop_list)
    if held is None:
        await _learn_downloads(desk, exchange)
        answer = _as_said(desk, exchange, reply)
        answer.fields[60] = short60(exchange.sixty._replace(batch=reply.batch))
        return answer
    await _learn_downloads(desk, exchange)
    made = await _answered_before(desk, exchange, held, reply.batch) or await _new_keys(desk, exchange, held, reply)
    fields = _fields(desk, exchange, made.at_ms, made.rrn, rc.APPROVED)
    fields[60], fields[62] = short60(exchange.sixty._replace(batch=reply.batch)), made.keys
    return Answer(fields, rrn=made.rrn, code=rc.APPROVED)


async def _learn_downloads(desk: Desk, exchange: Exchange) -> None:
    """From its sign-on on a terminal is asked to come for what is newer than it has."""
    merchant = desk.world.merchant(exchange.terminal.merchant)
    if merchant is not None:
        await desk.downloads.learn(exchange.terminal, merchant)


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


async def _answered_before(desk: Desk, exchange: Exchange, held: Held, batch: str) -> SignOnAnswer | None:
    """What this very sign-on was answered, if the session that stands is the one that it made, and of the open batch.

    New keys would shut out the terminal that has the others: whoever sends a captured sign-on again could do that at will. But a master
    key that has come to wait for the terminal since is in no former answer, and a terminal that always says the same must get it.
    """
    session = await desk.sessions.reread(exchange.terminal.tid)
    if session is None or session.answer is None or session.batch != batch or session.master != held.key.check_value:
        return None
    if held.next is not None and not session.answer.keys.endswith(bytes.fromhex(held.next.check_value)):
        return None
    return session.answer if session.answer.request == _fingerprint(exchange) else None


def _fingerprint(exchange: Exchange) -> str:
    """Of everything that the terminal says; TPDU and header are the line's."""
    return hashlib.sha256(iso8583.encode(exchange.message)[iso8583.MTI_AT :]).hexdigest()


async def _new_keys(desk: Desk, exchange: Exchange, held: Held, reply: SignOnReply) -> SignOnAnswer:
    """A PIN key and a MAC key, 8 or 16 bytes each, with their check values; behind them the next master key, when there is one.

    They are durable before the terminal has them, or a gateway that restarts now could not read its next message.
    """
    tid, length = exchange.terminal.tid, 8 if exchange.sixty.network_code == SINGLE else 16
    module, master = desk.module, held.key
    pin, mac = module.generate(Purpose.PIN, length=length), module.generate(Purpose.MAC, length=length)
    session = [DownloadedKey(*module.export_under(master, key, width=length)) for key in (pin, mac)]
    following = None if held.next is None else DownloadedKey(*module.export_under(master, held.next))
    keys = with_master(Keys62(*session).pack(), following)
    answer = SignOnAnswer(request=_fingerprint(exchange), at_ms=reply.at_ms, rrn=reply.rrn, keys=keys)
    made = Session(pin=pin, mac=mac, batch=reply.batch, answer=answer, master=master.check_value)
    await desk.sessions.put(tid, made)
    if following is not None:
        desk.masters.handed(tid)
    return answer


async def sign_off(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """The session is forgotten once the switch has agreed."""
    terminal = exchange.terminal
    session = await desk.sessions.reread(terminal.tid)
    if session is not None and session.batch != exchange.sixty.batch:
        return Refusal(rc.BATCH_DIFFERS, "60.2", "is not the batch that the terminal has signed on to")
    request = SignOffRequest(terminal=terminal.tid, merchant=terminal.merchant, stan=exchange.message.text(11))
    reply = await desk.switch.ask("sign-off", terminal.merchant, request, _sign_off_replies, exchange.span)
    if isinstance(reply, Silence):
        return from_silence(reply)
    if reply.response_code == rc.APPROVED and terminal.scheme is KeyScheme.SESSION:
        await desk.sessions.forget(terminal.tid)
    return _as_said(desk, exchange, reply)


async def echo(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """The line works and the gateway is awake; nobody else is asked. A status is taken note of the same way: nothing here depends on it."""
    return Answer(_fields(desk, exchange, desk.now_ms(), "", rc.APPROVED), code=rc.APPROVED)


def _as_said(desk: Desk, exchange: Exchange, reply: SignOnReply | SignOffReply) -> Answer:
    """The switch's word, and nothing more."""
    fields = _fields(desk, exchange, reply.at_ms, reply.rrn, reply.response_code)
    return Answer(fields, rrn=reply.rrn, code=reply.response_code)


def _fields(desk: Desk, exchange: Exchange, at_ms: int, rrn: str, code: str) -> dict[int, Value]:
    moment = host_time(at_ms)
    fields = repeated(exchange.message)
    fields[12], fields[13], fields[39] = moment.time, moment.date, code
    if rrn:
        fields[32], fields[37] = desk.world.acquirer, rrn
    return fields
