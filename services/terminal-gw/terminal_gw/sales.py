"""0200 and 0400: the requests that move money."""

from __future__ import annotations

from contracts import response_codes as rc
from contracts.authorization import AuthorizeReply, AuthorizeRequest, CardData, ReverseReply, ReverseRequest
from contracts.codec import decoder
from contracts.identity import transaction_id
from contracts.kinds import KINDS, Kind
from contracts.money import EXPONENTS
from contracts.pan import PinBlock
from iso8583 import Field60, Institutions44, Message, Texts63, Value
from security_module import PinFormatError
from terminal_gw import spans, terminal_keys
from terminal_gw.answers import Answer, Refusal, repeated
from terminal_gw.domain.card import MANUAL, SWIPE, Card, Fault, read_card
from terminal_gw.domain.host_time import host_time
from terminal_gw.requests import Desk, Exchange, from_silence
from terminal_gw.switch import Silence

ORGANISATION = Texts63("CUP").pack()
REVERSAL_REASONS = ("98", "A0", "96", "06")
_WITH_PIN = "1"
"""Third digit of field 22."""

_KINDS = {(f.mti, f.processing_code, f.condition_code, f.message_type): kind for kind, f in KINDS.items()}
_REVERSIBLE = {(*key[1:],): kind for key, kind in _KINDS.items() if KINDS[kind].reversible}
_authorize_replies = decoder(AuthorizeReply)
_reverse_replies = decoder(ReverseReply)


