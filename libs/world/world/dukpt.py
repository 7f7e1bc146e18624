"""DUKPT terminals of the test world: their serial numbers, and what a key injection facility puts into each."""

from __future__ import annotations

from security_module import Algorithm, dukpt_aes, dukpt_tdes
from security_module.aes import AesKey
from security_module.des import DesKey
from world.keys import base_key
from world.model import KeyScheme, Terminal

_KEY_SETS = {
    KeyScheme.DUKPT_TDES: (bytes.fromhex("FF4821"), 3),
    KeyScheme.DUKPT_AES: (bytes.fromhex("48210001"), 4),
}
"""What serial numbers of a scheme begin with (the key set ID, `FF` and the acquirer; the base key's ID), and the bytes of their counter."""


def initial_serial_number(terminal: Terminal) -> bytes:
    """The terminal's KSN with the counter 0: key set, terminal number as BCD, counter; 10 bytes or 12. KeyError without a DUKPT scheme."""
    key_set, counter_bytes = _KEY_SETS[terminal.scheme]
    return key_set + bytes.fromhex(terminal.tid) + bytes(counter_bytes)


def initial_key(terminal: Terminal) -> bytes:
    """IPEK (TDES) or IK (AES), 16 bytes: what the terminal is given. KeyError without a DUKPT scheme."""
    ksn = initial_serial_number(terminal)
    if terminal.scheme is KeyScheme.DUKPT_AES:
        return dukpt_aes.initial_key(AesKey(base_key(Algorithm.AES)), ksn)
    return dukpt_tdes.initial_key(DesKey(base_key(Algorithm.TDES)), ksn)
