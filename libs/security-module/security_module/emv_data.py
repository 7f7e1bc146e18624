"""What a chip's cryptogram is made over: values of field 55 in the order that the cryptogram's version sets (Visa VIS 1.6, appendix D)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from security_module.errors import CardDataError


class CryptogramVersion(IntEnum):
    """Cryptogram version number (CVN), the third byte of the issuer application data (tag 9F10)."""

    CVN_10 = 10
    """Under the card's key; the card's verification results at the end; zeros as padding; ARPC of 8 bytes."""
    CVN_18 = 18
    """Under a session key; the whole issuer application data at the end; 80 and zeros as padding; ARPC of 4 bytes."""


_VERSIONS = {version.value: version for version in CryptogramVersion}
_TAGS = (
    ("9F02", 6),  # amount, authorised
    ("9F03", 6),  # amount, other
    ("9F1A", 2),  # country of the terminal
    ("95", 5),  # terminal verification results
    ("5F2A", 2),  # currency
    ("9A", 3),  # date
    ("9C", 1),  # transaction type
    ("9F37", 4),  # unpredictable number
    ("82", 2),  # application interchange profile
    ("9F36", 2),  # application transaction counter
)
_ISSUER_DATA = "9F10"
_RESULTS = slice(3, 7)


def _value(tags: Mapping[str, bytes], tag: str, sizes: range) -> bytes:
    value = tags.get(tag)
    if value is None or len(value) not in sizes:
        raise CardDataError(f"chip data {tag}: missing, or not of its length")
    return value


def cryptogram_version(tags: Mapping[str, bytes]) -> CryptogramVersion:
    """The version that the card used; CardDataError when tag 9F10 is missing or names one that is not computed here."""
    number = _value(tags, _ISSUER_DATA, range(7, 33))[2]
    version = _VERSIONS.get(number)
    if version is None:
        raise CardDataError(f"chip data {_ISSUER_DATA}: cryptogram version {number} is not computed here")
    return version


def cryptogram_data(tags: Mapping[str, bytes]) -> bytes:
    """The bytes that ARQC, TC or AAC are over, before padding; CardDataError names the tag that is missing or of a wrong length."""
    version = cryptogram_version(tags)
    issuer_data = tags[_ISSUER_DATA]
    last = issuer_data[_RESULTS] if version is CryptogramVersion.CVN_10 else issuer_data
    return b"".join(_value(tags, tag, range(size, size + 1)) for tag, size in _TAGS) + last
