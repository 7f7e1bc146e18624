"""Keys that come from outside: in clear components, keyed in by hand by two or three people, or in a TR-31 key block.

A component is asked for at a prompt that does not show it, or read from standard input; never taken from a command's arguments, which
every user of the machine can see. Components leave this module only combined and wrapped.
"""

from __future__ import annotations

import contextlib
import getpass
import sys
from collections.abc import Callable
from functools import reduce
from typing import NamedTuple

from key_store import names
from lianji.errors import CliError
from lianji.keys.custodian import ACQUIRER, Address, Custodian
from security_module import Algorithm, KeyCheckError, KeyUsageError, Purpose, WrappedKey, odd_parity

COMPONENTS = (2, 3)
_CHECK_DIGITS = (6, 8)
"""Hex digits of a check value as people pass it on: 3 bytes, or all 4."""
_HEX = frozenset("0123456789ABCDEF")

Ask = Callable[[str], str]
"""Asks for one line, which is not shown; empty at the end of the input."""


def asked_at_the_terminal(prompt: str) -> str:
    """One line: from the keyboard without showing it, or from standard input when that is no terminal."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline()


class Components(NamedTuple):
    """What was keyed in."""

    key: bytes
    """All components combined by exclusive or (ANSI X9.24-1, split knowledge)."""
    check_value: str
    """What the key's check value has to begin with."""

    def __repr__(self) -> str:
        return "Components(****)"


def ask_components(ask: Ask) -> Components:
    """Two or three components of one length and the key's check value; CliError names the line."""
    parts = [_component(ask, number) for number in range(1, COMPONENTS[0] + 1)]
    last = _hex(ask("component 3 (Enter if there are only two): "), "component 3", empty=True)
    parts += [last] if last else []
    if len({len(part) for part in parts}) != 1:
        raise CliError("components: they are not of one length")
    combined = reduce(lambda left, right: bytes(a ^ b for a, b in zip(left, right, strict=True)), parts)
    if not any(combined):
        raise CliError("components: combined they are nothing but zeros; the same component twice?")
    wanted = ask("check value of the key (6 or 8 hexadecimal digits): ").strip().upper()
    if len(wanted) not in _CHECK_DIGITS or not _HEX.issuperset(wanted):
        raise CliError("check value: 6 or 8 hexadecimal digits are wanted")
    return Components(combined, wanted)


def _component(ask: Ask, number: int) -> bytes:
    return _hex(ask(f"component {number} (hexadecimal, not shown): "), f"component {number}", empty=False)


def _hex(line: str, named: str, *, empty: bool) -> bytes:
    text = "".join(line.split()).upper()  # people write digits in groups of four
    if not text and empty:
        return b""
    if not text or len(text) % 16 or not _HEX.issuperset(text):
        raise CliError(f"{named}: 32, 48 or 64 hexadecimal digits are wanted")
    return bytes.fromhex(text)


def from_components(custodian: Custodian, address: Address, components: Components, algorithm: Algorithm) -> WrappedKey:
    """The key under the party's LMK; CliError when its check value is another. KeyFormatError when no key of this ring can be that."""
    purpose, module = names.purpose_of(address.name), custodian.parties[address.party].module
    plain = algorithm is Algorithm.AES or purpose is Purpose.DATA
    key = module.import_clear(purpose, components.key if plain else odd_parity(components.key), algorithm)
    if not key.check_value.startswith(components.check_value):
        raise CliError(
            f"check value: the components give another key than {components.check_value}; nothing was changed, key them in again"
        )
    return key


def from_block(custodian: Custodian, address: Address, block: str, under: Address) -> WrappedKey:
    """The key of a TR-31 block under a usable version of the transport ring `under`; the errors of `import_key_block`."""
    party = custodian.parties[address.party]
    if address.party != under.party:
        raise CliError(f"under: {under} is another party's; a block is opened where the key goes")
    purpose, (current, *former) = names.purpose_of(address.name), custodian.ring(under).usable()
    for version in former:
        with contextlib.suppress(KeyCheckError, KeyUsageError):  # what is wrong is said of the current one
            return party.module.import_key_block(version.key, purpose, block.strip())
    return party.module.import_key_block(current.key, purpose, block.strip())


def transport_of(address: Address) -> Address | None:
    """The transport ring that keys for this ring come under; None when it has to be said."""
    kind, _, institution = address.name.partition(".")
    if address.party != ACQUIRER:
        return Address(address.party, names.TRANSPORT)
    return Address(ACQUIRER, f"{names.TRANSPORT}.{institution}") if kind == names.ZONE else None
