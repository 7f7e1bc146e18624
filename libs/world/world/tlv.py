"""BER-TLV as terminals take it (ISO/IEC 8825-1), written."""

from __future__ import annotations

_SHORT, _ONE_BYTE = 0x80, 0x100


def pack(*elements: tuple[int, bytes]) -> bytes:
    """Elements of tag and value, in their order.

    >>> pack((0x9F22, b"\\x01"), (0x9F06, bytes(5))).hex()
    '9f2201019f06050000000000'
    """
    return b"".join(
        tag.to_bytes((tag.bit_length() + 7) // 8, "big") + _length(len(value)) + value for tag, value in elements
    )


def _length(size: int) -> bytes:
    if size < _SHORT:
        return bytes([size])
    return bytes([0x81, size]) if size < _ONE_BYTE else b"\x82" + size.to_bytes(2, "big")
