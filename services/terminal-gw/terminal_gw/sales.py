"""0100, 0200, 0220 and 0400: the requests that move money, and those that ask about it. What differs from kind to kind stands in `kinds`."""

from __future__ import annotations

from msgspec.structs import replace

from contracts import response_codes as rc
from contracts.authorization import AuthorizeReply, AuthorizeRequest, CardData, ReverseReply, ReverseRequest, Target
from contracts.codec import decoder
from contracts.identity import transaction_id
from contracts.kinds import Kind
from contracts.money import EXPONENTS
from contracts.pan import PinBlock
from iso8583 import FormatError, Institutions44, Message, Texts63, Value
from security_module import PinFormatError
from terminal_gw import chips, kinds, spans, terminal_keys
from terminal_gw.answers import Answer, Refusal, repeated
from terminal_gw.chips import Chip
from terminal_gw.domain.card import ENTRY_MODES, MANUAL, Card, Fault
from terminal_gw.domain.host_time import host_time
from terminal_gw.kinds.wire import Particulars, Wire
from terminal_gw.requests import Desk, Exchange, from_silence
from terminal_gw.switch import Silence

ORGANISATION = Texts63("CUP").pack()
REVERSAL_REASONS = ("98", "A0", "96", "06")
_CHIP_READERS = ("5", "6")
"""60.4: chips that are put in; contactless ones, too."""
_WITH_PIN = "1"
"""Third digit of field 22."""

_authorize_replies = decoder(AuthorizeReply)
_reverse_replies = decoder(ReverseReply)


