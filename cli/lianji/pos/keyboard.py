"""Lines of keys: from a terminal key by key, with what must not be seen masked, or from a pipe, as if typed."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections import deque

from contracts.money import Money
from contracts.pan import Pan
from lianji.pos.tables import CANCEL, Echo

_MOST = 64
"""Keys of a line; more are dropped, as a terminal's keyboard would beep."""
_BACKSPACE, _ESCAPE, _END = "\x7f\x08", "\x1b", "\x04"
_ERASE_LINE = "\r\x1b[K"


class Keyboard:
    """Standard input, line by line. What is keyed is shown behind `> `."""

    def __init__(self) -> None:
        self._descriptor = sys.stdin.fileno()
        self._is_terminal = os.isatty(self._descriptor)
        self._ahead: deque[str] = deque()

    def read(self, echo: Echo) -> str | None:
        """One line of keys without its end; None when there are no more. A Ctrl-C raises KeyboardInterrupt."""
        return self._key_by_key(echo) if self._is_terminal else self._line(echo)

    def _line(self, echo: Echo) -> str | None:
        line = sys.stdin.readline()
        if not line:
            return None
        keys = line.strip()[:_MOST]
        print(f"> {shown(keys, echo)}", flush=True)
        return keys

    def _key_by_key(self, echo: Echo) -> str | None:
        """The terminal does not show what is keyed: this does. What it had set is set again, whatever happens."""
        before = termios.tcgetattr(self._descriptor)
        try:
            tty.setcbreak(self._descriptor)
            keys = ""
            while True:
                _put(f"{_ERASE_LINE}> {shown(keys, echo, whole=False)}")
                key = self._next()
                if key in ("\r", "\n"):
                    break
                if key in ("", _END):
                    print()
                    return None
                if key == _ESCAPE:
                    keys = CANCEL
                    break
                keys = keys[:-1] if key in _BACKSPACE else (keys + key)[:_MOST] if key.isprintable() else keys
            _put(f"{_ERASE_LINE}> {shown(keys, echo)}\n")
            return keys.strip()
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)

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
    # A card number is masked at whichever question it was keyed; nothing else here has so many digits.
    return str(Pan(keys)) if whole and sum(map(str.isdigit, keys)) > 12 else keys


def _put(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
