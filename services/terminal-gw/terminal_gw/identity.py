"""Mutual TLS: a connection speaks for the terminal of its certificate and for no other."""

from __future__ import annotations

from typing import Any, NamedTuple

import iso8583
from contracts.response_codes import NOT_PERMITTED_TO_TERMINAL
from iso8583 import FormatError
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


def not_the_holder(body: bytes, holder: str) -> NotTheHolder | None:
    """A refusal when field 41 can be read and is not the holder's; None leaves the message, or what is wrong with it, to the pipeline.

    Without a MAC: one under the keys of the terminal in field 41 would be made for somebody who is not that terminal.
    """
    message = iso8583.salvage(body)
    if message is None or 41 not in message.fields or message.text(41) == holder:
        return None
    fields = repeated(message)
    fields[39] = NOT_PERMITTED_TO_TERMINAL
    try:
        answer = iso8583.encode(iso8583.reply_to(message, fields))
    except FormatError:
        return None  # no request's MTI: the pipeline closes the connection
    return NotTheHolder(answer, message.mti, message.text(41), message.text(11))
