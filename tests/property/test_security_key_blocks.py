"""What holds for any key block; psec is the second opinion, in both directions."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security_module import (
    Algorithm,
    KeyCheckError,
    KeyFormatError,
    KeyUsageError,
    Purpose,
    SecurityModule,
    WrappedKey,
)

with warnings.catch_warnings():  # psec still takes TripleDES from its former place
    warnings.simplefilter("ignore")
    import psec

pytestmark = pytest.mark.filterwarnings("ignore:.*TripleDES")

hsm = SecurityModule(bytes(range(32)))
tdes_keks = st.one_of(st.binary(min_size=16, max_size=16), st.binary(min_size=24, max_size=24))
aes_lengths = st.sampled_from([16, 24, 32])
aes_keks = aes_lengths.flatmap(lambda n: st.binary(min_size=n, max_size=n))
keks = st.one_of(
    st.tuples(st.just(Algorithm.TDES), tdes_keks),
    st.tuples(st.just(Algorithm.AES), aes_keks),
)
tdes_keys = st.sampled_from([8, 16]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
REFUSALS = (KeyCheckError, KeyFormatError, KeyUsageError)


def wrapped(kek: tuple[Algorithm, bytes]) -> WrappedKey:
    return hsm.import_clear(Purpose.KEY_BLOCK, kek[1], kek[0])


@given(keks, tdes_keys)
def test_what_is_exported_is_imported(kek: tuple[Algorithm, bytes], clear: bytes) -> None:
    key = hsm.import_clear(Purpose.MAC, clear)
    got = hsm.import_key_block(wrapped(kek), Purpose.MAC, hsm.export_key_block(wrapped(kek), key))
    assert hsm.mac(got, b"data") == hsm.mac(key, b"data")


@given(keks, tdes_keys)
def test_psec_opens_what_is_exported(kek: tuple[Algorithm, bytes], clear: bytes) -> None:
    block = hsm.export_key_block(wrapped(kek), hsm.import_clear(Purpose.PIN, clear))
    header, key = psec.tr31.unwrap(kek[1], block)
    assert key == clear
    assert (header.version_id, header.key_usage) == ("B" if kek[0] is Algorithm.TDES else "D", "P0")


@given(aes_lengths.flatmap(lambda n: st.tuples(*[st.binary(min_size=n, max_size=n)] * 2)))
def test_psec_opens_aes_keys(pair: tuple[bytes, bytes]) -> None:
    kek, clear = pair
    key = hsm.import_clear(Purpose.BASE_DERIVATION, clear, Algorithm.AES)
    assert psec.tr31.unwrap(kek, hsm.export_key_block(wrapped((Algorithm.AES, kek)), key))[1] == clear


OPTIONAL = ["", "KS1800604B120F9292800000", "KS1800604B120F9292800000PB080000"]


@given(tdes_keks, tdes_keys, st.sampled_from("ABC"), st.sampled_from(OPTIONAL))
def test_what_psec_wraps_under_tdes_is_imported(kek: bytes, clear: bytes, version: str, optional: str) -> None:
    algorithm = "D" if len(clear) == 8 else "T"
    header = (
        f"{version}0000M3{algorithm}C00N{len(optional) and optional.count('KS') + optional.count('PB'):02d}00{optional}"
    )
    block = psec.tr31.wrap(kek, header, clear)
    got = hsm.import_key_block(wrapped((Algorithm.TDES, kek)), Purpose.MAC, block)
    assert hsm.mac(got, b"data") == hsm.mac(hsm.import_clear(Purpose.MAC, clear), b"data")
    assert not got.exportable


@given(aes_keks, aes_keks, st.sampled_from(["", "KS1800604B120F9292800000PB080000"]))
def test_what_psec_wraps_under_aes_is_imported(kek: bytes, clear: bytes, optional: str) -> None:
    block = psec.tr31.wrap(kek, f"D0000M6AC00E{2 if optional else 0:02d}00{optional}", clear)
    got = hsm.import_key_block(wrapped((Algorithm.AES, kek)), Purpose.MAC, block)
    assert got.check_value == hsm.import_clear(Purpose.MAC, clear, Algorithm.AES).check_value
    assert got.exportable


def changed(block: str, data: st.DataObject, alphabet: str) -> str:
    """`block` with one character another one. A block is padded at random, so what is drawn must not depend on what stands in it."""
    at, further = data.draw(st.integers(0, len(block) - 1)), data.draw(st.integers(1, len(alphabet) - 1))
    return block[:at] + alphabet[(alphabet.index(block[at]) + further) % len(alphabet)] + block[at + 1 :]


@given(keks, st.data())
def test_a_changed_character_is_refused(kek: tuple[Algorithm, bytes], data: st.DataObject) -> None:
    block = hsm.export_key_block(wrapped(kek), hsm.generate(Purpose.PIN))
    with pytest.raises(REFUSALS):
        hsm.import_key_block(wrapped(kek), Purpose.PIN, changed(block, data, "".join(map(chr, range(32, 256)))))


@given(st.sampled_from("AC"), st.data())
def test_a_changed_character_of_an_old_block_is_refused(version: str, data: st.DataObject) -> None:
    kek = bytes(range(16))
    block = psec.tr31.wrap(kek, f"{version}0000P0TB00N0000", bytes(range(16, 32)))
    # A and C are made alike, so the letter is only as safe as the header's MAC: they differ in it, and that is refused too.
    with pytest.raises(REFUSALS):
        hsm.import_key_block(
            wrapped((Algorithm.TDES, kek)), Purpose.PIN, changed(block, data, "0123456789ABCDEFGNPTX ")
        )


@given(keks, st.text(max_size=200))
def test_any_text_is_refused_by_name(kek: tuple[Algorithm, bytes], text: str) -> None:
    with pytest.raises(REFUSALS):
        hsm.import_key_block(wrapped(kek), Purpose.PIN, text)


@given(keks, st.sampled_from("ABCD"), st.text("0123456789ABCDEF", max_size=200))
def test_a_header_before_any_hex_is_refused_by_name(kek: tuple[Algorithm, bytes], version: str, body: str) -> None:
    with pytest.raises(REFUSALS):
        hsm.import_key_block(wrapped(kek), Purpose.PIN, f"{version}{16 + len(body):04d}P0TB00N0000{body}")


def cmac_of_zeros(key: bytes) -> bytes:
    """NIST SP 800-38B for one whole block of zeros: the first subkey, encrypted."""
    first = int.from_bytes(psec.aes.encrypt_aes_ecb(key, bytes(16)), "big")
    subkey = (first << 1 ^ (0x87 if first >> 127 else 0)) & (1 << 128) - 1
    return bytes(psec.aes.encrypt_aes_ecb(key, subkey.to_bytes(16, "big")))


@given(aes_keks)
def test_the_check_value_of_an_aes_key_is_its_cmac_of_zeros(key: bytes) -> None:
    wrapped_key = hsm.import_clear(Purpose.PIN, key, Algorithm.AES)
    assert hsm.check_value(wrapped_key) == cmac_of_zeros(key)[:4]


@given(st.sampled_from([8, 16, 24]).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
def test_the_check_value_of_a_tdes_key_is_its_encrypted_zeros(key: bytes) -> None:
    wrapped_key = hsm.import_clear(Purpose.PIN, key)
    assert hsm.check_value(wrapped_key) == psec.tools.xor(psec.des.encrypt_tdes_ecb(key, bytes(8)), bytes(8))[:4]
