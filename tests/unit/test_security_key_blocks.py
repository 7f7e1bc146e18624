"""Key blocks: a key arrives for what its header says, or not at all."""

import msgspec
import pytest

from security_module import (
    Algorithm,
    KeyCheckError,
    KeyFormatError,
    KeyUsageError,
    Purpose,
    SecurityModule,
    WrappedKey,
    key_block,
)
from security_module.aes import AesKey
from security_module.des import DesKey
from security_module.key_block_header import Header

CLEAR = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
TRAVELS = [p for p in Purpose if p is not Purpose.DATA]


@pytest.fixture
def hsm() -> SecurityModule:
    return SecurityModule(bytes(range(32)))


@pytest.fixture
def kek(hsm: SecurityModule) -> WrappedKey:
    return hsm.import_clear(Purpose.KEY_BLOCK, CLEAR)


@pytest.mark.parametrize("purpose", TRAVELS)
def test_a_key_arrives_for_its_purpose(hsm: SecurityModule, kek: WrappedKey, purpose: Purpose) -> None:
    key = hsm.generate(purpose)
    block = hsm.export_key_block(kek, key)
    got = hsm.import_key_block(kek, purpose, block)
    assert (got.check_value, got.purpose, got.algorithm) == (key.check_value, purpose, Algorithm.TDES)
    assert len(block) == 16 + 2 * (32 + 8)  # the same for every length of key


PIN_KEYS = {Purpose.PIN, Purpose.ZONE_PIN}
"""One usage (P0): which of the two a PIN key is, only those know who agreed on it."""


@pytest.mark.parametrize("purpose", TRAVELS)
def test_a_key_does_not_arrive_for_another_purpose(hsm: SecurityModule, kek: WrappedKey, purpose: Purpose) -> None:
    block = hsm.export_key_block(kek, hsm.generate(purpose))
    for other in set(Purpose) - {purpose} - (PIN_KEYS if purpose in PIN_KEYS else set()):
        with pytest.raises(KeyUsageError):
            hsm.import_key_block(kek, other, block)


@pytest.mark.parametrize(
    ("usage", "algorithm", "mode", "purpose", "allowed"),
    [
        ("P0", "T", "B", Purpose.PIN, True),
        ("P0", "T", "D", Purpose.ZONE_PIN, True),
        ("P0", "T", "G", Purpose.PIN, False),
        ("M1", "T", "G", Purpose.MAC, True),
        ("M3", "T", "E", Purpose.MAC, False),
        ("M6", "T", "C", Purpose.MAC, False),
        ("V0", "T", "V", Purpose.PVK, True),
        ("V1", "T", "V", Purpose.PVK, False),
        ("B0", "T", "X", Purpose.BASE_DERIVATION, True),
        ("B0", "T", "X", Purpose.DUKPT_INITIAL, False),
        ("K1", "T", "B", Purpose.TERMINAL_MASTER, False),
        ("P0", "A", "B", Purpose.PIN, True),
        ("P0", "D", "B", Purpose.PIN, False),
        ("P0", "R", "B", Purpose.PIN, False),
    ],
)
def test_what_the_header_allows(
    hsm: SecurityModule, kek: WrappedKey, *, usage: str, algorithm: str, mode: str, purpose: Purpose, allowed: bool
) -> None:
    block = key_block.wrap(DesKey(CLEAR), Header("B", usage, algorithm, mode, "N"), CLEAR)
    if allowed:
        assert hsm.import_key_block(kek, purpose, block).length == 16
    else:
        with pytest.raises(KeyUsageError):
            hsm.import_key_block(kek, purpose, block)


def test_who_may_send_it_on(hsm: SecurityModule, kek: WrappedKey) -> None:
    key = hsm.generate(Purpose.PIN)
    kept = hsm.import_key_block(kek, Purpose.PIN, hsm.export_key_block(kek, key))
    free = hsm.import_key_block(kek, Purpose.PIN, hsm.export_key_block(kek, key, exportable=True))
    assert (key.exportable, kept.exportable, free.exportable) == (True, False, True)
    assert hsm.export_key_block(kek, free).startswith("B0096P0TB00N0000")
    with pytest.raises(KeyUsageError):
        hsm.export_key_block(kek, kept)
    with pytest.raises(KeyUsageError):
        hsm.export_under(hsm.generate(Purpose.TERMINAL_MASTER), kept)


def test_who_may_send_it_on_cannot_be_changed_afterwards(hsm: SecurityModule, kek: WrappedKey) -> None:
    kept = hsm.import_key_block(kek, Purpose.PIN, hsm.export_key_block(kek, hsm.generate(Purpose.PIN)))
    with pytest.raises(KeyFormatError):
        hsm.export_key_block(kek, msgspec.structs.replace(kept, exportable=True))


