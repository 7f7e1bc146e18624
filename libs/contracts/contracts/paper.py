"""The paper of a terminal's printer: 32 columns, a Chinese character takes two. Slips and settlement slips are laid out with it."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

WIDTH = 32
"""Columns of 58 mm paper in the printer's 12 × 24 dot font."""

RULE = "-" * WIDTH

_TOKENS = re.compile(r"[!-~]+ *| +|[^ -~][，。、；：！？）》」]*")
"""The pieces that a line may end after: a word with its spaces; a wide character with the punctuation that closes it."""


def columns(text: str) -> int:
    """How many columns `text` takes (UAX #11: wide and full-width characters take two).

    >>> columns("POS签购单")
    9
    """
    return len(text) if text.isascii() else _wide_columns(text)


@lru_cache(maxsize=1024)  # labels and names come again on every slip
def _wide_columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def wrap(text: str, width: int = WIDTH) -> list[str]:
    """`text` in lines of at most `width` columns; breaks between words and between Chinese characters, cuts a word only when a line cannot hold it.

    >>> wrap("同意将其计入，本人账户", 14)
    ['同意将其计入，', '本人账户']
    """
    if columns(text) <= width:
        return [text.rstrip()]
    lines: list[str] = []
    line = ""
    for token in _TOKENS.findall(text):
        if columns(line) + columns(token.rstrip()) <= width:
            line += token
            continue
        if line.strip():
            lines.append(line.rstrip())
        line = token
        while columns(line.rstrip()) > width:  # one piece wider than the paper is cut
            head = next(n for n in range(len(line), 0, -1) if columns(line[:n]) <= width)
            lines.append(line[:head])
            line = line[head:]
    lines.append(line.rstrip())
    return lines


def centred(text: str, width: int = WIDTH) -> str:
    return " " * max(0, (width - columns(text)) // 2) + text


def right(text: str, width: int = WIDTH) -> str:
    return " " * max(0, width - columns(text)) + text


@lru_cache(maxsize=4096)  # most of a slip says what the slips of the same terminal say
def field(label: str, value: str) -> tuple[str, ...]:
    """`label: value` on one line where it fits, else the value below, to the right.

    >>> field("批次号(BATCH NO)", "000001")
    ('批次号(BATCH NO): 000001',)
    """
    if columns(label) + 2 + columns(value) <= WIDTH:
        return (f"{label}: {value}",)
    below = wrap(value)
    return (f"{label}:", *(right(line) for line in below))


def table_row(name: str, count: str, amount: str) -> list[str]:
    """One row of a settlement slip's table: name 12 columns, count 6, amount 14; a longer name takes a line of its own.

    >>> table_row("消费", "3", "37.02")
    ['消费             3         37.02']
    """
    numbers = right(count, 6) + right(amount, 14)
    if columns(name) > 12:
        return [name, right(numbers)]
    return [name + " " * (12 - columns(name)) + numbers]
