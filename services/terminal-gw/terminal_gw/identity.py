"""Mutual TLS: a connection speaks for the terminal of its certificate and for no other."""

from __future__ import annotations

from typing import Any, NamedTuple

import iso8583
from contracts.response_codes import NOT_PERMITTED_TO_TERMINAL
from iso8583 import FormatError, Message
from terminal_gw.answers import repeated


class NotTheHolder(NamedTuple):
    """A message of another terminal: its answer's body, and what the log may say of it."""

    answer: bytes
    mti: str
    terminal: str
    stan: str
    response_code: str = NOT_PERMITTED_TO_TERMINAL


def holder_of(certificate: dict[str, Any] | None) -> str:
    """The subject's common name, the terminal number (RFC 5280, 4.1.2.6); empty when there is none, or more than one.

    >>> holder_of({"subject": ((("countryName", "CN"),), (("commonName", "10000001"),))})
    '10000001'
    """
    names = [value for rdn in (certificate or {}).get("subject", ()) for key, value in rdn if key == "commonName"]
    return str(names[0]) if len(names) == 1 else ""


def spoken_by(body: bytes, holder: str) -> Message | NotTheHolder | None:
    """The holder's message; or a refusal when field 41, as far as it could be read, is another's; None when it can only be refused as damaged."""
    try:
        message = iso8583.decode(body)
        iso8583.reply_mti(message.mti)
    except FormatError:
        read = iso8583.salvage(body)
        return None if read is None else _refusal(read, holder)
    return _refusal(message, holder) or message


def _refusal(message: Message, holder: str) -> NotTheHolder | None:
    """Without a MAC: one under the keys of the terminal in field 41 would be made for somebody who is not that terminal."""
    if 41 not in message.fields or message.text(41) == holder:
        return None
    fields = repeated(message)
    fields[39] = NOT_PERMITTED_TO_TERMINAL
    try:
        answer = iso8583.encode(iso8583.reply_to(message, fields))
    except FormatError:
        return None  # no request's MTI: the pipeline closes the connection
    return NotTheHolder(answer, message.mti, message.text(41), message.text(11))
