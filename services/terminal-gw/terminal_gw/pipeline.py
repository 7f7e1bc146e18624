"""The one way through the gateway, whatever a message came in by.

decode → known terminal → its keys → MAC → fields → handler of its kind → answer with MAC. A step that says no gives a Refusal, whose
answer has a MAC only behind the step that finds the request's right; a handler that cannot know what happened gives None: then nothing
is said, and a connection that waits for the answer is closed.
"""

from __future__ import annotations

from typing import NamedTuple

import iso8583
from contracts import response_codes as rc
from iso8583 import Field60, FormatError, Message
from runtime import logs
from runtime.bus import NoAnswer
from runtime.clock import monotonic_s
from runtime.metrics import Metrics
from runtime.tracing import Span
from runtime.transactions import Transactions
from security_module import Key, MacAlgorithm
from terminal_gw import (
    downloads,
    management,
    sales,
    script_results,
    settlement,
    spans,
    stop_list,
    terminal_keys,
    upload,
)
from terminal_gw.answers import NO_PUSH, SIGN_ON_AGAIN, Answer, Refusal, Sealer, repeated
from terminal_gw.labels import kind_of
from terminal_gw.requests import Desk, Exchange, Handler, Ingress
from terminal_gw.sessions import Session
from terminal_gw.terminal_keys import MessageKeys
from world import Download, KeyScheme, Terminal

log = logs.get("pipeline")

ANY = ""
REFUSED = "message refused"
HANDLERS: dict[tuple[str, str], Handler] = {
    # (MTI, network code 60.3) -> handler
    ("0100", ANY): sales.authorize,
    ("0200", ANY): sales.authorize,
    ("0220", ANY): sales.advise,
    ("0400", ANY): sales.reverse,
    ("0500", "201"): settlement.settle,
    ("0620", "951"): script_results.told,
    ("0320", "201"): upload.details,
    ("0320", "203"): upload.chip_details,
    ("0320", "202"): upload.end,
    ("0320", "207"): upload.end,
    ("0800", "001"): management.sign_on,
    ("0800", "003"): management.sign_on,
    **{("0800", kind.value): downloads.page for kind in Download},
    **{("0800", code): downloads.end for code in downloads.ENDS},
    ("0800", stop_list.PAGE): stop_list.page,
    ("0800", stop_list.END): stop_list.end,
    ("0820", stop_list.CHECK): stop_list.check,
    ("0820", "002"): management.sign_off,
    ("0820", "301"): management.echo,
    ("0820", "362"): management.echo,
}
_TELL_THEIR_KIND = frozenset({sales.authorize, sales.advise})
"""They set the span's kind once they have read the request."""
PROFILE_MTIS = frozenset({"0100", "0200", "0220", "0320", "0400", "0500", "0620", "0800", "0820"})
"""Requests that the protocol knows. One of these that is not served is answered 40, any other 30."""


class Received(NamedTuple):
    """What became of a body from the line."""

    answer: bytes | None
    """None: nothing can be said (no message, or an outcome that nobody knows), and the connection is closed: the terminal need not
    wait for its own time-out to know that it has to reverse."""


