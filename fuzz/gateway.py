"""The gateway's pipeline and its NATS edge on a fake desk: whatever a terminal sends, nothing may escape them."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from functools import cache
from typing import Any
from zlib import crc32

import msgspec
import structlog

import iso8583
import world
from contracts import codec, subjects
from contracts.authorization import (
    AuthorizeReply,
    ReverseReply,
    SettleReply,
    SignOffReply,
    SignOnReply,
    Totals,
    UploadReply,
)
from contracts.kinds import Kind
from contracts.script_results import ScriptResultsReply
from contracts.stop_list import StopCheckReply, StopLine, StopListPage
from contracts.terms import Balance, InstalmentTerms
from fuzz.grammar import TELLING, TERMINAL
from fuzz.keys import MAC_KEY, PIN_KEY, key_rings, module, sign
from fuzz.promises import BrokenPromiseError, require
from iso8583 import FormatError, Message
from runtime import logs
from runtime.bus import NoAnswer, NotDelivered, Request
from runtime.tracing import Parent, Tracer
from terminal_gw.admission import Admission
from terminal_gw.answers import Sealer
from terminal_gw.downloaded import Downloads
from terminal_gw.handlers import NatsIngress
from terminal_gw.keyring import Keyring
from terminal_gw.masters import Masters
from terminal_gw.pipeline import Pipeline, Received
from terminal_gw.requests import Desk, Ingress
from terminal_gw.sessions import Session, Sessions
from terminal_gw.stop_versions import StopVersions
from terminal_gw.switch import Switch

AT_MS = 1_767_196_799_000
_RRN = "000000000001"
_APPROVED: dict[str, msgspec.Struct] = {
    "authorize": AuthorizeReply(
        response_code="00", rrn=_RRN, at_ms=AT_MS, authorization_code="A1B2C3", institution="huaxing"
    ),
    "reverse": ReverseReply(response_code="00", rrn=_RRN, at_ms=AT_MS),
    "sign-on": SignOnReply(response_code="00", rrn=_RRN, at_ms=AT_MS, batch="000008"),
    "sign-off": SignOffReply(response_code="00", at_ms=AT_MS, rrn=_RRN),
    "settle": SettleReply(result="1", rrn=_RRN, at_ms=AT_MS, totals=Totals(debit_minor=1234, debit_count=1)),
    "upload": UploadReply(response_code="00", rrn=_RRN, at_ms=AT_MS),
    "script-results": ScriptResultsReply(response_code="00", institution="huaxing", at_ms=AT_MS),
    "stop-list": StopListPage(
        response_code="00",
        version=2,
        size=1,
        lines=(StopLine(institution="huaxing", entry=1, reason="43", prefix="62910199"),),
    ),
    "stop-check": StopCheckReply(response_code="00", version=2, at_ms=AT_MS),
}
_DECLINED = {
    "authorize": AuthorizeReply(response_code="51", rrn="", at_ms=AT_MS),
    "reverse": ReverseReply(response_code="12", rrn="", at_ms=AT_MS),
    "sign-on": SignOnReply(response_code="58", rrn="", at_ms=AT_MS),
    "sign-off": SignOffReply(response_code="97", at_ms=AT_MS),
    "settle": SettleReply(result="3", rrn="", at_ms=AT_MS, totals=Totals()),
    "upload": UploadReply(response_code="12", at_ms=AT_MS),
    "script-results": ScriptResultsReply(response_code="25", at_ms=AT_MS),
    "stop-list": StopListPage(response_code="00", version=1, size=0),
    "stop-check": StopCheckReply(response_code="43", version=2, at_ms=AT_MS),
}
_WITH_MORE: dict[Kind, dict[str, Any]] = {
    Kind.BALANCE: {"balance": Balance(available_minor=-1234, currency="156", account_type="10")},
    Kind.INSTALMENT: {"instalment": InstalmentTerms(first_minor=206, currency="156", fee_minor=44, periods=6)},
}
_PART: dict[str, Any] = {"response_code": "10", "part_minor": 1000}
_SHORTEST_TOLD = 13
"""Digits of a card number from which its appearance in a log is no coincidence."""
SILENT, UNREACHABLE, NEW, REMEMBERED = (2, 32), 1, 3, 4
"""Remainders of an input's mood: a switch that never answers (nobody knows, nobody got it), a bucket that nobody reaches (of 32), a
terminal that has not signed on (of 32), a gateway that remembers the session (up to this, of 8)."""
_PATIENCE_S = 0.0005
"""For a switch that never answers. It ends the asking, nothing else depends on it."""


class _Asked(msgspec.Struct):
    """What of a question its answer depends on."""

    kind: Kind | None = None
    takes_part: bool = False


class FakeBus:
    """The bus with the switch behind it. `mood`, which the input decides, says how it answers."""

    def __init__(self) -> None:
        self.mood = 0
        self._tries = 0

    def begin(self, mood: int) -> None:
        self.mood, self._tries = mood, 0

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Parent = None) -> bytes:
        self._tries += 1
        if self.mood % 64 in SILENT or (self._tries == 1 and self.mood % 8 == 0):
            raise NoAnswer("fuzz") if self.mood % 16 else NotDelivered("fuzz")
        operation = subject.rsplit(".", 1)[1]
        if self.mood % 5 == 0:
            return codec.encode(_DECLINED[operation])
        answer = _APPROVED[operation]
        if operation == "authorize":
            asked = msgspec.json.decode(body, type=_Asked)
            more = _PART if asked.takes_part else _WITH_MORE.get(asked.kind or Kind.SALE, {})
            answer = msgspec.structs.replace(answer, **more)
        return codec.encode(answer)


class FakeBucket:
    """The sessions' bucket, now and then out of reach."""

    def __init__(self, stored: dict[str, bytes], mood: int) -> None:
        self._values = dict(stored)
        self._unreachable = mood % 32 == UNREACHABLE

    async def get(self, key: str) -> bytes | None:
        self._trouble()
        return self._values.get(key)

    async def put(self, key: str, value: bytes) -> None:
        self._trouble()
        self._values[key] = value

    async def delete(self, key: str) -> None:
        self._trouble()
        self._values.pop(key, None)

    def _trouble(self) -> None:
        if self._unreachable:
            raise NoAnswer("fuzz")


