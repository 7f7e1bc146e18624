"""What holds for any PIN and card in any format, and between any two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.pan import Pan
from security_module import Algorithm, DukptKey, Key, PinFormat, PinFormatError, Purpose, SecurityModule

hsm = SecurityModule(bytes(range(32)))
TDES_BASE = hsm.generate(Purpose.BASE_DERIVATION)
AES_BASE = hsm.generate(Purpose.BASE_DERIVATION, algorithm=Algorithm.AES)
TDES_SERIAL, AES_SERIAL = bytes.fromhex("FFFF9876543210E00007"), bytes.fromhex("123456789012345600000007")
TO = {
    PinFormat.ISO_0: hsm.generate(Purpose.ZONE_PIN),
    PinFormat.ISO_3: hsm.generate(Purpose.ZONE_PIN, length=24),
    PinFormat.ISO_4: hsm.generate(Purpose.ZONE_PIN, length=32, algorithm=Algorithm.AES),
}
FROM: dict[PinFormat, list[Key]] = {
    PinFormat.ISO_0: [hsm.generate(Purpose.PIN), DukptKey(base=TDES_BASE, ksn=TDES_SERIAL)],
    PinFormat.ISO_3: [hsm.generate(Purpose.PIN), DukptKey(base=AES_BASE, ksn=AES_SERIAL)],
    PinFormat.ISO_4: [hsm.generate(Purpose.PIN, algorithm=Algorithm.AES), DukptKey(base=AES_BASE, ksn=AES_SERIAL)],
}
PVK = hsm.generate(Purpose.PVK)
BASELINE = hsm.generate(Purpose.ZONE_PIN)

pins = st.text("0123456789", min_size=4, max_size=12)
pans = st.text("0123456789", min_size=12, max_size=19).map(Pan)
formats = st.sampled_from(PinFormat)
sources = formats.flatmap(lambda f: st.tuples(st.just(f), st.sampled_from(FROM[f])))


def revealed(block: bytes, pan: Pan, key: Key, pin_format: PinFormat) -> bytes:
    """The PIN in a form that can be compared: the block of format 0 under one key (format 0 has no random part)."""
    return hsm.translate_pin(block, pan, from_key=key, to_key=BASELINE, from_format=pin_format)


def attempt(block: bytes, pan: Pan, key: Key, pin_format: PinFormat) -> bytes | PinFormatError:
    try:
        return revealed(block, pan, key, pin_format)
    except PinFormatError as error:
        return error


def near(pan: Pan) -> st.SearchStrategy[Pan]:
    """Cards that differ from this one in one digit at most."""
    clear = pan.clear()
    places = st.tuples(st.integers(0, len(clear) - 1), st.sampled_from("0123456789"))
    return places.map(lambda place: Pan(clear[: place[0]] + place[1] + clear[place[0] + 1 :]))


@given(pins, pans, sources, formats)
def test_the_pin_survives_translation(pin: str, pan: Pan, source: tuple[PinFormat, Key], to: PinFormat) -> None:
    pin_format, key = source
    block = hsm.encrypt_pin(key, pin, pan, pin_format)
    there = hsm.translate_pin(block, pan, from_key=key, to_key=TO[to], from_format=pin_format, to_format=to)
    assert len(there) == (16 if to is PinFormat.ISO_4 else 8)
    assert revealed(there, pan, TO[to], to) == hsm.encrypt_pin(BASELINE, pin, pan)
    assert hsm.verify_pin(there, pan, pin_key=TO[to], pvk=PVK, pvv=hsm.pvv(PVK, pan, pin), pin_format=to)


@given(pins, pans, st.data(), sources)
def test_another_card_gives_a_refusal_or_another_pin(
    pin: str, pan: Pan, data: st.DataObject, source: tuple[PinFormat, Key]
) -> None:
    pin_format, key = source
    other = data.draw(st.one_of(pans, near(pan)))
    got = attempt(hsm.encrypt_pin(key, pin, pan, pin_format), other, key, pin_format)
    # Formats 0 and 3 hold 12 digits of the card, format 4 all of them.
    held = slice(None) if pin_format is PinFormat.ISO_4 else slice(-13, -1)
    if pan.clear()[held].rjust(12, "0") == other.clear()[held].rjust(12, "0"):
        assert got == hsm.encrypt_pin(BASELINE, pin, other)
    elif isinstance(got, PinFormatError):
        assert pan.clear() not in str(got)
    else:  # in format 3 a digit of the card may stand over the random fill alone, and the PIN come out as it was
        assert pin_format is PinFormat.ISO_3 or got != hsm.encrypt_pin(BASELINE, pin, other)


@given(st.binary(max_size=20), st.one_of(pans, st.text(max_size=20).map(Pan)), sources, formats)
def test_garbage_is_refused_by_name_or_holds_a_pin(
    block: bytes, pan: Pan, source: tuple[PinFormat, Key], to: PinFormat
) -> None:
    pin_format, key = source
    try:
        there = hsm.translate_pin(block, pan, from_key=key, to_key=TO[to], from_format=pin_format, to_format=to)
    except PinFormatError:
        return
    assert revealed(there, pan, TO[to], to) == revealed(block, pan, key, pin_format)


@given(st.binary(min_size=16, max_size=16), pans)
def test_garbage_of_the_right_length_is_refused_or_holds_a_pin_in_format_4(block: bytes, pan: Pan) -> None:
    got = attempt(block, pan, TO[PinFormat.ISO_4], PinFormat.ISO_4)
    assert "does not hold a PIN" in str(got) if isinstance(got, PinFormatError) else len(got) == 8


@given(pins, pans, st.sampled_from([(PinFormat.ISO_0, PinFormat.ISO_3), (PinFormat.ISO_3, PinFormat.ISO_0)]))
def test_a_block_is_not_read_in_another_format(pin: str, pan: Pan, pair: tuple[PinFormat, PinFormat]) -> None:
    written, read = pair
    for key in FROM[written]:
        with pytest.raises(PinFormatError):
            revealed(hsm.encrypt_pin(key, pin, pan, written), pan, key, read)


@given(pans, st.sampled_from([PinFormat.ISO_3, PinFormat.ISO_4]))
def test_a_pin_of_a_card_has_many_blocks(pan: Pan, pin_format: PinFormat) -> None:
    blocks = {hsm.encrypt_pin(TO[pin_format], "1234", pan, pin_format) for _ in range(8)}
    assert len(blocks) > 1


@given(st.text(max_size=20), st.one_of(pans, st.text(max_size=20).map(Pan)), formats)
def test_what_is_no_pin_or_no_card_is_refused(pin: str, pan: Pan, pin_format: PinFormat) -> None:
    def digits(text: str, shortest: int, longest: int) -> bool:
        return shortest <= len(text) <= longest and set(text) <= set("0123456789")

    if digits(pin, 4, 12) and digits(pan.clear(), 12, 19):
        assert hsm.encrypt_pin(TO[pin_format], pin, pan, pin_format)
    else:
        with pytest.raises(PinFormatError):
            hsm.encrypt_pin(TO[pin_format], pin, pan, pin_format)
