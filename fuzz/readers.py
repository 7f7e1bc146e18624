"""The pure targets: functions that turn bytes into values. Each may raise FormatError and nothing else, and keeps what it promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import iso8583
from fuzz.promises import require, says_what_is_read, well_said
from iso8583 import (
    FIELDS,
    Answer55,
    Balances54,
    Field53,
    Field59,
    Field60,
    FormatError,
    FrameReader,
    Header,
    Institutions44,
    Keys62,
    Message,
    Original61,
    Plan62,
    Terms62,
    Texts63,
    Totals48,
    tlv,
)
from iso8583.compiled import DECODERS, ENCODERS

T = TypeVar("T")
_NUMBERS = tuple(FIELDS)
_EXACT: tuple[Any, ...] = (Balances54, Field53, Field60, Totals48, Original61)
"""What they pack is what they parsed, to the digit."""
_FILLED: tuple[Any, ...] = (Institutions44, Texts63)
"""These lose their filling, so what they pack parses to the same."""
_SHORTEST_MASKED = 13


def attempt(function: Callable[..., T], *arguments: Any) -> T | None:
    """What the function gives, or None when it raised a FormatError as it should be."""
    try:
        return function(*arguments)
    except FormatError as error:
        well_said(error)
        return None


def frames(data: bytes) -> None:
    """A stream gives the same frames however it is cut, and what it gives is what came in."""
    whole, wrong = _popped(data, len(data) or 1)
    require((whole, wrong) == _popped(data, 1 + data[0] % 7 if data else 1), "frames do not depend on how they are cut")
    again = b"".join(iso8583.frame(body) for body in whole)
    require(data.startswith(again), "frames are what came in")
    attempt(iso8583.frame, data)


def _popped(data: bytes, step: int) -> tuple[list[bytes], str]:
    reader, bodies = FrameReader(), []
    for at in range(0, len(data), step):
        reader.push(data[at : at + step])
        try:
            while (body := reader.pop()) is not None:
                bodies.append(body)
        except FormatError as error:
            well_said(error)
            return bodies, error.reason
    return bodies, ""


def codec(data: bytes) -> None:
    """Strict and canonical: what decodes has exactly one encoding, and can be shown, protected and answered."""
    salvaged, message = iso8583.salvage(data), attempt(iso8583.decode, data)
    for read in (salvaged, message):
        if read is not None:
            shown_masked(read)
    if message is None:
        return
    require(iso8583.encode(message) == data, "what decodes has one encoding")
    require(salvaged == message, "nothing is lost in salvage")
    block = attempt(iso8583.mac_block, data)
    require((block is not None) == (64 in message.fields), "field 64 and nothing else makes a MAC block")
    require(block is None or block == data[iso8583.MTI_AT : -iso8583.MAC_SIZE], "the MAC block ends before field 64")
    reply = attempt(iso8583.reply_to, message, message.fields)
    require(reply is None or iso8583.decode(iso8583.encode(reply)) == reply, "an answer decodes")


def shown_masked(message: Message) -> None:
    """Both forms for people can be made, and show neither card number nor track.

    Looked for under the usual envelope and with 13 characters or more, so that nothing else looks like it by chance.
    """
    message = replace(message, tpdu=iso8583.DEFAULT_TPDU, header=Header())
    shown = repr(message) + iso8583.masked_dump(message)
    for number in (2, 35, 36):
        secret = message.text(number)
        visible = any(secret in v for n, v in message.fields.items() if n != number and isinstance(v, str))
        if len(secret) >= _SHORTEST_MASKED and not visible:
            require(secret not in shown, "a dump shows no card data")


def fields(data: bytes) -> None:
    """One row of the field table (the first byte says which), both directions, with bytes and with text."""
    if not data:
        return
    number = _NUMBERS[data[0] % len(_NUMBERS)]
    decode, encode = DECODERS[number], ENCODERS[number]
    read = attempt(decode, data, 1)
    if read is not None:
        value, end = read
        require(end <= len(data), "a field ends inside the message")
        require(encode(value) == data[1:end], "a field that decodes has one encoding")
    for value in (data[1:], data[1:].decode("latin-1"), data[1:].decode("utf-8", "surrogateescape")):
        written = attempt(encode, value)
        require(written is None or decode(written, 0) == (value, len(written)), "a field that encodes decodes")


def subfields(data: bytes) -> None:
    """What stands inside fields, the header's digits and message types, from any text at all."""
    for text in {data.decode("latin-1"), data.decode("utf-8", "surrogateescape")}:
        for kind in _EXACT:
            parsed = attempt(kind.parse, text)
            require(parsed is None or parsed.pack() == text, "digits are written as they were read")
        for kind in _FILLED:
            parsed = attempt(kind.parse, text)
            require(parsed is None or kind.parse(parsed.pack()) == parsed, "texts survive their filling")
        header = attempt(Header.parse, text)
        require(header is None or header.digits == text, "a header is written as it was read")
        attempt(iso8583.reply_mti, text)
    keys = attempt(Keys62.parse, data)
    require(keys is None or keys.pack() == data, "keys are written as they were read")
    for form in (Plan62, Terms62):
        inside: Any = attempt(form.parse, data)
        require(inside is None or inside.pack() == data, "field 62 is written as it was read")
    target = attempt(iso8583.target_card, data)
    require(target is None or iso8583.with_target(target) == data, "a target is written as it was read")
    objects = attempt(tlv.parse, data, "55")
    require(objects is None or tlv.pack(objects) == data, "objects are written as they were read")
    said = attempt(iso8583.parse_request, data)
    require(said is None or (objects is not None and said.items() <= objects.items()), "tags are not made up")
    attempt(Answer55.parse, data)
    serial = attempt(Field59.parse, data)
    require(serial is None or serial.pack() == data, "tags are written as they were read")


def json_form(data: bytes) -> None:
    """The JSON form has one meaning, and what is valid in it goes over the line unchanged."""
    message = attempt(iso8583.from_json, data)
    if message is None:
        return
    says_what_is_read(data, message)
    shown_masked(message)
    body = attempt(iso8583.encode, message)
    if body is None:
        return
    require(iso8583.decode(body) == message, "what encodes decodes")
    require(iso8583.from_json(iso8583.to_json(message)) == message, "a message survives its JSON form")


def profile(data: bytes) -> None:
    """The profile says what is missing; what it lets pass has it."""
    message = attempt(iso8583.from_json if data[:1] == b"{" else iso8583.decode, data)
    if message is None:
        return
    iso8583.carries_mac(message.mti)
    rule = attempt(iso8583.rule_for, message)
    try:
        iso8583.check_profile(message)
    except FormatError as error:
        well_said(error)
        return
    refusal = message.text(39) not in ("", "00")
    missing = () if rule is None or refusal else set(rule.mandatory) - set(message.fields)
    require(not missing, "what passes the profile lacks nothing")
    if 59 in message.fields and rule is not None and not refusal:
        require(attempt(Field59.parse, message.data(59)) is not None, "a field 59 that passes the profile can be read")
    for number, kind in (
        (44, Institutions44),
        (48, Totals48),
        (53, Field53),
        (54, Balances54),
        (60, Field60),
        (61, Original61),
        (63, Texts63),
    ):
        attempt(kind.parse, message.text(number))
