"""Keys: bound to a purpose, to their LMK and to their check value; refused by name."""

import msgspec
import pytest

from contracts.pan import Pan
from security_module import (
    NOTICE,
    CardDataError,
    KeyCheckError,
    KeyFormatError,
    KeyUsageError,
    Purpose,
    SecurityModule,
    WrappedKey,
    odd_parity,
)
from security_module.wrapping import Bounded

PAN = Pan("6291010000000001")


@pytest.fixture
def hsm() -> SecurityModule:
    return SecurityModule(bytes(32))


@pytest.mark.parametrize("purpose", [p for p in Purpose if p not in (Purpose.PIN, Purpose.ZONE_PIN)])
def test_only_pin_keys_encrypt_pins(hsm: SecurityModule, purpose: Purpose) -> None:
    with pytest.raises(KeyUsageError, match=purpose.value):
        hsm.encrypt_pin(hsm.generate(purpose), "123456", PAN)


@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.MAC])
def test_only_mac_keys_make_macs(hsm: SecurityModule, purpose: Purpose) -> None:
    with pytest.raises(KeyUsageError, match=purpose.value):
        hsm.mac(hsm.generate(purpose), b"data")


def test_each_other_operation_names_the_key_it_wants(hsm: SecurityModule) -> None:
    wrong = hsm.generate(Purpose.TRACK)
    with pytest.raises(KeyUsageError, match="cvk"):
        hsm.cvv(wrong, PAN, "3012", "101")
    with pytest.raises(KeyUsageError, match="pvk"):
        hsm.pvv(wrong, PAN, "1234")
    for data_operation in (lambda: hsm.digest(wrong, b"x"), lambda: hsm.seal(wrong, b"x", b"")):
        with pytest.raises(KeyUsageError, match="data"):
            data_operation()
    with pytest.raises(KeyUsageError, match="data"):
        hsm.unseal(wrong, bytes(28), b"")
    with pytest.raises(KeyUsageError, match="terminal-master"):
        hsm.export_under(wrong, wrong)
    with pytest.raises(KeyUsageError, match="pin or mac"):
        hsm.export_under(hsm.generate(Purpose.TERMINAL_MASTER), hsm.generate(Purpose.PVK))


def test_a_purpose_cannot_be_changed_afterwards(hsm: SecurityModule) -> None:
    pin = hsm.generate(Purpose.PIN)
    hsm.encrypt_pin(pin, "1234", PAN)  # opened and kept: the kept one must not answer for the forged one
    forged = msgspec.structs.replace(pin, purpose=Purpose.MAC)
    with pytest.raises(KeyFormatError):
        hsm.mac(forged, b"data")


@pytest.mark.parametrize("change", [{"cryptogram": "00" * 44}, {"cryptogram": "zz"}, {"check_value": "00000000"}])
def test_a_changed_wrapped_key_is_refused(hsm: SecurityModule, change: dict[str, str]) -> None:
    key = msgspec.structs.replace(hsm.generate(Purpose.MAC), **change)
    with pytest.raises(KeyFormatError):
        hsm.mac(key, b"data")


def test_another_lmk_opens_nothing(hsm: SecurityModule) -> None:
    with pytest.raises(KeyFormatError):
        SecurityModule(b"\1" * 32).mac(hsm.generate(Purpose.MAC), b"data")


def test_a_wrapped_key_travels_as_json(hsm: SecurityModule) -> None:
    key = hsm.generate(Purpose.MAC)
    again = msgspec.json.decode(msgspec.json.encode(key), type=WrappedKey)
    assert SecurityModule(bytes(32)).mac(again, b"data") == hsm.mac(key, b"data")


def test_a_wrong_check_value_is_refused(hsm: SecurityModule) -> None:
    tmk, key = hsm.generate(Purpose.TERMINAL_MASTER), hsm.generate(Purpose.PIN)
    cryptogram, check_value = hsm.export_under(tmk, key)
    assert hsm.import_under(tmk, Purpose.PIN, cryptogram, check_value).check_value == key.check_value
    with pytest.raises(KeyCheckError):
        hsm.import_under(tmk, Purpose.PIN, cryptogram, bytes(4))
    with pytest.raises(KeyFormatError):
        hsm.import_under(tmk, Purpose.PIN, cryptogram[:7], check_value)


@pytest.mark.parametrize(("length", "width", "expected"), [(8, 0, 16), (16, 0, 16), (8, 8, 8), (8, 16, 16)])
def test_width_of_an_exported_mak(hsm: SecurityModule, length: int, width: int, expected: int) -> None:
    tmk = hsm.generate(Purpose.TERMINAL_MASTER)
    key = hsm.generate(Purpose.MAC, length=length)
    cryptogram, check_value = hsm.export_under(tmk, key, width=width)
    assert len(cryptogram) == expected
    assert hsm.import_under(tmk, Purpose.MAC, cryptogram, check_value).length == length


def test_a_double_length_key_does_not_fit_a_single_length_place(hsm: SecurityModule) -> None:
    with pytest.raises(KeyFormatError):
        hsm.export_under(hsm.generate(Purpose.TERMINAL_MASTER), hsm.generate(Purpose.MAC), width=8)


@pytest.mark.parametrize(("purpose", "length"), [(Purpose.MAC, 7), (Purpose.DATA, 8), (Purpose.PIN, 32)])
def test_a_key_of_a_wrong_length_is_refused(hsm: SecurityModule, purpose: Purpose, length: int) -> None:
    with pytest.raises(KeyFormatError):
        hsm.import_clear(purpose, bytes(length))


def test_generated_keys_differ_and_have_odd_parity() -> None:
    assert all(b.bit_count() % 2 for b in odd_parity(bytes(range(256))))
    hsm = SecurityModule(bytes(32))
    assert hsm.generate(Purpose.PIN).check_value != hsm.generate(Purpose.PIN).check_value


def test_digest_is_keyed_and_stable(hsm: SecurityModule) -> None:
    key = hsm.import_clear(Purpose.DATA, bytes(32))
    assert hsm.digest(key, b"x") == hsm.digest(key, b"x") != hsm.digest(key, b"y")
    assert len(hsm.digest(key, b"x")) == 32
    assert hsm.digest(hsm.import_clear(Purpose.DATA, b"\1" * 32), b"x") != hsm.digest(key, b"x")


def test_errors_hold_no_card_data(hsm: SecurityModule) -> None:
    with pytest.raises(CardDataError) as caught:
        hsm.cvv(hsm.generate(Purpose.CVK), Pan("629101x000000001"), "3012", "101")
    assert "629101x" not in str(caught.value)


def test_nothing_prints_a_key(hsm: SecurityModule) -> None:
    clear = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    key = hsm.import_clear(Purpose.MAC, clear)
    data = hsm.import_clear(Purpose.DATA, clear)
    hsm.digest(data, b"opened and kept")
    for text in (repr(hsm), repr(key), repr(data), repr(vars(hsm)), repr(vars(vars(hsm)["_keys"]))):
        assert "0123456789abcdef" not in text.lower()
    assert NOTICE in repr(hsm)


def test_caches_are_bounded() -> None:
    cache: Bounded[int, int] = Bounded(2)
    for n in range(4):
        cache.put(n, n)
    assert list(cache) == [2, 3]
