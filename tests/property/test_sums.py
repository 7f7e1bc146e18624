"""Sums that are done on whole numbers say what the digit by digit and block by block ones of the standards say."""

from __future__ import annotations

from functools import reduce
from operator import xor

from hypothesis import given
from hypothesis import strategies as st

from contracts.pan import luhn_check_digit, luhn_valid
from security_module.mac import _fold


def luhn_step_by_step(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B, as it is written there."""
    total = 0
    for place, digit in enumerate(int(char) for char in reversed(digits)):
        twice = 2 * digit
        total += digit if place % 2 == 0 else twice // 10 + twice % 10
    return total % 10 == 0


@given(st.text("0123456789", min_size=1, max_size=19))
def test_luhn(digits: str) -> None:
    assert luhn_valid(digits) is luhn_step_by_step(digits)
    assert luhn_step_by_step(digits + luhn_check_digit(digits))


@given(st.binary(min_size=1, max_size=1200))
def test_all_blocks_are_folded_into_one(data: bytes) -> None:
    padded = data + bytes(-len(data) % 8)
    blocks = [padded[at : at + 8] for at in range(0, len(padded), 8)]
    assert _fold(data) == bytes(reduce(xor, column) for column in zip(*blocks, strict=True))


def test_nothing_folds_into_zeros() -> None:
    assert _fold(b"") == bytes(8)
