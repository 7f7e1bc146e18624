"""Card data types in the hands of those who do not know them: whatever prints, copies, walks or encodes shows a mask or is refused."""

from __future__ import annotations

import base64
import copy
import dataclasses
import io
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, get_args

import msgspec
import pytest
import structlog

from contracts import authorization, journal, ledger, paper, questions, stop_list
from contracts.authorization import AuthorizeRequest, CardData, IssuerRequest
from contracts.codec import CARD_CARRIERS, decoder, encode, encode_stored
from contracts.kinds import Kind
from contracts.pan import MaskedCard, Pan, PinBlock, Secret, Track2

DIGITS = "6291010000000012"
DISCRETIONARY = "7310000000000"
TRACK = f"{DIGITS}D3512101{DISCRETIONARY}"
BLOCK = bytes.fromhex("5f1d00c4e7a9b362")
CLEAR = (DIGITS, DISCRETIONARY, BLOCK.hex(), base64.b64encode(BLOCK).decode(), str(BLOCK)[2:-1], str(list(BLOCK))[1:-1])

PAN, TRACK2, PIN_BLOCK = Pan(DIGITS), Track2(TRACK), PinBlock(BLOCK)
CARD = CardData(pan=PAN, track2=TRACK2, pin_block=PIN_BLOCK, pin_zone="bank")
TYPES: list[Any] = [PAN, TRACK2, PIN_BLOCK]
EVERY: list[Any] = [*TYPES, CARD]
SPEC: dict[type, str] = {Pan: ">30", Track2: "^9", PinBlock: "*<9", CardData: ""}


def check(shown: object) -> None:
    assert not any(clear in str(shown) for clear in CLEAR)


@dataclasses.dataclass
class Swipe:
    """What somebody may write tomorrow."""

    card: object


class Row(msgspec.Struct):
    card: Any


class LeakError(Exception):
    def __init__(self, card: object) -> None:
        super().__init__(card)
        self.card = card


def logged(card: object) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "card %s %r", (card, card), None)
    handler.emit(record)
    return out.getvalue()


def raised(card: object) -> str:
    try:
        raise LeakError(card)
    except LeakError as error:
        return f"{error}{error!r}{error.args}{traceback.format_exc()}"


def rendered_by_structlog(card: object) -> str:
    out = io.StringIO()
    processors: list[Any] = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    log = structlog.wrap_logger(structlog.PrintLogger(out), processors=processors)
    try:
        raise LeakError(card)
    except LeakError:
        log.msg("x", card=card, inside=[{"card": card}], exc_info=True)
    return out.getvalue()


SHOWN: dict[str, Callable[[Any], object]] = {
    "str": str,
    "repr": repr,
    "f-string": lambda card: f"{card} {card!r} {card!s} {format(card, SPEC[type(card)])}",
    "format": lambda card: "{} {!r}".format(card, card),  # noqa: UP032 - it is this way that is tried
    "percent": lambda card: "%s %r" % (card, card),  # noqa: UP031
    "in a list": lambda card: repr([card, (card,), {"card": card}]),
    "pprint": pprint.pformat,
    "logging": logged,
    "structlog": rendered_by_structlog,
    "exception": raised,
    "dataclass": lambda card: (
        repr(Swipe(card)),
        repr(dataclasses.asdict(Swipe(card))),
        dataclasses.astuple(Swipe(card)),
    ),
    "struct": lambda card: (repr(Row(card)), msgspec.structs.asdict(Row(card)), msgspec.structs.astuple(Row(card))),
    "copies": lambda card: (copy.copy(card), copy.deepcopy(card), copy.deepcopy([{"card": card}])),
    "json, default=str": lambda card: json.dumps({"card": card}, default=str),
    "json, default=repr": lambda card: json.dumps({"card": card}, default=repr),
}


@pytest.mark.parametrize("way", SHOWN)
@pytest.mark.parametrize("card", EVERY, ids=lambda card: type(card).__name__)
def test_what_shows_shows_a_mask(way: str, card: Any) -> None:
    shown = SHOWN[way](card)
    assert str(shown)
    check(shown)


@pytest.mark.parametrize("card", TYPES, ids=lambda card: type(card).__name__)
def test_msgspec_with_a_hook_that_knows_nothing_writes_the_mask(card: Any) -> None:
    for hook in (str, repr):
        for written in (
            msgspec.json.encode(Row(card), enc_hook=hook),
            msgspec.msgpack.encode(Row(card), enc_hook=hook),
            msgspec.to_builtins(Row(card), enc_hook=hook),
        ):
            check(written)
            assert b"*" in written if isinstance(written, bytes) else "*" in str(written)
    check(msgspec.json.encode(CARD, enc_hook=str))


REFUSED: dict[str, Callable[[Any], object]] = {
    "json": lambda card: json.dumps({"card": card}),
    "json of attributes": lambda card: json.dumps({"card": card}, default=vars),
    "msgspec JSON": lambda card: msgspec.json.encode(Row(card)),
    "msgspec MessagePack": lambda card: msgspec.msgpack.encode(Row(card)),
    "msgspec builtins": lambda card: msgspec.to_builtins(Row(card)),
    "records": lambda card: encode_stored(Row(card)),
    "messages": lambda card: encode(Row(card)),
    **{f"pickle {n}": lambda card, n=n: pickle.dumps([card], protocol=n) for n in range(pickle.HIGHEST_PROTOCOL + 1)},
    "pickle's own way": lambda card: object.__reduce_ex__(card, 2),
}


