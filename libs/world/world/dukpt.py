"""DUKPT terminals of the test world: base keys, serial numbers, and what a key injection facility puts into each terminal."""

from __future__ import annotations

from security_module import dukpt_aes, dukpt_tdes, odd_parity
from security_module.aes import AesKey
from security_module.des import DesKey
from world.keys import derive
from world.model import KeyScheme, Terminal

KEY_SETS = {KeyScheme.DUKPT_TDES: bytes.fromhex("FF4821"), KeyScheme.DUKPT_AES: bytes.fromhex("48210001")}
"""What serial numbers of a scheme begin with: `FF` and the acquirer (key set ID), 3 bytes; the base key's ID, 4 bytes."""


def base_derivation_key(scheme: KeyScheme) -> bytes:
    """BDK of a DUKPT scheme, 16 bytes; ValueError for `session`."""
    _key_set(scheme)
    key = derive(f"base-derivation:{scheme.value}", 16)
    return odd_parity(key) if scheme is KeyScheme.DUKPT_TDES else key


def initial_serial_number(terminal: Terminal) -> bytes:
    """The terminal's KSN with the counter 0: key set, terminal number as BCD, counter; 10 bytes or 12. ValueError without a DUKPT scheme."""
    counter_bytes = 3 if terminal.scheme is KeyScheme.DUKPT_TDES else 4
    return _key_set(terminal.scheme) + bytes.fromhex(terminal.tid) + bytes(counter_bytes)


def initial_key(terminal: Terminal) -> bytes:
    """IPEK (TDES) or IK (AES), 16 bytes: what the terminal is given. ValueError without a DUKPT scheme."""
    base, ksn = base_derivation_key(terminal.scheme), initial_serial_number(terminal)
    if terminal.scheme is KeyScheme.DUKPT_AES:
        return dukpt_aes.initial_key(AesKey(base), ksn)
    return dukpt_tdes.initial_key(DesKey(base), ksn)


def _key_set(scheme: KeyScheme) -> bytes:
    if scheme not in KEY_SETS:
        raise ValueError(f"scheme: {scheme.value} has no base key")
    return KEY_SETS[scheme]