def test_a_key_travels_under_no_weaker_one(hsm: SecurityModule, kek: WrappedKey) -> None:
    aes = hsm.generate(Purpose.KEY_BLOCK, algorithm=Algorithm.AES)
    longer = hsm.generate(Purpose.MAC, length=32, algorithm=Algorithm.AES)
    as_long = hsm.generate(Purpose.MAC, algorithm=Algorithm.AES)
    assert hsm.import_key_block(aes, Purpose.MAC, hsm.export_key_block(aes, as_long)).check_value == as_long.check_value
    for protection, key in ((kek, as_long), (aes, longer), (kek, hsm.generate(Purpose.PIN, length=24))):
        with pytest.raises(KeyUsageError, match="stronger"):
            hsm.export_key_block(protection, key)


def test_only_key_block_keys_protect(hsm: SecurityModule) -> None:
    with pytest.raises(KeyUsageError, match="key-block"):
        hsm.export_key_block(hsm.generate(Purpose.TERMINAL_MASTER), hsm.generate(Purpose.PIN))
    with pytest.raises(KeyUsageError, match="key-block"):
        hsm.import_key_block(hsm.generate(Purpose.TERMINAL_MASTER), Purpose.PIN, "B0096P0TB00N0000")
    with pytest.raises(KeyUsageError, match="does not travel"):
        hsm.export_key_block(hsm.generate(Purpose.KEY_BLOCK), hsm.generate(Purpose.DATA))


def test_each_version_wants_its_cipher(hsm: SecurityModule, kek: WrappedKey) -> None:
    aes = hsm.import_clear(Purpose.KEY_BLOCK, CLEAR, Algorithm.AES)
    for protection, other in ((kek, aes), (aes, kek)):
        block = hsm.export_key_block(protection, hsm.generate(Purpose.PIN))
        with pytest.raises(KeyUsageError, match="version"):
            hsm.import_key_block(other, Purpose.PIN, block)


def test_another_protection_key_opens_nothing(hsm: SecurityModule) -> None:
    for algorithm in Algorithm:
        mine, theirs = (hsm.generate(Purpose.KEY_BLOCK, algorithm=algorithm) for _ in range(2))
        block = hsm.export_key_block(mine, hsm.generate(Purpose.PIN))
        with pytest.raises(KeyCheckError):
            hsm.import_key_block(theirs, Purpose.PIN, block)


@pytest.mark.parametrize(
    "block",
    [
        "",
        "B0016P0TB00N0000",
        "B0099P0TB00N0000" + "0" * 80,
        "B0096P0TB00N0001" + "0" * 80,
        "B0096P0TB00Y0000" + "0" * 80,
        "B0096P0TBC0N0000" + "0" * 80,
        "B0096P0TB00N0100" + "0" * 80,
        "B0096P0TB00N9900" + "PB04" * 20,
        "B0096P0TB00N0000" + "a" * 80,
        "B0095P0TB00N0000" + "0" * 79,
        "B0094P0TB00N0000" + "0" * 78,
        "B0096P0TB00N0000" + "\u0660" * 80,
    ],
)
def test_what_is_no_key_block_is_refused(hsm: SecurityModule, kek: WrappedKey, block: str) -> None:
    with pytest.raises(KeyFormatError, match="key block"):
        hsm.import_key_block(kek, Purpose.PIN, block)


@pytest.mark.parametrize("data", [bytes(24), b"\xff\xff" + bytes(22), b"\0\7" + bytes(22)])
def test_a_length_that_is_not_the_keys_is_refused(hsm: SecurityModule, kek: WrappedKey, data: bytes) -> None:
    """The block is authentic, yet says a key length that its data cannot hold: a faulty sender."""
    from security_module.chaining import cbc_encrypt, cmac

    header = Header("B", "P0", "T", "B", "N").text(16 + 2 * (24 + 8))
    protection = DesKey(CLEAR)
    encryption, authentication = (key_block._derived(protection, use) for use in (0, 1))
    mac = cmac(authentication.algorithm(), header.encode() + data)
    block = header + (cbc_encrypt(encryption.algorithm(), mac, data) + mac).hex().upper()
    with pytest.raises(KeyFormatError, match="length"):
        hsm.import_key_block(kek, Purpose.PIN, block)


def test_aes_blocks_are_of_version_d(hsm: SecurityModule) -> None:
    aes = hsm.import_clear(Purpose.KEY_BLOCK, CLEAR, Algorithm.AES)
    block = hsm.export_key_block(aes, hsm.generate(Purpose.BASE_DERIVATION, algorithm=Algorithm.AES))
    assert block.startswith("D0144B0AX00N0000")
    header, clear = key_block.unwrap(AesKey(CLEAR), block)
    assert (header.usage, len(clear)) == ("B0", 16)
