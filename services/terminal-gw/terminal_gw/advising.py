"""Advices of the switch to banks: the card number, which the switch has sealed and cannot open, is opened here and goes to the bank alone.

What the bank says goes back to the switch. Nobody is told a card number: whoever asks learns whether the bank has booked.
"""

from __future__ import annotations

from typing import Protocol

from contracts import codec, subjects
from contracts.authorization import AdviseRequest, CardData, IssuerReply, IssuerRequest
from contracts.reading import UnreadableError, reader
from contracts.response_codes import FORMAT_ERROR
from runtime import logs
from runtime.bus import NoAnswer, Request
from runtime.tracing import Parent, Tracer
from security_module import SealedDataError
from terminal_gw import spans
from terminal_gw.card_store import CardStore

log = logs.get("advising")

TIMEOUT_S = 4.0
"""For the bank; the switch waits longer, and comes again."""

_advise = reader(AdviseRequest)
_reply = reader(IssuerReply)


class Bus(Protocol):
    """runtime.bus.Bus, as far as it is used here."""

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Parent = None) -> bytes: ...


class Cards(Protocol):
    """terminal_gw.keyring.Keyring, as far as it is used here."""

    @property
    def cards(self) -> CardStore: ...


class Advisor:
    """AdviseRequest → IssuerReply."""

    def __init__(self, bus: Bus, cards: Cards, institutions: tuple[str, ...], tracer: Tracer) -> None:
        self._bus = bus
        self._cards = cards
        self._institutions = institutions
        self._tracer = tracer

    async def handle(self, request: Request) -> bytes:
        """The bank's answer; raises NoAnswer, and NotDelivered, when there is none, or when the number cannot be opened here."""
        try:
            advice = _advise(request.body)
        except UnreadableError as error:
            log.warning("advice cannot be read", subject=request.subject, reason=str(error))
            return codec.encode(IssuerReply(response_code=FORMAT_ERROR))
        if advice.institution not in self._institutions:
            log.warning("advice for a bank that is none", institution=advice.institution)
            return codec.encode(IssuerReply(response_code=FORMAT_ERROR))
        with self._tracer.span(spans.ADVISE, parent=request.trace) as span:
            span.set("lianji.rrn", advice.rrn)
            try:
                pan = self._cards.cards.stored_number(advice.card, advice.transaction)
            except SealedDataError as error:
                span.error(type(error).__name__)
                log.error("a sealed card number cannot be opened", transaction=advice.transaction, reason=str(error))
                raise NoAnswer(f"{advice.transaction}: its card number cannot be opened") from None
            question = IssuerRequest(
                transaction=advice.transaction,
                rrn=advice.rrn,
                kind=advice.kind,
                terminal=advice.terminal,
                merchant=advice.merchant,
                amount_minor=advice.amount_minor,
                currency=advice.currency,
                entry_mode=advice.entry_mode,
                card=CardData(pan=pan),
                original=advice.original,
                authorization_code=advice.authorization_code,
                counter=advice.counter,
            )
            subject = subjects.issuer(advice.institution, subjects.ISSUER_ADVICES)
            answer = await self._bus.request(subject, codec.encode(question), timeout_s=TIMEOUT_S, trace=span)
            try:
                return codec.encode(_reply(answer))
            except UnreadableError as error:
                raise NoAnswer(f"{subject}: an answer that cannot be read: {error}") from None
