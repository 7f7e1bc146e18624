"""The last net for text that leaves the process: what looks like card data is masked, whoever wrote the text and however.

The first net is that nobody writes it: the types of `contracts.pan` print masked. This one is for the mistake.
"""

from __future__ import annotations

import re

SHORTEST_PAN, LONGEST_PAN = 13, 19
_DIGIT_RUN = re.compile(r"(?<!\d)(\d{13,})(?:([Dd=])\d*)?")
"""Card numbers have 13 to 19 digits; a reference number (RRN) has 12 and survives. A longer run may hold one anywhere, as a frame in hex
does. Behind a separator stands the rest of a track 2 (ISO/IEC 7813)."""
_BYTES = re.compile(r"""\bb(?:'(?:\\.|[^'\\])*(?:'|\Z)|"(?:\\.|[^"\\])*(?:"|\Z))""", re.DOTALL)
"""Bytes as Python shows them; cut short, they end with the text. A frame's digits are packed, and hide behind letters and escapes."""
_NAMED = re.compile(r"(?i)(?<![a-z0-9])(pin|cvv2?|cvc2?)([^a-z0-9]{1,6})\d{3,12}(?![0-9a-z])")
MASK = "****"


def mask(text: str) -> str:
    """`text` with card numbers shown as their first 6 and last 4, and of tracks, longer digit runs, bytes, PINs and CVVs nothing.

    >>> mask("card 6291010000000018 rrn 010000000042")
    'card 629101******0018 rrn 010000000042'
    >>> mask("6291010000000018D3512101123 and b'\\\\x16b\\\\x91' and pin=123456")
    "629101******0018D**** and b'…' and pin=****"
    """
    if len(text) >= SHORTEST_PAN:
        text = _DIGIT_RUN.sub(_run, text)
    if "b'" in text or 'b"' in text:
        text = _BYTES.sub("b'…'", text)
    if "pin" in (lower := text.lower()) or "cv" in lower:
        text = _NAMED.sub(rf"\1\2{MASK}", text)
    return text


def _run(match: re.Match[str]) -> str:
    digits = match[1]
    shown = digits[:6] + "*" * (len(digits) - 10) + digits[-4:] if len(digits) <= LONGEST_PAN else MASK
    return shown + (match[2] + MASK if match[2] else "")
