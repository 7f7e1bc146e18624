"""Messages for people, with card data masked when the text is made."""

from __future__ import annotations

from iso8583.compiled import Value
from iso8583.fields import FIELDS, Shown
from iso8583.message import Message


def masked_dump(message: Message) -> str:
    """One line per field: number, name, value; what must not be seen is a mask with a length."""
    lines = [
        f"TPDU {message.tpdu.hex()}  header {message.header.digits}  MTI {message.mti}",
        *(
            f"  {number:>3}  {_name(number):<36} {_masked(number, value)}"
            for number, value in sorted(message.fields.items())
        ),
    ]
    return "\n".join(lines)


def masked_line(message: Message) -> str:
    """The same in one line: what `repr` gives."""
    fields = ", ".join(f"{number}: {_masked(number, value)}" for number, value in sorted(message.fields.items()))
    return f"Message({message.mti}, {{{fields}}})"


def _name(number: int) -> str:
    field = FIELDS.get(number)
    return field.name if field else "not in the profile"


def _masked(number: int, value: Value) -> str:
    field = FIELDS.get(number)
    if field is None or not isinstance(value, str | bytes):
        return "****"
    if field.shown is Shown.NEVER or isinstance(value, bytes):
        return f"**** ({len(value)})"
    if field.shown is Shown.PAN:  # a card number too short to keep both ends shows nothing: the mask must not fail open
        return value[:6] + "*" * (len(value) - 10) + value[-4:] if len(value) >= 12 else "****"
    return value
