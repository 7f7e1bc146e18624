"""Serial numbers of DUKPT: which counters a terminal uses, and that a key is the same whatever was derived before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security_module import (
    Algorithm,
    DukptKey,
    MacAlgorithm,
    Purpose,
    SecurityModule,
    SerialNumberError,
    next_serial_number,
    terminal_of,
)

TDES, AES = (bytes.fromhex("FFFF9876543210E00000"), 21, 10), (bytes.fromhex("123456789012345600000000"), 32, 16)
"""A terminal's first number, the bits of its counter, and the most ones that a counter may have."""


def counters(bits: int, most: int) -> st.SearchStrategy[int]:
    """Counters that terminals use, those around a skip not seldom."""
    some = st.sets(st.integers(0, bits - 1), min_size=1, max_size=most).map(lambda ones: sum(1 << one for one in ones))
    full = st.sets(st.integers(0, bits - 1), min_size=most, max_size=most).map(lambda ones: sum(1 << n for n in ones))
    return st.one_of(some, full)


@pytest.mark.parametrize(("zero", "bits", "most"), [TDES, AES], ids=["TDES", "AES"])
@given(data=st.data())
def test_the_next_is_the_smallest_that_is_not_skipped(zero: bytes, bits: int, most: int, data: st.DataObject) -> None:
    counter = data.draw(counters(bits, most))
    number = int.from_bytes(zero, "big")
    following = counter + 1
    while following.bit_count() > most:
        following += 1
    ksn = (number + counter).to_bytes(len(zero), "big")
    if following >= 1 << bits:
        with pytest.raises(SerialNumberError, match="used up"):
            next_serial_number(ksn)
        return
    assert int.from_bytes(next_serial_number(ksn), "big") == number + following
    assert terminal_of(next_serial_number(ksn)) == terminal_of(ksn) == zero[:8]


def test_a_tdes_terminal_has_1_048_575_transactions() -> None:
    """X9.24-1:2009, A.1: more than a million; all counters of 21 bits with one to ten ones."""
    ksn, used = TDES[0], 0
    try:
        while True:
            ksn = next_serial_number(ksn)
            used += 1
    except SerialNumberError:
        assert used == 1_048_575
    assert ksn.hex().upper() == "FFFF9876543210FFF800"


def test_the_last_counter_of_an_aes_terminal() -> None:
    last = AES[0][:8] + bytes.fromhex("FFFF0000")
    with pytest.raises(SerialNumberError, match="needs a new initial key"):
        next_serial_number(last)
    assert next_serial_number(AES[0][:8] + bytes.fromhex("FFFE8000"))[8:].hex() == "ffff0000"


@pytest.mark.parametrize("ksn", [b"", bytes(9), bytes(11), bytes(13)])
def test_of_another_length_is_none(ksn: bytes) -> None:
    for function in (terminal_of, next_serial_number):
        with pytest.raises(SerialNumberError, match="10 or 12 are wanted"):
            function(ksn)


@pytest.mark.parametrize(
    ("algorithm", "mac", "family"),
    [(Algorithm.TDES, MacAlgorithm.X9_19, TDES), (Algorithm.AES, MacAlgorithm.AES_CMAC, AES)],
    ids=["TDES", "AES"],
)
@given(data=st.data())
def test_a_key_is_the_same_whatever_was_derived_before(
    algorithm: Algorithm, mac: MacAlgorithm, family: tuple[bytes, int, int], data: st.DataObject
) -> None:
    zero, bits, most = family
    kept, fresh = SecurityModule(bytes(32)), SecurityModule(bytes(32))
    base = kept.generate(Purpose.BASE_DERIVATION, algorithm=algorithm)
    for counter in data.draw(st.lists(counters(bits, most), min_size=1, max_size=4)):
        near = {counter, counter & (counter - 1), next_counter(zero, counter, bits)} - {0}
        for one in sorted(near):
            ksn = (int.from_bytes(zero, "big") + one).to_bytes(len(zero), "big")
            key = DukptKey(base=base, ksn=ksn)
            assert kept.mac(key, b"data", mac) == SecurityModule(bytes(32)).mac(key, b"data", mac)
    assert fresh.mac(key, b"data", mac) == kept.mac(key, b"data", mac)


def next_counter(zero: bytes, counter: int, bits: int) -> int:
    number = int.from_bytes(zero, "big")
    try:
        return int.from_bytes(next_serial_number((number + counter).to_bytes(len(zero), "big")), "big") - number
    except SerialNumberError:
        return counter