class Pipeline:
    """Answers terminals' messages."""

    def __init__(self, desk: Desk, sealer: Sealer, metrics: Metrics | None = None) -> None:
        self._desk = desk
        self._sealer = sealer
        self._transactions = Transactions(metrics or Metrics(), log, (i.id for i in desk.world.institutions))

    async def receive(self, body: bytes, ingress: Ingress) -> Received:
        """A body from the line, decoded and handled; what cannot be decoded is answered 30 as far as it could be read.

        No answer when it is no message at all or its outcome is unknown: the connection is then closed.
        """
        try:
            message = iso8583.decode(body)
            iso8583.reply_mti(message.mti)
        except FormatError as error:
            return self._undecodable(body, error, ingress)
        return Received(await self.handle(message, body, ingress))

    async def handle(self, message: Message, body: bytes, ingress: Ingress) -> bytes | None:
        """The answer's body, or None when the outcome is unknown. `body` is the message's encoding; FormatError when its MTI is no request's."""
        iso8583.reply_mti(message.mti)
        now_s = monotonic_s()
        came_s = now_s if ingress.came_s is None else ingress.came_s
        with (
            self._transactions.begin(kind_of(message), waited_s=now_s - came_s) as transaction,
            self._desk.tracer.span(
                spans.RECEIVE[ingress.name],
                parent=ingress.trace,
                attributes={"lianji.mti": message.mti, "lianji.terminal": message.text(41)},
            ) as span,
        ):
            span.start_ns -= int((now_s - came_s) * 1e9)
            outcome, keys = await self._outcome(message, body, span, came_s)
            if outcome is None:
                span.error("no answer")
                log.warning("left unanswered: the outcome is unknown", **_who(message, ingress), trace_id=span.trace_id)
                return None
            answer = _refused(message, outcome) if isinstance(outcome, Refusal) else outcome
            self._lead_to_new_master(message, answer, keys)
            sealed = self._send(message, answer, keys, span)
            transaction.institution = answer.institution
            if isinstance(outcome, Refusal):
                why = {"field": outcome.field, "reason": outcome.reason}
                transaction.refused(REFUSED, outcome.code, span, **why, **_who(message, ingress))
            else:
                transaction.answered("answered", answer.code, span, rrn=answer.rrn, **_what(message))
        return sealed

    async def _outcome(
        self, message: Message, body: bytes, span: Span, came_s: float
    ) -> tuple[Answer | Refusal | None, MessageKeys | None]:
        """Known kind of message, known terminal, MAC; then what the message asks for. And the keys that made its MAC."""
        if message.mti not in PROFILE_MTIS:
            return Refusal(rc.FORMAT_ERROR, "mti", "is not one of the profile's"), None
        terminal = self._terminal(message)
        if isinstance(terminal, Refusal):
            return terminal, None
        keys: MessageKeys | None = None
        if iso8583.carries_mac(message.mti):
            checked: MessageKeys | Refusal | None = _unprotected(message, terminal)
            if checked is None and terminal.scheme is KeyScheme.SESSION:
                checked = await self._authenticated(message, body, terminal, span)
            elif checked is None:
                checked = self._derived(message, body, terminal, span)
            if isinstance(checked, Refusal):
                return checked, None
            keys = checked
        return await self._handled(message, terminal, keys, span, came_s), keys

    async def _handled(
        self, message: Message, terminal: Terminal, keys: MessageKeys | None, span: Span, came_s: float
    ) -> Answer | Refusal | None:
        """Fields, then the handler of the message's kind."""
        try:
            iso8583.check_profile(message)
            sixty = Field60.parse(message.text(60))
        except FormatError as error:
            return Refusal.of(error)
        handler = HANDLERS.get((message.mti, sixty.network_code)) or HANDLERS.get((message.mti, ANY))
        if handler is None:
            return Refusal(rc.FUNCTION_NOT_SUPPORTED, "60.3", "this kind of message is not served")
        if handler not in _TELL_THEIR_KIND:
            span.set("lianji.kind", kind_of(message))
        try:
            return await handler(self._desk, Exchange(message, terminal, keys, sixty, span, came_s))
        except NoAnswer:  # of the sessions' bucket; what the switch leaves unanswered has become a value before
            return Refusal(rc.SYSTEM_MALFUNCTION, "session", "cannot be stored now")

    def _terminal(self, message: Message) -> Terminal | Refusal:
        for number in (41, 42):
            if number not in message.fields:
                return Refusal(rc.FORMAT_ERROR, str(number), "is missing")
        terminal = self._desk.world.terminal(message.text(41))
        if terminal is None:
            return Refusal(rc.UNKNOWN_TERMINAL, "41", "is not a terminal of this host")
        if terminal.merchant != message.text(42):
            return Refusal(rc.INVALID_MERCHANT, "42", "is not the terminal's merchant")
        return terminal

    async def _authenticated(self, message: Message, body: bytes, terminal: Terminal, span: Span) -> Session | Refusal:
        """The session whose MAC key made field 64, or a refusal."""
        desk, tid = self._desk, terminal.tid
        block, mac = iso8583.mac_block(body), message.data(64)
        with desk.tracer.span(spans.VERIFY_MAC, parent=span) as verifying:
            try:
                remembered = desk.sessions.remembered(tid)
                if remembered is not None and desk.module.verify_mac(
                    remembered.mac, block, mac, terminal.mac_algorithm
                ):
                    return remembered
                # Signed on through another gateway since, or before this one started: ask once before saying no.
                session = await desk.sessions.reread(tid)
            except NoAnswer:
                verifying.error(rc.SYSTEM_MALFUNCTION)
                return Refusal(rc.SYSTEM_MALFUNCTION, "session", "cannot be read now")
            if session is None:
                verifying.error(rc.MAC_ERROR)
                return Refusal(rc.MAC_ERROR, "64", "the terminal has not signed on", SIGN_ON_AGAIN)
            if session == remembered or not desk.module.verify_mac(session.mac, block, mac, terminal.mac_algorithm):
                verifying.error(rc.MAC_ERROR)
                return Refusal(rc.MAC_ERROR, "64", "is not this message's MAC", SIGN_ON_AGAIN)
            return session

    def _derived(self, message: Message, body: bytes, terminal: Terminal, span: Span) -> MessageKeys | Refusal:
        """The keys of a terminal that derives them, if they made field 64, or a refusal. Nobody has to be asked."""
        desk = self._desk
        with desk.tracer.span(spans.VERIFY_MAC, parent=span) as verifying:
            checked = terminal_keys.authenticated(desk.module, desk.keyring, terminal, message, iso8583.mac_block(body))
            if isinstance(checked, Refusal):
                verifying.error(checked.code)
            return checked

    def _lead_to_new_master(self, message: Message, answer: Answer, keys: MessageKeys | None) -> None:
        """A right MAC may prove that the terminal has taken a new master key, and the answer may ask it to come for one, or for a download."""
        if isinstance(keys, Session) and self._desk.masters.should_sign_on(message.text(41), keys.master):
            answer.processing = SIGN_ON_AGAIN
        elif answer.processing == NO_PUSH:
            tid = message.text(41)
            answer.processing = self._desk.stops.push(tid)
            if answer.processing == NO_PUSH:
                answer.processing = self._desk.downloads.push(tid)

    def _send(self, message: Message, answer: Answer, keys: MessageKeys | None, span: Span) -> bytes:
        span.set("lianji.response_code", answer.code)
        if answer.failed:
            span.error(answer.code)
        if answer.rrn:
            span.set("lianji.rrn", answer.rrn)
        with self._desk.tracer.span(spans.SEND_ANSWER, parent=span):
            key, algorithm = self._mac_key(message.text(41), keys)
            return self._sealer.seal(message, answer, key, algorithm)

    def _mac_key(self, tid: str, keys: MessageKeys | None) -> tuple[Key | None, MacAlgorithm]:
        """What the answer's MAC is made with: the keys that the request has proved to have, and none where it has proved nothing.

        Else anybody could have authentic refusals made: of a sale whose approval he has swallowed, by sending it again with a wrong MAC.
        """
        terminal = self._desk.world.terminal(tid)
        if terminal is None or keys is None:
            return None, MacAlgorithm.CUP_ECB
        return keys.answer_mac, terminal.mac_algorithm

    def _undecodable(self, body: bytes, error: FormatError, ingress: Ingress) -> Received:
        with self._desk.tracer.span(spans.RECEIVE[ingress.name], parent=ingress.trace) as span:
            span.error(rc.FORMAT_ERROR)
            return self._salvaged(body, error, ingress, span)

    def _salvaged(self, body: bytes, error: FormatError, ingress: Ingress, span: Span) -> Received:
        read = iso8583.salvage(body)
        why = {"field": error.field, "reason": error.reason}
        try:
            mti = iso8583.reply_mti(read.mti) if read is not None else ""
        except FormatError:
            mti = ""
        if read is None or not mti:
            log.warning("not a message, the connection is closed", **why, peer=ingress.peer, trace_id=span.trace_id)
            return Received(None)
        with self._transactions.begin(kind_of(read)) as transaction:
            answer = _refused(read, Refusal.of(error))
            span.set("lianji.mti", read.mti)
            span.set("lianji.response_code", answer.code)
            refused = self._sealer.seal(read, answer)  # what cannot be read has proved nothing: no MAC
            transaction.refused(REFUSED, answer.code, span, **why, **_who(read, ingress))
        return Received(refused)


def _unprotected(message: Message, terminal: Terminal) -> Refusal | None:
    """Why a message has no place for its terminal's kind of protection."""
    if 64 not in message.fields:
        return Refusal(rc.FORMAT_ERROR, "64", "is missing")
    if 59 in message.fields and terminal.scheme is KeyScheme.SESSION:
        return Refusal(rc.FORMAT_ERROR, "59", "is for DUKPT, and this terminal has session keys")
    return None


def _refused(message: Message, refusal: Refusal) -> Answer:
    """The gateway's own answer: what the request said of itself and why not. No time: repetitions are answered alike."""
    fields = repeated(message)
    fields[39] = refusal.code
    return Answer(fields, processing=refusal.processing, code=refusal.code)


def _what(message: Message) -> dict[str, str]:
    """What a line says of a message: what is named here, so never card data."""
    return {"mti": message.mti, "terminal": message.text(41), "stan": message.text(11)}


def _who(message: Message, ingress: Ingress) -> dict[str, str]:
    return {**_what(message), "peer": ingress.peer}
