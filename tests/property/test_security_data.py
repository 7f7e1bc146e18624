"""Sealing: what was sealed comes back to whoever has the key and says what it belongs to, and to nobody else."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from hypothesis import given
from hypothesis import strategies as st

from security_module import Purpose, SealedDataError, SecurityModule, SecurityModuleError
from security_module.data_key import DIGEST_LABEL, SEAL_LABEL, derive

hsm = SecurityModule(bytes(range(32)))
KEY, OTHER = (hsm.generate(Purpose.DATA, length=32) for _ in range(2))
PAN = b"6291010000000012"

data = st.binary(max_size=64)
clear_keys = st.binary(min_size=16, max_size=16) | st.binary(min_size=32, max_size=32)


@given(data, data)
def test_what_was_sealed_comes_back(clear: bytes, associated: bytes) -> None:
    sealed = hsm.seal(KEY, clear, associated)
    assert hsm.unseal(KEY, sealed, associated) == clear
    assert len(sealed) == len(clear) + 28
    assert hsm.seal(KEY, clear, associated) != sealed


@given(data, data)
def test_another_key_opens_nothing(clear: bytes, associated: bytes) -> None:
    with pytest.raises(SealedDataError):
        hsm.unseal(OTHER, hsm.seal(KEY, clear, associated), associated)


@given(data, data, data)
def test_it_belongs_to_what_it_was_sealed_with(clear: bytes, associated: bytes, other: bytes) -> None:
    sealed = hsm.seal(KEY, clear, associated)
    if other == associated:
        assert hsm.unseal(KEY, sealed, other) == clear
    else:
        with pytest.raises(SealedDataError):
            hsm.unseal(KEY, sealed, other)


@given(data, st.data())
def test_a_changed_bit_is_refused(clear: bytes, choose: st.DataObject) -> None:
    sealed = bytearray(hsm.seal(KEY, clear, b"x"))
    at = choose.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[at // 8] ^= 1 << at % 8
    with pytest.raises(SealedDataError):
        hsm.unseal(KEY, bytes(sealed), b"x")


@given(data, st.data())
def test_a_cut_or_longer_one_is_refused(clear: bytes, choose: st.DataObject) -> None:
    sealed = hsm.seal(KEY, clear, b"x")
    for damaged in (sealed[: choose.draw(st.integers(0, len(sealed) - 1))], sealed + b"\0"):
        with pytest.raises(SealedDataError):
            hsm.unseal(KEY, damaged, b"x")


@given(st.binary(max_size=80))
def test_a_refusal_says_nothing_of_the_data(garbage: bytes) -> None:
    sealed = hsm.seal(KEY, PAN, b"")
    for damaged in (garbage, sealed[:27], sealed[:-1] + bytes([sealed[-1] ^ 1]), garbage + PAN):
        with pytest.raises(SecurityModuleError) as caught:
            hsm.unseal(KEY, damaged, b"")
        told = f"{caught.value!r}{caught.value.__cause__!r}"
        assert not any(text in told for text in (PAN.decode(), PAN.hex(), sealed.hex()))


def derived_elsewhere(key: bytes, label: bytes) -> bytes:
    """NIST SP 800-108 by the library, as another party would do it."""
    return KBKDFHMAC(
        algorithm=SHA256(),
        mode=Mode.CounterMode,
        length=32,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=label,
        context=b"",
        fixed=None,
    ).derive(key)


@given(clear_keys, data, data)
def test_another_party_with_the_key_reads_and_makes_the_same(key: bytes, clear: bytes, associated: bytes) -> None:
    wrapped = hsm.import_clear(Purpose.DATA, key)
    sealed, cipher = hsm.seal(wrapped, clear, associated), AESGCM(derived_elsewhere(key, SEAL_LABEL))
    assert cipher.decrypt(sealed[:12], sealed[12:], associated) == clear
    assert hsm.unseal(wrapped, bytes(12) + cipher.encrypt(bytes(12), clear, associated), associated) == clear
    digest = hmac.digest(derived_elsewhere(key, DIGEST_LABEL), clear, hashlib.sha256)
    assert hsm.digest(wrapped, clear) == digest.hex()[:32]


@given(clear_keys, data)
def test_no_digest_is_a_key_s(key: bytes, asked: bytes) -> None:
    """Whatever a caller has digested, also the very text from which the sealing key derives."""
    wrapped = hsm.import_clear(Purpose.DATA, key)
    derivation = b"\0\0\0\1" + SEAL_LABEL + b"\0\0\0\1\0"
    sealing = derive(key, SEAL_LABEL).hex()
    for text in (asked, derivation, SEAL_LABEL, b""):
        digest = hsm.digest(wrapped, text)
        assert not sealing.startswith(digest)
        assert not key.hex().startswith(digest)
        assert not digest.startswith(wrapped.check_value.lower())
