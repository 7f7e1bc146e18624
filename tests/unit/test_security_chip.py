"""Chip cryptograms: what the card's data must be, and what is refused."""

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from hypothesis import given
from hypothesis import strategies as st

from contracts.pan import Pan
from security_module import (
    CardDataError,
    CryptogramVersion,
    KeyUsageError,
    Purpose,
    SecurityModule,
    cryptogram_data,
    cryptogram_version,
)

PAN, ATC, ARQC = Pan("6291010000000001"), b"\0\1", bytes(8)
CVN_10, CVN_18 = CryptogramVersion.CVN_10, CryptogramVersion.CVN_18
SIZES = {"9F02": 6, "9F03": 6, "9F1A": 2, "95": 5, "5F2A": 2, "9A": 3, "9C": 1, "9F37": 4, "82": 2, "9F36": 2}
TAGS = {tag: bytes([n]) * size for n, (tag, size) in enumerate(SIZES.items(), start=1)}
hsm = SecurityModule(bytes(32))
MASTER = hsm.generate(Purpose.CARD_MASTER)


def test_the_data_is_in_the_order_of_the_version() -> None:
    values = b"".join(TAGS.values())
    assert cryptogram_data(TAGS | {"9F10": bytes.fromhex("06010A03A0B800")}) == values + bytes.fromhex("03A0B800")
    assert cryptogram_data(TAGS | {"9F10": bytes.fromhex("06011203A0B800")}) == values + bytes.fromhex("06011203A0B800")


@pytest.mark.parametrize("tag", SIZES)
@pytest.mark.parametrize("value", [None, b"", bytes(7)])
def test_a_value_that_is_missing_or_too_long_is_named(tag: str, value: bytes | None) -> None:
    tags = TAGS | {"9F10": bytes.fromhex("06010A03A0B800")}
    tags = {k: v for k, v in tags.items() if k != tag} | ({} if value is None else {tag: value})
    with pytest.raises(CardDataError, match=tag):
        cryptogram_data(tags)


@pytest.mark.parametrize("issuer_data", ["", "06010A", "06011103A0B800", "00" * 33])
def test_other_versions_are_not_computed(issuer_data: str) -> None:
    with pytest.raises(CardDataError, match="9F10"):
        cryptogram_version({"9F10": bytes.fromhex(issuer_data)})
    with pytest.raises(CardDataError, match="9F10"):
        cryptogram_version({})


def test_a_cryptogram_is_one_cards_and_one_transactions() -> None:
    made = {
        hsm.arqc(MASTER, pan, b"data", version=version, atc=atc, sequence=sequence)
        for pan, version, atc, sequence in [
            (PAN, CVN_18, ATC, "00"),
            (Pan("6291010000000002"), CVN_18, ATC, "00"),
            (PAN, CVN_10, ATC, "00"),
            (PAN, CVN_18, b"\0\2", "00"),
            (PAN, CVN_18, ATC, "01"),
        ]
    }
    assert len(made) == 5


def test_a_cryptogram_of_a_wrong_length_is_wrong() -> None:
    good = hsm.arqc(MASTER, PAN, b"data", version=CVN_18, atc=ATC)
    assert not hsm.verify_arqc(MASTER, PAN, good[:4], b"data", version=CVN_18, atc=ATC)
    assert not hsm.verify_arqc(MASTER, PAN, b"", b"data", version=CVN_18, atc=ATC)


@pytest.mark.parametrize(
    ("pan", "sequence", "atc"), [("629101", "00", ATC), (PAN.clear(), "0", ATC), (PAN.clear(), "00", b"\0\0\1")]
)
def test_a_card_that_cannot_be_computed_with_is_refused(pan: str, sequence: str, atc: bytes) -> None:
    for version in CryptogramVersion:
        with pytest.raises(CardDataError):
            hsm.verify_arqc(MASTER, Pan(pan), ARQC, b"data", version=version, atc=atc, sequence=sequence)


@pytest.mark.parametrize(
    ("version", "arqc", "answer", "own"),
    [
        (CVN_10, bytes(7), b"00", b""),
        (CVN_10, ARQC, b"0", b""),
        (CVN_10, ARQC, b"00", b"x"),
        (CVN_18, ARQC, b"00", b""),
        (CVN_18, ARQC, bytes(4), bytes(9)),
    ],
)
def test_an_answer_of_another_method_is_refused(
    *, version: CryptogramVersion, arqc: bytes, answer: bytes, own: bytes
) -> None:
    with pytest.raises(CardDataError):
        hsm.arpc(MASTER, PAN, arqc, answer, version=version, atc=ATC, proprietary=own)


def test_only_a_card_master_key_does_this() -> None:
    with pytest.raises(KeyUsageError, match="card-master"):
        hsm.verify_arqc(hsm.generate(Purpose.CVK), PAN, ARQC, b"data", version=CVN_10, atc=ATC)


def _tdes(key: bytes, block: bytes) -> bytes:
    encryptor = Cipher(TripleDES(key + key[:8] if len(key) == 16 else key * 3), modes.ECB()).encryptor()  # noqa: S305 - one block
    return encryptor.update(block)


def _parity(key: bytes) -> bytes:
    return bytes(b if b.bit_count() % 2 else b ^ 1 for b in key)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8), st.binary(min_size=2, max_size=2))
def test_an_issuers_command_has_the_code_that_emv_says(master: bytes, arqc: bytes, atc: bytes) -> None:
    """Step by step, beside the module: card key (A1.4.1), session key by the cryptogram (A1.3.1), retail MAC over command, counter, cryptogram (9.2.3)."""
    master, command = _parity(master), bytes.fromhex("841E000004")
    digits = bytes.fromhex((PAN.clear() + "01")[-16:])
    card = _parity(_tdes(master, digits) + _tdes(master, bytes(b ^ 0xFF for b in digits)))
    varied = [arqc[:2] + byte + arqc[3:] for byte in (b"\xf0", b"\x0f")]
    session = _parity(_tdes(card, varied[0]) + _tdes(card, varied[1]))
    data = command + atc + arqc + b"\x80"
    data += bytes(-len(data) % 8)
    mac = bytes(8)
    for at in range(0, len(data), 8):
        mac = _tdes(session[:8], bytes(a ^ b for a, b in zip(mac, data[at : at + 8], strict=True)))
    decryptor = Cipher(TripleDES(session[8:] * 3), modes.ECB()).decryptor()  # noqa: S305 - one block
    mac = _tdes(session[:8], decryptor.update(mac))
    key = hsm.import_clear(Purpose.CARD_SCRIPT, master)
    for version in CryptogramVersion:
        assert hsm.script_code(key, PAN, arqc, command, version=version, atc=atc, sequence="01") == mac[:4]


def test_a_command_needs_the_key_for_commands_and_whole_values() -> None:
    script = hsm.generate(Purpose.CARD_SCRIPT)
    with pytest.raises(KeyUsageError):
        hsm.script_code(MASTER, PAN, ARQC, b"", version=CVN_18, atc=ATC)
    for arqc, atc in ((ARQC[:7], ATC), (ARQC, b"\0")):
        with pytest.raises(CardDataError):
            hsm.script_code(script, PAN, arqc, b"", version=CVN_18, atc=atc)
