"""What the targets hold the code to. `BrokenPromiseError` is this package's own word for a promise that was not kept."""

from __future__ import annotations

import json
import re
from typing import Any

from iso8583 import DEFAULT_TPDU, FormatError, Message

_DATA = re.compile(r"\d{6}")
"""No rule of the profile has a number of six digits in it; what was received has."""


class BrokenPromiseError(AssertionError):
    """A promise that an input broke. The text never holds the input."""


def require(kept: bool, promise: str) -> None:
    """BrokenPromiseError unless `kept`."""
    if not kept:
        raise BrokenPromiseError(promise)


def well_said(error: FormatError) -> None:
    """BrokenPromiseError unless the error names a field and the rule, and holds nothing of what was received."""
    require(bool(error.field and error.reason), "an error names field and rule")
    require(str(error) == f"field {error.field}: {error.reason}", "an error reads `field …: …`")
    text = f"{error!r}{error.__cause__!r}"
    require(text.isascii() and len(text) < 250 and not _DATA.search(text), "an error holds nothing that was received")
    require(error.__cause__ is None, "an error has no cause that could hold what was received")


def says_what_is_read(data: bytes, message: Message) -> None:
    """BrokenPromiseError when accepted JSON has a member twice (its readers would disagree) or does not spell out, to the character, what was read."""

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(members)
        require(len(made) == len(members), "no member twice")
        return made

    form = json.loads(data.decode(), object_pairs_hook=pairs)
    spelled = {int(number): text for number, text in form["fields"].items()}
    for number, value in message.fields.items():
        same = spelled[number] == value if isinstance(value, str) else spelled[number].upper() == value.hex().upper()
        require(same, "JSON spells out what was read")
    require(form.get("tpdu", DEFAULT_TPDU.hex()).upper() == message.tpdu.hex().upper(), "JSON spells out the TPDU")
