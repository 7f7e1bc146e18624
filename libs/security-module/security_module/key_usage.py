"""How a key's purpose is said in a key block's header (TR-31:2018, X9.143:2021): usage, algorithm and mode of use.

Modes are not kept: a key that the block allows to encrypt only can, once imported for a purpose, do what the purpose does.
"""

from __future__ import annotations

from typing import NamedTuple

from security_module.errors import KeyUsageError
from security_module.key_block_header import Header
from security_module.keys import Algorithm, Purpose, WrappedKey

_BOTH_WAYS = "BEDN"
_CHECKING = "CGVN"
_DERIVING = "XN"
_NOT_EXPORTABLE = "N"


class Usage(NamedTuple):
    """Of one purpose: the codes accepted, the first of them written; the modes accepted, the first of them written."""

    codes: tuple[str, ...]
    modes: str


_USAGES = {
    Purpose.TERMINAL_MASTER: Usage(("K0",), _BOTH_WAYS),
    Purpose.PIN: Usage(("P0",), _BOTH_WAYS),
    Purpose.ZONE_PIN: Usage(("P0",), _BOTH_WAYS),
    Purpose.MAC: Usage(("M3", "M1", "M0"), _CHECKING),
    Purpose.TRACK: Usage(("D0",), _BOTH_WAYS),
    Purpose.CVK: Usage(("C0",), _CHECKING),
    Purpose.PVK: Usage(("V2", "V0"), _CHECKING),
    Purpose.KEY_BLOCK: Usage(("K1",), _BOTH_WAYS),
    Purpose.BASE_DERIVATION: Usage(("B0",), _DERIVING),
    Purpose.DUKPT_INITIAL: Usage(("B1",), _DERIVING),
    Purpose.CARD_MASTER: Usage(("E0",), _DERIVING),
    Purpose.CARD_SCRIPT: Usage(("E2",), _DERIVING),
}
"""DATA is not here: the key of our own digests does not travel."""
_AES_MAC = Usage(("M6",), _CHECKING)
_ALGORITHMS = {("D", 8): Algorithm.TDES}
_ALGORITHMS |= {("T", length): Algorithm.TDES for length in (16, 24)}
_ALGORITHMS |= {("A", length): Algorithm.AES for length in (16, 24, 32)}


def _usage(purpose: Purpose, algorithm: Algorithm) -> Usage:
    if purpose is Purpose.MAC and algorithm is Algorithm.AES:
        return _AES_MAC
    if purpose not in _USAGES:
        raise KeyUsageError(f"key block: a {purpose.value} key does not travel")
    return _USAGES[purpose]


_BITS = {(Algorithm.TDES, 8): 56, (Algorithm.TDES, 16): 80, (Algorithm.TDES, 24): 112}
"""Effective strength (NIST SP 800-57); an AES key's is its length."""


def _strength(key: WrappedKey) -> int:
    return _BITS.get((key.algorithm, key.length), key.length * 8)


def check_export(kek: WrappedKey, key: WrappedKey) -> None:
    """KeyUsageError when the key may not leave, or would leave under a weaker one (PCI PIN, requirement 18)."""
    if not key.exportable:
        raise KeyUsageError(f"{key.purpose.value} key: came as not exportable")
    if _strength(kek) < _strength(key):
        raise KeyUsageError(f"{key.purpose.value} key: stronger than the key it would be sent under")


def header_of(key: WrappedKey, *, version: str, exportable: bool) -> Header:
    """The header under which a key of this purpose travels; KeyUsageError when it does not."""
    usage = _usage(key.purpose, key.algorithm)
    letter = next(c for (c, length), a in _ALGORITHMS.items() if (length, a) == (key.length, key.algorithm))
    return Header(
        version=version,
        usage=usage.codes[0],
        algorithm=letter,
        mode=usage.modes[0],
        exportability="E" if exportable else _NOT_EXPORTABLE,
    )


def check_usage(header: Header, purpose: Purpose, length: int) -> Algorithm:
    """The algorithm of the block's key of `length` bytes; KeyUsageError unless the header allows it for `purpose`."""
    algorithm = _ALGORITHMS.get((header.algorithm, length))
    if algorithm is None:
        raise KeyUsageError(f"key block: algorithm {header.algorithm!r} with a key of {length} bytes")
    usage = _usage(purpose, algorithm)
    if header.usage not in usage.codes:
        raise KeyUsageError(f"key block: usage {header.usage!r} is not a {purpose.value} key's")
    if header.mode not in usage.modes:
        raise KeyUsageError(f"key block: mode of use {header.mode!r} is not a {purpose.value} key's")
    return algorithm


def is_exportable(header: Header) -> bool:
    """Whether the sender lets the key travel on."""
    return header.exportability != _NOT_EXPORTABLE