async def authorize(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """A transaction that needs the issuer's word; refused before anything is done for it while there is no room."""
    if full := desk.admission.refuse():
        return Refusal(rc.SYSTEM_MALFUNCTION, "sales in hand", full)
    asked = _read(desk, exchange)
    if isinstance(asked, Refusal):
        return asked
    exchange.span.set("lianji.kind", asked.kind.value)
    exchange.span.set("lianji.entry_mode", asked.entry_mode)
    with desk.admission.enter() as place:
        reply = await desk.switch.ask("authorize", asked.merchant, asked, _authorize_replies, exchange.span)
        if not isinstance(reply, Silence):
            place.bank_s = reply.issuer_ms / 1000
    if isinstance(reply, Silence):
        if reply is Silence.NO_ROOM:
            desk.admission.refused_by_the_switch()
        return from_silence(reply)
    if reply.institution:
        exchange.span.set("lianji.institution", reply.institution)
    fields = _money_fields(desk, exchange.message, reply, institution=reply.institution)
    fields[2], fields[14] = asked.card.pan.clear(), asked.card.expiry
    if reply.authorization_code:
        fields[38] = reply.authorization_code
    return Answer(fields, rrn=reply.rrn, code=reply.response_code, institution=reply.institution)


def _read(desk: Desk, exchange: Exchange) -> AuthorizeRequest | Refusal:
    """The 0200 as a question to the switch."""
    message = exchange.message
    kind = _KINDS.get((message.mti, *_kind_key(message, exchange.sixty)))
    if kind is None:
        return Refusal(rc.FUNCTION_NOT_SUPPORTED, "3", "no such transaction here")
    if message.text(22)[:2] not in (MANUAL, SWIPE):
        return Refusal(rc.FUNCTION_NOT_SUPPORTED, "22", "this entry mode is not served")
    if message.text(49) not in EXPONENTS:
        return Refusal(rc.FORMAT_ERROR, "49", "this currency is not served")
    card = read_card(entry_mode=message.text(22), pan=message.text(2), expiry=message.text(14), track2=message.text(35))
    if isinstance(card, Fault):
        return Refusal(rc.FORMAT_ERROR, card.field, card.reason)
    data = _card_data(desk, exchange, card)
    return data if isinstance(data, Refusal) else _authorize_request(desk, exchange, kind, data)


async def reverse(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """A 0400 repeats its original's 3, 4, 11, 22, 25 and 60; field 39 says why."""
    message = exchange.message
    kind = _REVERSIBLE.get(_kind_key(message, exchange.sixty))
    if kind is None:
        return Refusal(rc.FUNCTION_NOT_SUPPORTED, "3", "no such transaction is reversed here")
    if message.text(39) not in REVERSAL_REASONS:
        return Refusal(rc.FORMAT_ERROR, "39", f"is not one of {', '.join(REVERSAL_REASONS)}")
    request = ReverseRequest(
        kind=kind,
        terminal=exchange.terminal.tid,
        merchant=exchange.terminal.merchant,
        batch=exchange.sixty.batch,
        stan=message.text(11),
        amount_minor=int(message.text(4)),
        currency=message.text(49),
        reason=message.text(39),
    )
    reply = await desk.switch.ask("reverse", exchange.terminal.merchant, request, _reverse_replies, exchange.span)
    if isinstance(reply, Silence):
        return from_silence(reply)
    fields = _money_fields(desk, message, reply, institution="")
    if 2 in message.fields:
        fields[2] = message.fields[2]
    return Answer(fields, rrn=reply.rrn, code=reply.response_code)


def _kind_key(message: Message, sixty: Field60) -> tuple[str, str, str]:
    return message.text(3), message.text(25), sixty.message_type


def _card_data(desk: Desk, exchange: Exchange, card: Card) -> CardData | Refusal:
    """The card for the issuer, its PIN block under the key and in the format of the institution that owns the BIN.

    Nobody owns it: no PIN block, and the switch says 15.
    """
    message, terminal, keys = exchange.message, exchange.terminal, exchange.keys
    institution = desk.world.institution_for(card.pan)
    if message.text(22)[2:] != _WITH_PIN or institution is None or keys is None:
        return CardData(pan=card.pan, expiry=card.expiry, track2=card.track2)
    sealed = terminal_keys.pin_block(message, terminal, keys)
    if isinstance(sealed, Refusal):
        return sealed
    zone = desk.keyring.zone_pin(institution.id)
    with desk.tracer.span(spans.TRANSLATE_PIN, parent=exchange.span) as span:
        try:
            block = desk.module.translate_pin(
                sealed,
                card.pan,
                from_key=keys.pin,
                to_key=zone,
                from_format=terminal.pin_format,
                to_format=institution.pin_format,
            )
        except PinFormatError:
            span.error(rc.PIN_FORMAT_ERROR)
            field = "52" if 52 in message.fields else "59.DF02"
            return Refusal(rc.PIN_FORMAT_ERROR, field, "does not hold a PIN for this card")
    return CardData(
        pan=card.pan,
        expiry=card.expiry,
        track2=card.track2,
        pin_block=PinBlock(block),
        pin_zone=institution.id,
        pin_key=zone.check_value,
        pin_format=institution.pin_format,
    )


def _authorize_request(desk: Desk, exchange: Exchange, kind: Kind, data: CardData) -> AuthorizeRequest:
    message, amount_minor = exchange.message, int(exchange.message.text(4))
    tid, batch, stan = exchange.terminal.tid, exchange.sixty.batch, message.text(11)
    cards = desk.keyring.cards
    fingerprints = cards.fingerprints(amount_minor, data.pan, message.text(3))
    return AuthorizeRequest(
        kind=kind,
        terminal=tid,
        merchant=exchange.terminal.merchant,
        batch=batch,
        stan=stan,
        amount_minor=amount_minor,
        currency=message.text(49),
        entry_mode=message.text(22),
        card=data,
        masked=cards.stored(data.pan, transaction_id(tid, batch, stan)),
        fingerprint=fingerprints.current,
        other_fingerprints=fingerprints.others,
    )


def _money_fields(
    desk: Desk, message: Message, reply: AuthorizeReply | ReverseReply, *, institution: str
) -> dict[int, Value]:
    """The base reply (terminal-protocol, Which fields). Everything is of the request or of the switch's answer, so repetitions are alike."""
    moment, owner = host_time(reply.at_ms), desk.world.institution(institution)
    fields = repeated(message)
    fields[12], fields[13], fields[15] = moment.time, moment.date, moment.date
    fields[32], fields[39] = desk.world.acquirer, reply.response_code
    if reply.rrn:
        fields[37] = reply.rrn
    fields[44] = Institutions44(owner.code if owner else "", desk.world.acquirer).pack()
    if 53 in message.fields:
        fields[53] = message.fields[53]
    fields[63] = ORGANISATION
    return fields
