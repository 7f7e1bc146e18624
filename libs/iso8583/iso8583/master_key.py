"""Field 62 of a sign-on when the terminal's master key (TMK) is being changed (docs/terminal-protocol.md, chapter 5; ours).

The request names the master key that the terminal holds. The answer has the session keys under that key and behind them, when the host
has a newer one, the newer master key under the one that was named, with its check value: 20 bytes more than the session keys alone.
"""

from __future__ import annotations

from iso8583.errors import FormatError
from iso8583.subfields import DownloadedKey, Keys62

_MASTER_BYTES, _CHECK_BYTES = 16, 4
_DIGITS = frozenset("0123456789ABCDEF")


def named_master(data: bytes) -> str:
    """The check value, 8 upper-case hex digits, that a request's field 62 names.

    Empty when it is anything else: terminals of other profiles tell their serial number there, and that is not looked at.

    >>> named_master(b"08D7B4FB"), named_master(b"Sequence No16PAX000123")
    ('08D7B4FB', '')
    """
    text = data.decode("ascii", "replace")
    return text if len(text) == 2 * _CHECK_BYTES and _DIGITS.issuperset(text) else ""


def with_master(keys: bytes, master: DownloadedKey | None) -> bytes:
    """Field 62 of an answer: session keys (`Keys62.pack`), and the next master key if there is one."""
    return keys if master is None else keys + master.cryptogram + master.check_value


def split_master(data: bytes, *, session_bytes: int) -> tuple[Keys62, DownloadedKey | None]:
    """What `with_master` put together, or FormatError. `session_bytes`: what the session keys that were asked for take (24 or 40)."""
    rest = data[session_bytes:]
    if len(rest) not in (0, _MASTER_BYTES + _CHECK_BYTES):
        raise FormatError("62", "has more than the session keys and one master key")
    master = DownloadedKey(rest[:_MASTER_BYTES], rest[_MASTER_BYTES:]) if rest else None
    return Keys62.parse(data[:session_bytes]), master
