"""What a bank orders its chip to do, beside its word on a transaction (EMV 4.3 Book 3, 6.5). The same question gets the same orders."""

from __future__ import annotations

from enum import Enum

from contracts import response_codes as rc


class Command(Enum):
    """A command's header: class (secured, without a channel), instruction, two parameters. 4 bytes of code and nothing else follow it."""

    BLOCK_APPLICATION = bytes.fromhex("841E0000")
    UNBLOCK_PIN = bytes.fromhex("84240000")


BLOCKING = frozenset({rc.CAPTURE_CARD, rc.LOST_CARD, rc.STOLEN_CARD})
_TRIES_EXCEEDED = 0x20
"""Terminal verification results, third byte: the chip takes no more PINs (EMV 4.3 Book 3, C5)."""


def commands(code: str, results: bytes, *, pin_keyed: bool) -> tuple[Command, ...]:
    """`results`: tag 95. A chip that has counted too many wrong PINs counts anew once its holder has shown the bank the right one.

    >>> commands("41", bytes(5), pin_keyed=False), commands("00", bytes.fromhex("0000200000"), pin_keyed=True)
    ((<Command.BLOCK_APPLICATION: b'\\x84\\x1e\\x00\\x00'>,), (<Command.UNBLOCK_PIN: b'\\x84$\\x00\\x00'>,))
    """
    if code in BLOCKING:
        return (Command.BLOCK_APPLICATION,)
    forgotten = code == rc.APPROVED and pin_keyed and results[2] & _TRIES_EXCEEDED
    return (Command.UNBLOCK_PIN,) if forgotten else ()
