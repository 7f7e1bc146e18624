"""Lines of keys: from a terminal key by key, with what must not be seen masked, or from a pipe, as if typed."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections import deque
from typing import Self

from contracts.money import Money
from contracts.pan import Pan
from lianji.pos.tables import CANCEL, Echo

_MOST = 64
"""Keys of a line; more are dropped, as a terminal's keyboard would beep."""
_BACKSPACE, _ESCAPE, _END = "\x7f\x08", "\x1b", "\x04"
_ERASE_LINE = "\r\x1b[K"


class Keyboard:
    """Standard input, line by line. What is keyed is shown behind `> `.

    A terminal shows nothing by itself as long as the keyboard is open, not even what is typed ahead: that may be a PIN.
    """

    def __init__(self) -> None:
        self._descriptor = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._descriptor) if os.isatty(self._descriptor) else None
        self._ahead: deque[str] = deque()

    def __enter__(self) -> Self:
        if self._before is not None:
            tty.setcbreak(self._descriptor, termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        """What the terminal had set is set again, whatever happened."""
        if self._before is not None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    def read(self, echo: Echo) -> str | None:
        """One line of keys without its end; None when there are no more. A Ctrl-C raises KeyboardInterrupt."""
        return self._line(echo) if self._before is None else self._key_by_key(echo)

    def _line(self, echo: Echo) -> str | None:
        line = sys.stdin.readline()
        if not line:
            return None
        keys = line.strip()[:_MOST]
        print(f"> {shown(keys, echo)}", flush=True)
        return keys

    def _key_by_key(self, echo: Echo) -> str | None:
        keys = ""
        while True:
            _put(f"{_ERASE_LINE}> {shown(keys, echo, whole=False)}")
            key = self._next()
            if key in ("\r", "\n"):
                break
            if key in ("", _END):
                _put("\n")
                return None
            if key == _ESCAPE:
                keys = CANCEL
                break
            keys = keys[:-1] if key in _BACKSPACE else (keys + key)[:_MOST] if key.isprintable() else keys
        _put(f"{_ERASE_LINE}> {shown(keys, echo)}\n")
        return keys.strip()

    def _next(self) -> str:
        """The next key; empty at the end. What an arrow or a function key sends is no key here."""
        while not self._ahead:
            data = os.read(self._descriptor, 256).decode("utf-8", "ignore")
            if not data:
                return ""
            if len(data) == 1 or not data.startswith(_ESCAPE):
                self._ahead.extend(data)
        return self._ahead.popleft()


def shown(keys: str, echo: Echo, *, whole: bool = True) -> str:
    """What is seen of a key-in; `whole` once it is done, when only the ends of a card number are left.

    >>> shown("1234", Echo.AMOUNT), shown("1234", Echo.MASKED), shown("*", Echo.MASKED)
    ('RMB 12.34', '****', '*')
    >>> shown("6291010000000012", Echo.CARD)
    '629101******0012'
    """
    if keys == CANCEL:
        return keys
    if echo is Echo.MASKED:
        return "*" * len(keys)
    if echo is Echo.AMOUNT and keys.isascii() and keys.isdigit() and len(keys) <= 12:
        return f"RMB {Money(int(keys))}"
    # A card number is masked at whichever question it was keyed: nothing else has so many digits but what a slip is named by.
    most = 11 if echo is Echo.CARD else 12
    return str(Pan(keys)) if whole and "/" not in keys and sum(map(str.isdigit, keys)) > most else keys


def _put(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
