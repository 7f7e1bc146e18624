"""Whatever a terminal says in a request of any kind, the switch is asked just that, and a repetition is answered with the same bytes."""

from __future__ import annotations

import asyncio
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import iso8583
import world
from contracts.authorization import AuthorizeReply, AuthorizeRequest, Original
from contracts.kinds import KINDS, Effect, Kind
from contracts.pan import Pan, luhn_check_digit
from contracts.terms import Balance, InstalmentPlan, InstalmentTerms
from iso8583 import Balances54, Terms62, Value
from tests.support_kinds import Line, said_of
from tests.unit.test_gateway_pipeline import AT_MS, TCP, WORLD

CARDS = [card for card in WORLD.cards if card.expiry != "2001"][:6]
IN_GOODS = "ABCXYZ abc.-/"
"""No digits: a name that holds as many as a card number is refused."""
minor = st.integers(1, 10**12 - 1)
alphanumeric = st.text("0123456789ABCZ", min_size=6, max_size=6)


def number(width: int) -> st.SearchStrategy[str]:
    return st.integers(0, 10**width - 1).map(lambda value: f"{value:0{width}d}")


originals = st.builds(
    Original,
    batch=st.just("000006"),  # never the request itself
    stan=number(6),
    date=st.dates().map(lambda day: day.strftime("%m%d")),
    rrn=number(12),
    authorization_code=alphanumeric,
)
plans = st.builds(
    InstalmentPlan,
    periods=st.integers(0, 99),
    goods=st.text(IN_GOODS, max_size=30).map(str.rstrip),
    fee_mode=st.sampled_from("01"),
)
targets = st.text("0123456789", min_size=11, max_size=18).map(lambda partial: partial + luhn_check_digit(partial))
replies = st.builds(
    AuthorizeReply,
    response_code=st.sampled_from(["00", "51", "12", "91"]),
    rrn=number(12),
    at_ms=st.integers(0, 10**12).map(lambda offset: AT_MS + offset),
    authorization_code=st.one_of(st.just(""), alphanumeric),
    institution=st.sampled_from(["", *(bank.id for bank in WORLD.institutions)]),
)
balances = st.builds(
    Balance, available_minor=st.integers(1 - 10**12, 10**12 - 1), currency=st.just("156"), account_type=number(2)
)
amounts = st.integers(0, 10**12 - 1)
terms = st.builds(
    InstalmentTerms,
    first_minor=amounts,
    currency=st.just("156"),
    fee_minor=amounts,
    points=amounts,
    fee_mode=st.sampled_from("01"),
    first_fee_minor=amounts,
    period_fee_minor=amounts,
)


@cache
def line() -> Line:
    return Line()


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    kind=st.sampled_from(Kind),
    amount_minor=minor,
    stan=number(6),
    card=st.sampled_from(CARDS),
    takes_part=st.booleans(),
    reply=replies,
)
def test_the_switch_is_asked_what_the_terminal_said_and_the_terminal_told_what_the_bank_said(
    *,
    data: st.DataObject,
    kind: Kind,
    amount_minor: int,
    stan: str,
    card: world.Card,
    takes_part: bool,
    reply: AuthorizeReply,
) -> None:
    house, original, plan, target = line(), data.draw(originals), data.draw(plans), data.draw(targets)
    looks, message_type = KINDS[kind].effect is Effect.LOOKS, KINDS[kind].message_type
    change: dict[int, Value | None] = {4: None if looks else f"{amount_minor:012d}", 11: stan}
    change |= {60: f"{message_type}000007000" + ("001" if takes_part else "")}
    if kind is Kind.OFFLINE_SALE:
        change |= {2: card.pan.clear(), 14: card.expiry}
    else:
        change |= {35: world.track2(card).clear()}
    with_pin = house.request(kind).text(22)[2:] == "1"
    if with_pin:
        assert house.terminal.pin is not None
        change |= {52: house.terminal.module.encrypt_pin(house.terminal.pin, card.pin, card.pan)}
    if kind is Kind.TRANSFER:
        change |= {62: iso8583.with_target(target)}
    message = house.request(kind, change, original=original, plan=plan)
    house.switch.answers["authorize"] = said = _with_more(data, kind, takes_part, reply)
    body = iso8583.encode(message)
    first, again = (asyncio.run(house.gateway.pipeline.receive(body, TCP)) for _ in range(2))
    assert first == again
    assert first.answer is not None
    _is_what_was_said(iso8583.decode(first.answer), kind, said)
    asked: AuthorizeRequest = house.switch.last(AuthorizeRequest)
    assert (asked.kind, asked.stan, asked.amount_minor) == (kind, stan, 0 if looks else amount_minor)
    assert (asked.card.pan, asked.card.expiry, bool(asked.card.pin_block)) == (card.pan, card.expiry, with_pin)
    assert asked.original == said_of(kind, original)
    assert asked.instalment == (plan if kind is Kind.INSTALMENT else None)
    assert (asked.target.pan if asked.target else None) == (Pan(target) if kind is Kind.TRANSFER else None)
    assert asked.takes_part == (takes_part and kind is Kind.SALE)


def _with_more(data: st.DataObject, kind: Kind, takes_part: bool, reply: AuthorizeReply) -> AuthorizeReply:
    """What a bank may say beside yes."""
    if reply.response_code != "00":
        return reply
    more: dict[Kind, dict[str, object]] = {
        Kind.SALE: {"response_code": "10", "part_minor": data.draw(minor)} if takes_part else {},
        Kind.BALANCE: {"balance": data.draw(balances)},
        Kind.INSTALMENT: {"instalment": data.draw(terms)},
    }
    return replace(reply, **more.get(kind, {}))


def _is_what_was_said(answer: iso8583.Message, kind: Kind, said: AuthorizeReply) -> None:
    assert (answer.text(37), answer.text(38), answer.text(39)) == (
        said.rrn,
        said.authorization_code,
        said.response_code,
    )
    if said.part_minor:
        assert int(answer.text(4)) == said.part_minor
    assert (54 in answer.fields) == (said.balance is not None)
    if said.balance is not None:
        (told,) = Balances54.parse(answer.text(54)).amounts
        assert (told.account_type, told.amount_type, told.minor) == (
            said.balance.account_type,
            iso8583.AVAILABLE,
            said.balance.available_minor,
        )
    assert (62 in answer.fields) == (said.instalment is not None)
    if said.instalment is not None:
        told_terms, wanted = Terms62.parse(answer.data(62)), said.instalment
        assert told_terms._asdict() == {name: getattr(wanted, name) for name in Terms62._fields}
