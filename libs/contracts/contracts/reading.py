"""Reading messages that came from somebody else: a reader per kind, made once per module, and one error for all that can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from contracts.codec import decoder

T = TypeVar("T")

_HARMLESS = ("Expected ", "Object missing required field", "JSON is malformed", "Input data was truncated")
"""How msgspec's sentences begin that hold no part of what was read. Others quote a value, or a member's name, which is the sender's."""


class UnreadableError(Exception):
    """Bytes that are not the message they should be. Names the path and the rule, and never holds what was received."""


def rule(error: Exception) -> str:
    """Path and rule of what msgspec raised, without any value.

    >>> from contracts.authorization import IssuerReverseRequest
    >>> try: msgspec.json.decode(b'{"transaction": "1", "reason": "98"}', type=IssuerReverseRequest)
    ... except msgspec.MsgspecError as error: rule(error)
    '$.transaction: Expected `str` matching regex \\'^[^:]{1,8}:[0-9]{6}:[0-9]{6}$\\''
    """
    if not isinstance(error, msgspec.MsgspecError):
        return "is not UTF-8" if isinstance(error, UnicodeDecodeError) else "is nested too deeply"
    text, at, path = str(error).rpartition(" - at ")
    if not at:
        text, path = path, "$"
    return f"{path.strip('`')}: {text if text.startswith(_HARMLESS) else 'holds what it cannot hold'}"


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """Bytes → `kind`; raises UnreadableError and nothing else."""
    decode = decoder(kind).decode

    def read(body: bytes) -> T:
        try:
            return decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableError(rule(error)) from None

    return read
