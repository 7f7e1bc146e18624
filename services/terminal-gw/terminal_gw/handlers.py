"""The NATS edge: terminals that publish their swipe as JSON on `terminal.v1.<terminal>.request`."""

from __future__ import annotations

import msgspec

import iso8583
from contracts import subjects
from iso8583 import FormatError, Message
from runtime import logs
from runtime.bus import Request
from terminal_gw.pipeline import Pipeline
from terminal_gw.requests import Ingress

log = logs.get("nats-ingress")


class NatsIngress:
    """JSON form in, JSON form out; the MAC is that of the message's ISO encoding, as on the line."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._in_flight: set[str] = set()

    async def handle(self, request: Request) -> bytes | None:
        """The answer in its JSON form, an error as JSON, or None when the outcome is unknown: here is no line to close, and nothing is said."""
        try:
            message = iso8583.from_json(request.body)
            body = iso8583.encode(message)
            iso8583.reply_mti(message.mti)
            self._check_subject(message, request.subject)
        except FormatError as error:
            return _error(error, request)
        terminal = message.text(41)
        if terminal in self._in_flight:
            return _error(FormatError("41", "a request of this terminal is in flight"), request)
        self._in_flight.add(terminal)
        try:
            answer = await self._pipeline.handle(message, body, Ingress("nats", request.subject, request.trace))
        finally:
            self._in_flight.discard(terminal)
        return None if answer is None else iso8583.to_json(iso8583.decode(answer))

    def _check_subject(self, message: Message, subject: str) -> None:
        """Who may publish on a terminal's subject speaks for that terminal and for no other."""
        if subjects.terminal_request(message.text(41)) != subject:
            raise FormatError("41", "is not the terminal of the subject")


def _error(error: FormatError, request: Request) -> bytes:
    trace = request.trace.trace_id if request.trace else ""
    log.warning("message refused", field=error.field, reason=error.reason, peer=request.subject, trace_id=trace)
    return msgspec.json.encode({"error": {"field": error.field, "reason": error.reason}})