class Stand:
    """Everything that stands from input to input; the session is as new for each of them."""

    def __init__(self) -> None:
        self.world = world.built_in()
        self.loop = asyncio.new_event_loop()
        self.log = _quiet_log()
        self.bus = FakeBus()
        self._tracer = Tracer("terminal-gw", "fuzz")
        self._tracer.enabled = False
        session = codec.encode_stored(Session(pin=PIN_KEY, mac=MAC_KEY, batch="000007"))
        self._stored = {subjects.token(str(tid)): session for tid in TELLING[41]}
        rings = self.loop.run_until_complete(key_rings(module()))
        self._desk = Desk(
            world=self.world,
            module=module(),
            keyring=Keyring(module(), rings, self.world),
            masters=Masters(rings, lambda: AT_MS),
            sessions=Sessions(FakeBucket({}, 0), module()),
            downloads=Downloads(FakeBucket({}, 0)),
            stops=StopVersions(FakeBucket({}, 0)),
            switch=self._switch(5.0),
            admission=Admission(),
            tracer=self._tracer,
            now_ms=lambda: AT_MS,
        )
        self._impatient = self._switch(_PATIENCE_S)

    def _switch(self, patience_s: float) -> Switch:
        return Switch(self.bus, self._tracer, self.world.shards, answer_timeout_s=patience_s, retry_s=0.0)

    async def pipeline(self, data: bytes) -> Pipeline:
        """A gateway that has just started, on a bus and a bucket whose mood comes from the input."""
        mood = crc32(data)
        self.bus.begin(mood)
        self.log.seek(0)
        self.log.truncate()
        bucket = FakeBucket({} if mood % 32 == NEW else self._stored, mood)
        sessions = Sessions(bucket, module())
        if mood % 8 >= REMEMBERED:
            await sessions.reread(TERMINAL)
        switch = self._impatient if mood % 64 in SILENT else self._desk.switch
        return Pipeline(
            replace(
                self._desk, sessions=sessions, downloads=Downloads(bucket), stops=StopVersions(bucket), switch=switch
            ),
            Sealer(module()),
        )

    def signed(self, body: bytes) -> bytes:
        """The body with the MAC that its terminal should have made."""
        return sign(body)


