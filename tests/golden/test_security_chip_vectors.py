"""The check vectors of chip cryptograms: pyemv 1.5's own example (the first ARQC of CVN 18), and its results for other keys and PANs."""

from typing import NamedTuple

import pytest

from contracts.pan import Pan
from security_module import CryptogramVersion, Purpose, SecurityModule, cryptogram_data, cryptogram_version

TAGS = {
    "9F02": "000000009999",
    "9F03": "000000000000",
    "9F1A": "0840",
    "95": "8000048000",
    "5F2A": "0840",
    "9A": "991231",
    "9C": "01",
    "9F37": "52BF4585",
    "82": "1800",
    "9F36": "0FFF",
}
ISSUER_DATA = {CryptogramVersion.CVN_10: "06010A03A0B800", CryptogramVersion.CVN_18: "06011203A0B800"}
RESPONSE_CODE, STATUS_UPDATE, OWN = b"00", bytes.fromhex("00820000"), bytes.fromhex("0102030405")


class Card(NamedTuple):
    master: str
    pan: str
    sequence: str
    arqc_10: str
    arpc_10: str
    arqc_18: str
    arpc_18: str
    arpc_18_own: str
    """The ARPC with proprietary data."""


CARDS = [
    Card("AA" * 16, "1234567890123456", "00", "338226A32FB9675C", "E0E702EFC856424C", "769577B5ABE9FE62", "0E12AAB7", "58D35CB4"),
    Card("AA" * 16, "6291010000000001234", "01", "27CD8A77C3367E6C", "39B5619FC6DCDB5A", "0C943F1C35B153C0", "CC11E0E7", "7D905DCE"),
    Card("0123456789ABCDEFFEDCBA9876543210", "99012345678901234", "45", "F22176E6898AB590", "2E714737F451261F", "F04FB8B228FDCD08", "EE061D9B", "3113DE02"),
    Card("0123456789ABCDEFFEDCBA9876543210", "629101000000", "00", "B4ACCD379CCFDDF3", "B3ABE5269005EC89", "C9604E03D85C6810", "FDE78A12", "72E8CEE8"),
]  # fmt: skip


def tags(version: CryptogramVersion) -> dict[str, bytes]:
    return {tag: bytes.fromhex(value) for tag, value in TAGS.items()} | {"9F10": bytes.fromhex(ISSUER_DATA[version])}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: f"{len(card.pan)} digits")
@pytest.mark.parametrize("version", CryptogramVersion)
def test_the_card_is_believed_and_answered(card: Card, version: CryptogramVersion) -> None:
    hsm = SecurityModule(bytes(range(32)))
    key, pan, atc = (
        hsm.import_clear(Purpose.CARD_MASTER, bytes.fromhex(card.master)),
        Pan(card.pan),
        bytes.fromhex("0FFF"),
    )
    assert cryptogram_version(tags(version)) is version
    data = cryptogram_data(tags(version))
    older = version is CryptogramVersion.CVN_10
    arqc = bytes.fromhex(card.arqc_10 if older else card.arqc_18)
    assert hsm.arqc(key, pan, data, version=version, atc=atc, sequence=card.sequence) == arqc
    assert hsm.verify_arqc(key, pan, arqc, data, version=version, atc=atc, sequence=card.sequence)
    for changed in (data + b"!", b"!" + data[1:]):
        assert not hsm.verify_arqc(key, pan, arqc, changed, version=version, atc=atc, sequence=card.sequence)
    answer = RESPONSE_CODE if older else STATUS_UPDATE
    arpc = hsm.arpc(key, pan, arqc, answer, version=version, atc=atc, sequence=card.sequence)
    assert arpc.hex().upper() == (card.arpc_10 if older else card.arpc_18)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: f"{len(card.pan)} digits")
def test_the_issuers_own_data_is_part_of_the_answer(card: Card) -> None:
    hsm = SecurityModule(bytes(range(32)))
    key, version = hsm.import_clear(Purpose.CARD_MASTER, bytes.fromhex(card.master)), CryptogramVersion.CVN_18
    arpc = hsm.arpc(
        key, Pan(card.pan), bytes.fromhex(card.arqc_18), STATUS_UPDATE,
        version=version, atc=bytes.fromhex("0FFF"), sequence=card.sequence, proprietary=OWN,
    )  # fmt: skip
    assert arpc.hex().upper() == card.arpc_18_own