@pytest.mark.parametrize("way", REFUSED)
@pytest.mark.parametrize("card", TYPES, ids=lambda card: type(card).__name__)
def test_what_encodes_is_refused_by_the_type_s_name(way: str, card: Any) -> None:
    with pytest.raises(TypeError) as caught:
        REFUSED[way](card)
    check(caught.value)
    assert type(card).__name__ in str(caught.value) or "__dict__" in str(caught.value)


@pytest.mark.parametrize("card", [PAN, TRACK2], ids=lambda card: type(card).__name__)
def test_no_attribute_leads_to_the_clear_value(card: Secret) -> None:
    """Serialisers that know nothing of a type walk over its attributes."""
    names = {*dir(card), *(name for kind in type(card).__mro__ for name in getattr(kind, "__slots__", ()))}
    values = {name: getattr(card, name, None) for name in names}
    check({name: value for name, value in values.items() if not callable(value)})
    check(object.__getstate__(card))  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        vars(card)
    with pytest.raises(AttributeError):
        card._clear  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError):
        card._clear = "1"  # type: ignore[attr-defined]


def test_the_clear_value_is_there_for_who_asks_by_name() -> None:
    assert PAN.clear() == DIGITS
    assert (PAN.first6, PAN.last4, str(PAN)) == ("629101", "0012", "629101******0012")
    assert TRACK2.clear() == TRACK
    assert (TRACK2.pan, TRACK2.expiry, TRACK2.service_code) == (PAN, "3512", "101")
    assert TRACK2.discretionary() == DISCRETIONARY
    assert bytes(PIN_BLOCK) == BLOCK == PIN_BLOCK
    assert {PAN: 1}[Pan(DIGITS)] == 1
    assert Pan(DIGITS) == PAN
    assert PAN not in (Track2(DIGITS), DIGITS, Pan("1"))


@pytest.mark.parametrize("digits", ["", "1", "62910100001"])
def test_a_mask_does_not_fail_open(digits: str) -> None:
    assert (str(Pan(digits)), Pan(digits).first6, Pan(digits).last4) == ("****", "", "")


def authorize_request() -> AuthorizeRequest:
    return AuthorizeRequest(
        kind=Kind.SALE,
        terminal="T",
        merchant="M",
        batch="000001",
        stan="000001",
        amount_minor=1,
        currency="156",
        entry_mode="021",
        card=CARD,
        masked=MaskedCard(
            first6="629101", last4="0012", length=16, digest="d" * 32, key_version=2, sealed=b"\xff" * 44
        ),
        fingerprint="2:" + "f" * 32,
        other_fingerprints=("1:" + "f" * 32,),
    )


def issuer_request() -> IssuerRequest:
    return IssuerRequest(
        transaction="T:000001:000001",
        rrn="000000000001",
        kind=Kind.SALE,
        terminal="T",
        merchant="M",
        amount_minor=1,
        currency="156",
        entry_mode="021",
        card=CARD,
    )


@pytest.mark.parametrize("make", [authorize_request, issuer_request])
def test_the_two_messages_that_carry_a_card_arrive_whole(make: Callable[[], msgspec.Struct]) -> None:
    message = make()
    arrived: Any = decoder(type(message)).decode(encode(message))
    assert arrived == message
    assert (type(arrived.card.pan), type(arrived.card.track2), type(arrived.card.pin_block)) == (Pan, Track2, PinBlock)


@pytest.mark.parametrize("make", [authorize_request, issuer_request, lambda: CARD])
def test_nothing_that_holds_a_card_can_be_stored(make: Callable[[], msgspec.Struct]) -> None:
    with pytest.raises(TypeError):
        encode_stored(make())


class Disguised(AuthorizeRequest, frozen=True, kw_only=True):
    """A record that inherits what it should not have."""


@pytest.mark.parametrize("wrong", [CARD, Row(CARD), Disguised(**msgspec.structs.asdict(authorize_request()))])
def test_no_other_message_is_written_with_a_card(wrong: msgspec.Struct) -> None:
    with pytest.raises(TypeError) as caught:
        encode(wrong)
    check(caught.value)


def structs_of(*modules: ModuleType) -> Iterator[type]:
    for module in modules:
        yield from (
            kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        )


def holds_card_data(kind: Any) -> bool:
    """Whether a value of this type can hold a secret, at any depth."""
    if isinstance(kind, type) and issubclass(kind, Secret | PinBlock):
        return True
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return any(holds_card_data(field.type) for field in msgspec.structs.fields(kind))
    return any(holds_card_data(inner) for inner in get_args(kind))


def test_no_other_message_has_a_field_for_a_card() -> None:
    """Of all that services say to each other and write down."""
    holders = {
        kind
        for kind in structs_of(authorization, journal, ledger, paper, questions, stop_list)
        if holds_card_data(kind)
    }
    assert holders == {*CARD_CARRIERS, CardData, authorization.Target}
    assert not any(
        holds_card_data(record) for union in (journal.Record, ledger.LedgerRecord) for record in get_args(union)
    )


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"pan":6291010000000012}', "$.pan"),
        (b'{"pan":"6291010000000012","track2":5}', "$.track2"),
        (b'{"pan":"6291010000000012","pin_block":"no base64!"}', "$.pin_block"),
        (b'{"pan":"6291010000000012","pin_block":["6291010000000012"]}', "$.pin_block"),
    ],
)
def test_what_cannot_be_decoded_is_named_by_its_path(body: bytes, path: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        decoder(CardData).decode(body)
    assert str(caught.value).endswith(f"at `{path}`")
    check(caught.value)
