"""What a terminal is shipped with: its operators, their passwords, its parameters."""

from __future__ import annotations

import hashlib

import msgspec

DEFAULT_OPERATOR, DEFAULT_PASSWORD = "01", "0000"
"""What terminals ship with (terminal-protocol, Rules)."""
SUPERVISOR, SYSTEM = "00", "99"
SHIPPED_PASSWORDS = {DEFAULT_OPERATOR: DEFAULT_PASSWORD, SUPERVISOR: "123456", SYSTEM: "12345678"}
"""Operators of a terminal as it is shipped. That of 01 is the protocol's; those of 00 and 99 (ours) are what terminals of this style come with."""


def password_digest(tid: str, operator: str, password: str) -> str:
    """How a terminal keeps an operator's password."""
    return hashlib.sha256(f"{tid}:{operator}:{password}".encode()).hexdigest()


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """What operator 99 sets at a terminal."""

    supervisor_for_voids: bool = False
    """A void asks for the supervisor's password, or for the supervisor; off, so that a cashier alone can undo a mistake."""
    supervisor_for_refunds: bool = False
    pin_for_voids: bool = False
    """The cardholder keys the PIN for a void, too."""
    takes_part: bool = False
    """60.6 of a sale is 1: less than the amount may be approved (10)."""
    contactless_limit_minor: int = 1_000_00
    """Up to which a contactless card needs no PIN."""
    offline_limit_minor: int = 500_00
    """The most that one sale may be worth for the terminal to approve it alone."""
    offline_most: int = 20
    """Notices that may wait to be sent: with so many the terminal must reach its host first."""
