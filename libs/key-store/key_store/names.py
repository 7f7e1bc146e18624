"""The names of key rings. A ring's name is its key in the bucket; what comes from outside is encoded as in `contracts.subjects`."""

from __future__ import annotations

from contracts import subjects
from key_store.errors import RingError
from security_module import Purpose

# The acquirer's.
DATA = "data"
"""Digests, fingerprints and sealed card numbers."""
BASE_TDES, BASE_AES = "base.tdes", "base.aes"
"""Base derivation keys (BDK) of the DUKPT terminals."""

# A bank's. (`zone` and `transport` with an institution are the acquirer's halves of the same keys.)
ZONE, TRANSPORT = "zone", "transport"
CVK, PVK = "cvk", "pvk"
CHIP, SCRIPT = "imk-ac", "imk-smi"
"""Issuer master keys: of its chips' cryptograms, and of its commands to them."""
BANK = (ZONE, TRANSPORT, CVK, PVK, CHIP, SCRIPT)

_TERMINAL = "terminal"
_PURPOSES = {
    DATA: Purpose.DATA,
    "base": Purpose.BASE_DERIVATION,
    _TERMINAL: Purpose.TERMINAL_MASTER,
    ZONE: Purpose.ZONE_PIN,
    TRANSPORT: Purpose.KEY_BLOCK,
    CVK: Purpose.CVK,
    PVK: Purpose.PVK,
    CHIP: Purpose.CARD_MASTER,
    SCRIPT: Purpose.CARD_SCRIPT,
}


def terminal(tid: str) -> str:
    """A terminal's master key (TMK).

    >>> terminal("T 1")
    'terminal.T=201'
    """
    return f"{_TERMINAL}.{subjects.token(tid)}"


def terminal_of(name: str) -> str | None:
    """The terminal whose master key this is; None for another ring."""
    kind, _, tid = name.partition(".")
    return subjects.from_token(tid) if kind == _TERMINAL and tid else None


def zone(institution: str) -> str:
    """The zone PIN key (ZPK) shared with an institution, at the acquirer."""
    return f"{ZONE}.{subjects.token(institution)}"


def transport(institution: str) -> str:
    """The key block protection key (KBPK) shared with an institution, at the acquirer."""
    return f"{TRANSPORT}.{subjects.token(institution)}"


def purpose_of(name: str) -> Purpose:
    """What the keys of this ring are for; RingError when there is no such ring."""
    purpose = _PURPOSES.get(name.partition(".")[0])
    if purpose is None:
        raise RingError(f"key ring {name!r}: there is no such ring")
    return purpose