@cache
def stand() -> Stand:
    return Stand()


def pipeline(data: bytes) -> None:
    """A body from the line: as it came, and again with the MAC made right, so that what lies behind the MAC is reached too."""
    house = stand()

    async def receive(body: bytes) -> Received:
        return await (await house.pipeline(body)).receive(body, Ingress("tcp", "192.0.2.1:40000"))

    for body in dict.fromkeys((data, house.signed(data))):
        received = house.loop.run_until_complete(receive(body))
        _log_is_clean(house.log.getvalue(), iso8583.salvage(body))
        if received.answer is not None:
            _fits(iso8583.salvage(body), received.answer)


def ingress(data: bytes) -> None:
    """A published swipe: as it came, and again with the MAC made right."""
    house = stand()
    try:
        message: Message | None = iso8583.from_json(data)
    except FormatError:
        message = None
    subject = subjects.terminal_request(message.text(41) if message is not None else TERMINAL)

    async def handle(text: bytes) -> bytes | None:
        return await NatsIngress(await house.pipeline(text)).handle(Request(subject, text, None, 0))

    for text in dict.fromkeys((data, _signed_json(message) or data)):
        answer = house.loop.run_until_complete(handle(text))
        _log_is_clean(house.log.getvalue(), message)
        if answer is not None:
            _is_answer(answer)


def _signed_json(message: Message | None) -> bytes | None:
    if message is None:
        return None
    try:
        return iso8583.to_json(iso8583.decode(stand().signed(iso8583.encode(message))))
    except FormatError:
        return None


def _fits(request: Message | None, answer: bytes) -> None:
    """An answer is a whole message, of the request's kind, back where the request came from, with a word in it."""
    if request is None:
        raise BrokenPromiseError("what is no message is not answered")
    try:
        reply = iso8583.decode(answer)
    except FormatError:
        raise BrokenPromiseError("an answer decodes") from None
    require(reply.mti == iso8583.reply_mti(request.mti), "an answer has the request's type + 10")
    require(reply.tpdu == iso8583.swapped(request.tpdu), "an answer goes back where the request came from")
    require(39 in reply.fields or (reply.mti == "0510" and 48 in reply.fields), "an answer says yes or no")
    require(len(answer) <= iso8583.MAX_FRAME, "an answer fits a frame")
    if reply.text(39) in ("00", "10"):
        _is_complete(reply)


def _is_complete(reply: Message) -> None:
    try:
        iso8583.check_profile(reply)
    except FormatError:
        raise BrokenPromiseError("an answer that says yes has every field of its kind") from None


def _is_answer(answer: bytes) -> None:
    if "error" in msgspec.json.decode(answer):
        return
    try:
        iso8583.encode(iso8583.from_json(answer))
    except FormatError:
        raise BrokenPromiseError("an answer in JSON is a message") from None


def _log_is_clean(log: bytes, message: Message | None) -> None:
    """No line shows a card number or the track that the message holds."""
    if message is None:
        return
    pan, track = message.text(2), message.text(35)
    for secret in (pan, track, track.partition("D")[0], _target(message)):
        if len(secret) >= _SHORTEST_TOLD and len(set(secret)) > 2:
            require(secret.encode() not in log, "no log line shows card data")


def _target(message: Message) -> str:
    try:
        return iso8583.target_card(message.data(62))
    except FormatError:
        return ""


def _quiet_log() -> io.BytesIO:
    """Log lines are made as in the service, and kept for a look instead of printed."""
    lines = io.BytesIO()
    logs.configure("terminal-gw", "fuzz")
    structlog.configure(logger_factory=structlog.BytesLoggerFactory(lines), cache_logger_on_first_use=False)
    return lines
