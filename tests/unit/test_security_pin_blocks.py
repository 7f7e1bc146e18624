"""Clear PIN fields that decrypt well and are still no PIN: each part of each format is looked at."""

import pytest

from security_module import PinFormat, PinFormatError, pin_block, pin_block_aes
from security_module.aes import AesKey

PAN = "6291010000000001"
ACCOUNT = 0x0000_1010_0000_0000
KEY = AesKey(bytes(range(16)))


def block_of(field: str) -> bytes:
    return (int(field, 16) ^ ACCOUNT).to_bytes(8, "big")


@pytest.mark.parametrize(
    ("pin_format", "field"),
    [
        (PinFormat.ISO_0, "041234FFFFFFFFFF"),
        (PinFormat.ISO_3, "341234ABCDEFABCD"),
        (PinFormat.ISO_3, "3C123456789012FA"),
    ],
)
def test_a_right_field_holds_its_pin(pin_format: PinFormat, field: str) -> None:
    pin = pin_block.parse(block_of(field), PAN, pin_format)
    assert pin == field[2 : 2 + len(pin)]
    assert len(pin) == int(field[1], 16)


@pytest.mark.parametrize(
    ("pin_format", "field"),
    [
        (PinFormat.ISO_0, "141234FFFFFFFFFF"),
        (PinFormat.ISO_0, "03123FFFFFFFFFFF"),
        (PinFormat.ISO_0, "0D1234567890123F"),
        (PinFormat.ISO_0, "04123AFFFFFFFFFF"),
        (PinFormat.ISO_0, "041234FFFFFFFFFE"),
        (PinFormat.ISO_3, "041234ABCDEFABCD"),
        (PinFormat.ISO_3, "341234ABCD9FABCD"),
        (PinFormat.ISO_3, "341234ABCDEFABC0"),
        (PinFormat.ISO_3, "3412F4ABCDEFABCD"),
    ],
)
def test_a_wrong_field_is_refused(pin_format: PinFormat, field: str) -> None:
    with pytest.raises(PinFormatError):
        pin_block.parse(block_of(field), PAN, pin_format)


def sealed(field: str) -> bytes:
    """Format 4 of any clear PIN field: its length and the PAN, as ISO 9564 has the second field, between two encryptions."""
    pan_field = int(("4" + PAN).ljust(32, "0"), 16)
    first = int.from_bytes(KEY.encrypt(bytes.fromhex(field)), "big")
    return KEY.encrypt((first ^ pan_field).to_bytes(16, "big"))


def test_format_4_holds_its_pin_whatever_the_random_half() -> None:
    for random in ("0" * 16, "F" * 16):
        assert pin_block_aes.unseal(KEY, sealed("44" + "1234" + "A" * 10 + random), PAN) == "1234"


@pytest.mark.parametrize(
    "field", ["341234AAAAAAAAAA", "43123AAAAAAAAAAA", "4D1234567890123A", "44123AAAAAAAAAAA", "441234AAAAAAAAAF"]
)
def test_a_wrong_field_of_format_4_is_refused(field: str) -> None:
    with pytest.raises(PinFormatError):
        pin_block_aes.unseal(KEY, sealed(field + "0" * 16), PAN)
