"""DUKPT's key serial numbers as terminal and host handle them: whose one is, and which comes after it."""

from __future__ import annotations

from security_module import dukpt_aes, dukpt_tdes
from security_module.dukpt import counter_after
from security_module.errors import SerialNumberError

_COUNTERS = {
    dukpt_tdes.KSN_BYTES: (dukpt_tdes.COUNTER_BITS, dukpt_tdes.MOST_ONES),
    dukpt_aes.KSN_BYTES: (dukpt_aes.COUNTER_BITS, dukpt_aes.MOST_ONES),
}
"""By the serial number's length: the counter's bits, and the most ones in it."""


def terminal_of(ksn: bytes) -> bytes:
    """The 8 bytes that tell terminals apart, the counter's bits zero; SerialNumberError unless `ksn` has 10 bytes (TDES) or 12 (AES).

    >>> terminal_of(bytes.fromhex("FFFF9876543210E00008")).hex().upper()
    'FFFF9876543210E0'
    """
    bits, _ = _counters(ksn)
    return (int.from_bytes(ksn, "big") >> bits << bits).to_bytes(len(ksn), "big")[:8]


def next_serial_number(ksn: bytes) -> bytes:
    """The one to use after `ksn` (whose counter is 0 before the first); SerialNumberError when the terminal has used all that there are.

    Counters with more ones than the standard allows are left out (X9.24-1:2009, A.3; X9.24-3:2017, 6.3.2).

    >>> next_serial_number(bytes.fromhex("FFFF9876543210E007FD")).hex().upper()
    'FFFF9876543210E007FE'
    >>> next_serial_number(bytes.fromhex("FFFF9876543210E007FE")).hex().upper()
    'FFFF9876543210E00800'
    """
    (bits, most), number = _counters(ksn), int.from_bytes(ksn, "big")
    used = number & ((1 << bits) - 1)
    return (number - used + counter_after(used, bits=bits, most=most)).to_bytes(len(ksn), "big")


def _counters(ksn: bytes) -> tuple[int, int]:
    counters = _COUNTERS.get(len(ksn))
    if counters is None:
        raise SerialNumberError(f"ksn: {len(ksn)} bytes, {' or '.join(map(str, _COUNTERS))} are wanted")
    return counters