async def authorize(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """A transaction that needs the issuer's word; refused before anything is done for it while there is no room."""
    if full := desk.admission.refuse():
        return Refusal(rc.SYSTEM_MALFUNCTION, "sales in hand", full)
    read = _read(desk, exchange)
    if isinstance(read, Refusal):
        return read
    wire, asked = read
    with desk.admission.enter(exchange.came_s) as place:
        reply = await _ask(desk, exchange, asked)
        if not isinstance(reply, Silence):
            place.bank_s = reply.issuer_ms / 1000
    return await _answer(desk, exchange, wire, asked, reply)


async def advise(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """A 0220. It is let in whatever is in hand: the goods have gone, or the money has come back, and a refusal would undo neither."""
    read = _read(desk, exchange)
    if isinstance(read, Refusal):
        return read
    wire, asked = read
    return await _answer(desk, exchange, wire, asked, await _ask(desk, exchange, asked))


async def _ask(desk: Desk, exchange: Exchange, asked: AuthorizeRequest) -> AuthorizeReply | Silence:
    exchange.span.set("lianji.kind", asked.kind.value)
    exchange.span.set("lianji.entry_mode", asked.entry_mode)
    return await desk.switch.ask("authorize", asked.merchant, asked, _authorize_replies, exchange.span)


async def _answer(
    desk: Desk, exchange: Exchange, wire: Wire, asked: AuthorizeRequest, reply: AuthorizeReply | Silence
) -> Answer | Refusal | None:
    if isinstance(reply, Silence):
        if reply is Silence.NO_ROOM:
            desk.admission.refused_by_the_switch()
        return from_silence(reply)
    if reply.institution:
        exchange.span.set("lianji.institution", reply.institution)
    if reply.stop_list:
        await desk.stops.learn(asked.terminal, reply.stop_list)
    fields = _base_fields(desk, exchange.message, reply, institution=reply.institution)
    fields[2] = asked.card.pan.clear()
    if asked.card.expiry:
        fields[14] = asked.card.expiry
    if reply.authorization_code:
        fields[38] = reply.authorization_code
    if 23 in exchange.message.fields:
        fields[23] = exchange.message.fields[23]
    if reply.chip:
        fields[55] = reply.chip
    wire.say(reply, fields)
    return Answer(fields, rrn=reply.rrn, code=reply.response_code, institution=reply.institution)


def _read(desk: Desk, exchange: Exchange) -> tuple[Wire, AuthorizeRequest] | Refusal:
    """The request as a question to the switch."""
    message = exchange.message
    wire = kinds.asked_for(message, exchange.sixty)
    if wire is None:
        return Refusal(rc.FUNCTION_NOT_SUPPORTED, "3", "no such transaction here")
    if (unserved := _unserved(desk, exchange)) is not None:
        return unserved
    card = wire.read_card(message.text(22), message.text(2), message.text(14), message.text(35))
    if isinstance(card, Fault):
        return Refusal(rc.FORMAT_ERROR, card.field, card.reason)
    try:
        particulars = wire.read(message, exchange.sixty)
        chip = chips.read(wire.kind, message)
    except FormatError as error:
        return Refusal.of(error)
    if chip is not None:
        particulars = particulars._replace(chip=chip)
    data = _card_data(desk, exchange, card, chip)
    if isinstance(data, Refusal):
        return data
    return wire, _authorize_request(desk, exchange, wire.kind, data, particulars)


def _unserved(desk: Desk, exchange: Exchange) -> Refusal | None:
    """Why nothing is served with a card read so, or in such a currency."""
    message = exchange.message
    how = message.text(22)[:2]
    if how not in ENTRY_MODES:
        return Refusal(rc.FUNCTION_NOT_SUPPORTED, "22", "this entry mode is not served")
    if how == MANUAL:
        merchant = desk.world.merchant(exchange.terminal.merchant)
        if merchant is None or not merchant.keyed:
            return Refusal(rc.NOT_PERMITTED_TO_TERMINAL, "22", "this merchant may not key a card's number in")
    if message.text(49) not in EXPONENTS:
        return Refusal(rc.FORMAT_ERROR, "49", "this currency is not served")
    return None


async def reverse(desk: Desk, exchange: Exchange) -> Answer | Refusal | None:
    """A 0400 repeats its original's 3, 4, 11, 22, 25 and 60; field 39 says why."""
    message = exchange.message
    wire = kinds.reversed_by(message, exchange.sixty)
    if wire is None:
        return Refusal(rc.FUNCTION_NOT_SUPPORTED, "3", "no such transaction is reversed here")
    if message.text(39) not in REVERSAL_REASONS:
        return Refusal(rc.FORMAT_ERROR, "39", f"is not one of {', '.join(REVERSAL_REASONS)}")
    request = ReverseRequest(
        kind=wire.kind,
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
    fields = _base_fields(desk, message, reply, institution="")
    if 2 in message.fields:
        fields[2] = message.fields[2]
    return Answer(fields, rrn=reply.rrn, code=reply.response_code)


def _card_data(desk: Desk, exchange: Exchange, card: Card, chip: Chip | None) -> CardData | Refusal:
    """The card for the issuer, its PIN block under the key and in the format of the institution that owns the BIN.

    Nobody owns it: no PIN block, and the switch says 15.
    """
    message, terminal, keys = exchange.message, exchange.terminal, exchange.keys
    institution = desk.world.institution_for(card.pan)
    if message.text(22)[2:] != _WITH_PIN or institution is None or keys is None:
        data = CardData(pan=card.pan, expiry=card.expiry, track2=card.track2)
        return data if chip is None else replace(data, sequence=chip.sequence, chip=chip.data)
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
    data = CardData(
        pan=card.pan,
        expiry=card.expiry,
        track2=card.track2,
        pin_block=PinBlock(block),
        pin_zone=institution.id,
        pin_key=zone.check_value,
        pin_format=institution.pin_format,
    )
    return data if chip is None else replace(data, sequence=chip.sequence, chip=chip.data)


def _authorize_request(
    desk: Desk, exchange: Exchange, kind: Kind, data: CardData, particulars: Particulars
) -> AuthorizeRequest:
    message, amount_minor = exchange.message, int(exchange.message.text(4) or 0)
    tid, batch, stan = exchange.terminal.tid, exchange.sixty.batch, message.text(11)
    cards, id_ = desk.keyring.cards, transaction_id(tid, batch, stan)
    # A sale's is what it was before there were other kinds: journals hold it.
    more = "" if kind is Kind.SALE else f"|{kind.value}|{particulars.content()}"
    chip = particulars.chip
    if chip is not None:
        more += f"|chip|{chip.facts.cryptogram}"
    fingerprints = cards.fingerprints(amount_minor, data.pan, message.text(3), more)
    target = particulars.target
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
        masked=cards.stored(data.pan, id_),
        fingerprint=fingerprints.current,
        other_fingerprints=fingerprints.others,
        other_digests=cards.other_digests(data.pan),
        target_digests=() if target is None else cards.other_digests(target),
        original=particulars.original,
        target=None if target is None else Target(pan=target, masked=cards.stored(target, id_)),
        instalment=particulars.instalment,
        takes_part=particulars.takes_part,
        chip=None if chip is None else chip.facts,
        chip_reader=exchange.sixty.reader_capability in _CHIP_READERS,
    )


def _base_fields(
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
