"""What holds for any PIN, PAN, key and message; psec is the second opinion where it has one."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.pan import Pan
from security_module import MacAlgorithm, PinFormatError, Purpose, SecurityModule

with warnings.catch_warnings():  # psec still takes TripleDES from its former place
    warnings.simplefilter("ignore")
    import psec

pytestmark = pytest.mark.filterwarnings("ignore:.*TripleDES")

hsm = SecurityModule(bytes(range(32)))
FROM = hsm.generate(Purpose.PIN)
TO = hsm.generate(Purpose.ZONE_PIN)
PVK_CLEAR = bytes(range(16))
PVK = hsm.import_clear(Purpose.PVK, PVK_CLEAR)

digits = "0123456789"
pins = st.text(digits, min_size=4, max_size=12)
pans = st.text(digits, min_size=12, max_size=19).map(Pan)
keys16 = st.binary(min_size=16, max_size=16)


@given(pins, pans)
def test_a_translated_pin_verifies_under_the_other_key(pin: str, pan: Pan) -> None:
    translated = hsm.translate_pin(hsm.encrypt_pin(FROM, pin, pan), pan, from_key=FROM, to_key=TO)
    assert translated == hsm.encrypt_pin(TO, pin, pan)
    assert hsm.verify_pin(translated, pan, pin_key=TO, pvk=PVK, pvv=hsm.pvv(PVK, pan, pin))


@given(pins, pans, pans)
def test_a_block_for_another_card_gives_no_block_of_the_same_pin(pin: str, pan: Pan, other: Pan) -> None:
    block = hsm.encrypt_pin(FROM, pin, pan)
    same_account = pan.clear()[-13:-1].rjust(12, "0") == other.clear()[-13:-1].rjust(12, "0")
    try:
        translated = hsm.translate_pin(block, other, from_key=FROM, to_key=TO)
    except PinFormatError:
        assert not same_account
    else:
        assert (translated == hsm.encrypt_pin(TO, pin, other)) == same_account


@given(st.binary(max_size=20), st.one_of(pans, st.text(max_size=20).map(Pan)))
def test_garbage_is_refused_by_name_or_holds_a_pin(block: bytes, pan: Pan) -> None:
    try:
        translated = hsm.translate_pin(block, pan, from_key=FROM, to_key=TO)
    except PinFormatError:
        return
    assert hsm.translate_pin(translated, pan, from_key=TO, to_key=FROM) == block


@given(st.binary(max_size=20), pans)
def test_a_refusal_says_nothing_of_the_card(block: bytes, pan: Pan) -> None:
    with pytest.raises(PinFormatError) as caught:
        hsm.translate_pin(block[:7], pan, from_key=FROM, to_key=TO)
    assert pan.clear() not in str(caught.value)


@given(st.text(max_size=20))
def test_what_is_no_pin_is_refused(pin: str) -> None:
    valid = 4 <= len(pin) <= 12 and all(c in digits for c in pin)
    if valid:
        assert len(hsm.encrypt_pin(FROM, pin, Pan("6291010000000001"))) == 8
    else:
        with pytest.raises(PinFormatError):
            hsm.encrypt_pin(FROM, pin, Pan("6291010000000001"))


def block_by_block(key: bytes, data: bytes) -> bytes:
    """CUP-ECB as the specification tells it, one block after the other."""
    data = data.ljust(max(8, -(-len(data) // 8) * 8), b"\0")
    total = bytes(8)
    for at in range(0, len(data), 8):
        total = bytes(a ^ b for a, b in zip(total, data[at : at + 8], strict=True))
    spread = total.hex().upper().encode()
    first = psec.des.encrypt_tdes_ecb(key, spread[:8])
    mixed = bytes(a ^ b for a, b in zip(first, spread[8:], strict=True))
    return psec.des.encrypt_tdes_ecb(key, mixed).hex().upper()[:8].encode()


@given(keys16, st.binary(max_size=300))
def test_cup_ecb_is_what_the_specification_tells(key: bytes, data: bytes) -> None:
    wrapped = hsm.import_clear(Purpose.MAC, key)
    assert hsm.mac(wrapped, data, MacAlgorithm.CUP_ECB) == block_by_block(key, data)


@given(keys16, st.binary(min_size=1, max_size=300))
def test_cbc_macs_agree_with_psec(key: bytes, data: bytes) -> None:
    wrapped = hsm.import_clear(Purpose.MAC, key)
    expected = psec.mac.generate_retail_mac(key[:8], key[8:], data, 1)
    assert hsm.mac(wrapped, data, MacAlgorithm.X9_19) == expected
    assert hsm.mac(wrapped, data, MacAlgorithm.X9_9) == psec.mac.generate_cbc_mac(key[:8], data, 1)


@given(keys16, pans, st.text(digits, min_size=4, max_size=4), st.text(digits, min_size=3, max_size=3))
def test_cvv_agrees_with_psec(key: bytes, pan: Pan, expiry: str, service_code: str) -> None:
    ours = hsm.cvv(hsm.import_clear(Purpose.CVK, key), pan, expiry, service_code)
    theirs = psec.cvv.generate_cvv(key, pan.clear(), expiry, service_code)
    assert len(ours) == 3
    assert ours.startswith(theirs)  # psec gives fewer digits where the block has fewer than three


@given(keys16, pans, pins)
def test_pvv_agrees_with_psec(key: bytes, pan: Pan, pin: str) -> None:
    expected = psec.pin.generate_visa_pvv(key, "1", pin[:4], pan.clear())
    assert hsm.pvv(hsm.import_clear(Purpose.PVK, key), pan, pin) == expected
