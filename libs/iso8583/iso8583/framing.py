"""Frames on a byte stream: a 2-byte big-endian length, which does not count itself, then a body."""

from __future__ import annotations

from iso8583.errors import FormatError

MAX_FRAME = 4096
"""Most bytes in a body; a length above it is refused from the two bytes alone."""
LENGTH_SIZE = 2


def frame(body: bytes) -> bytes:
    """A body with its length before it; FormatError when it is empty or too long.

    >>> frame(b"abc").hex()
    '0003616263'
    """
    if not 0 < len(body) <= MAX_FRAME:
        raise FormatError("length", f"{len(body)} is not between 1 and {MAX_FRAME}")
    return len(body).to_bytes(LENGTH_SIZE, "big") + body


class FrameReader:
    """Cuts a stream into bodies. It never holds more than one frame and what came with it.

    >>> reader = FrameReader(); reader.push(b"\\x00\\x03ab"); reader.pop(); reader.push(b"c\\x00"); reader.pop(); reader.partial
    b'abc'
    True
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def push(self, data: bytes) -> None:
        self._buffer += data

    def pop(self) -> bytes | None:
        """The next whole body, or None while it is still arriving; FormatError from the length alone when it may not be that long."""
        buffer = self._buffer
        if len(buffer) < LENGTH_SIZE:
            return None
        length = buffer[0] << 8 | buffer[1]
        if not 0 < length <= MAX_FRAME:
            raise FormatError("length", f"{length} is not between 1 and {MAX_FRAME}")
        end = LENGTH_SIZE + length
        if len(buffer) < end:
            return None
        body = bytes(buffer[LENGTH_SIZE:end])
        del buffer[:end]
        return body

    @property
    def partial(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer)
