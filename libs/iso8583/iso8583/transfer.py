"""Field 62 of a transfer: the card that the money goes to (ours).

ASCII: the length of the card number n2, then its 12 to 19 digits. Functions and no type: nothing here may print a card number.
"""

from __future__ import annotations

import re

from iso8583.errors import FormatError

_FORM = re.compile(rb"([0-9]{2})([0-9]{12,19})")


def target_card(data: bytes) -> str:
    """The card number of field 62, or FormatError."""
    found = _FORM.fullmatch(data)
    if found is None or int(found[1]) != len(found[2]):
        raise FormatError("62", "is not a length of two digits and a card number of that many")
    return found[2].decode("ascii")


def with_target(pan: str) -> bytes:
    """Field 62 that names this card, or FormatError.

    >>> with_target("6291010000000012")
    b'166291010000000012'
    """
    data = f"{len(pan):02d}{pan}".encode("ascii", "replace")
    if _FORM.fullmatch(data) is None:
        raise FormatError("62", "is not a card number of 12 to 19 digits")
    return data
