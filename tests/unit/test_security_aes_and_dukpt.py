"""AES keys and DUKPT: which key does what, and what is refused by which name."""

import msgspec
import pytest

from contracts.pan import Pan
from security_module import (
    Algorithm,
    DukptKey,
    HostSecurityModule,
    KeyFormatError,
    KeyUsageError,
    MacAlgorithm,
    PinFormat,
    Purpose,
    SecurityModule,
    SerialNumberError,
    WrappedKey,
)
from security_module.dukpt import lineage

PAN = Pan("6291010000000001")
AES_PURPOSES = [
    Purpose.PIN,
    Purpose.ZONE_PIN,
    Purpose.MAC,
    Purpose.KEY_BLOCK,
    Purpose.BASE_DERIVATION,
    Purpose.DUKPT_INITIAL,
]
TDES_KSN, AES_KSN = bytes.fromhex("FFFF9876543210E00001"), bytes.fromhex("123456789012345600000001")


@pytest.fixture
def hsm() -> SecurityModule:
    return SecurityModule(bytes(range(32)))


class TestAlgorithm:
    @pytest.mark.parametrize("purpose", AES_PURPOSES)
    @pytest.mark.parametrize("length", [16, 24, 32])
    def test_aes_keys_have_three_lengths(self, hsm: SecurityModule, purpose: Purpose, length: int) -> None:
        key = hsm.generate(purpose, length=length, algorithm=Algorithm.AES)
        assert (key.algorithm, key.length, len(hsm.check_value(key))) == (Algorithm.AES, length, 4)

    @pytest.mark.parametrize("purpose", [p for p in Purpose if p not in AES_PURPOSES])
    def test_other_purposes_have_no_aes_keys(self, hsm: SecurityModule, purpose: Purpose) -> None:
        with pytest.raises(KeyFormatError, match=purpose.value):
            hsm.generate(purpose, algorithm=Algorithm.AES)

    @pytest.mark.parametrize(
        ("purpose", "length"),
        [(Purpose.BASE_DERIVATION, 24), (Purpose.DUKPT_INITIAL, 8), (Purpose.KEY_BLOCK, 8), (Purpose.CARD_MASTER, 24)],
    )
    def test_some_purposes_have_fewer_tdes_lengths(self, hsm: SecurityModule, purpose: Purpose, length: int) -> None:
        with pytest.raises(KeyFormatError):
            hsm.generate(purpose, length=length)

    def test_the_algorithm_cannot_be_changed_afterwards(self, hsm: SecurityModule) -> None:
        key = hsm.generate(Purpose.MAC)
        hsm.mac(key, b"data")
        with pytest.raises(KeyFormatError):
            hsm.mac(msgspec.structs.replace(key, algorithm=Algorithm.AES), b"data", MacAlgorithm.AES_CMAC)

    def test_each_mac_wants_its_cipher(self, hsm: SecurityModule) -> None:
        tdes, aes = hsm.generate(Purpose.MAC), hsm.generate(Purpose.MAC, algorithm=Algorithm.AES)
        assert len(hsm.mac(aes, b"data", MacAlgorithm.AES_CMAC)) == 8
        with pytest.raises(KeyUsageError, match="tdes"):
            hsm.mac(tdes, b"data", MacAlgorithm.AES_CMAC)
        for algorithm in set(MacAlgorithm) - {MacAlgorithm.AES_CMAC}:
            with pytest.raises(KeyUsageError, match="aes"):
                hsm.mac(aes, b"data", algorithm)

    def test_each_pin_format_wants_its_cipher(self, hsm: SecurityModule) -> None:
        tdes, aes = hsm.generate(Purpose.PIN), hsm.generate(Purpose.PIN, algorithm=Algorithm.AES)
        with pytest.raises(KeyUsageError):
            hsm.encrypt_pin(tdes, "1234", PAN, PinFormat.ISO_4)
        for pin_format in (PinFormat.ISO_0, PinFormat.ISO_3):
            with pytest.raises(KeyUsageError):
                hsm.encrypt_pin(aes, "1234", PAN, pin_format)

    def test_a_terminals_line_carries_no_aes_key(self, hsm: SecurityModule) -> None:
        with pytest.raises(KeyUsageError):
            hsm.export_under(hsm.generate(Purpose.TERMINAL_MASTER), hsm.generate(Purpose.PIN, algorithm=Algorithm.AES))


class TestOlderKeys:
    """Wrapped before there was an algorithm: by this LMK, by the code of then."""

    MAC = b'{"purpose":"mac","cryptogram":"f3f1de3d57f82566738a0974e52d03effc4539c102c764a3667fdaf46394d0a176ab9f8464d52fcc8d06d662","check_value":"91A1BB18","length":16}'
    DATA = b'{"purpose":"data","cryptogram":"774e40d30f64b67f84bf09449c80e1384e4ccd746e829d8400ed9e3151536a0e43adf616892ed11c2f192414","check_value":"B613679A","length":16}'

    def test_they_open(self, hsm: SecurityModule) -> None:
        mac, data = (msgspec.json.decode(key, type=WrappedKey) for key in (self.MAC, self.DATA))
        assert hsm.mac(mac, b"4012345678909D987", MacAlgorithm.X9_19).hex().upper() == "9CCC78173FC4FB64"
        assert hsm.digest(data, b"x") == hsm.digest(hsm.import_clear(Purpose.DATA, bytes(16)), b"x")

    def test_they_are_written_as_they_were(self) -> None:
        assert msgspec.json.encode(msgspec.json.decode(self.MAC, type=WrappedKey)) == self.MAC


class TestDukpt:
    @pytest.mark.parametrize("ksn", [b"", TDES_KSN[:9], AES_KSN, bytes(9) + b"\x00", b"\xff" * 10])
    def test_a_tdes_serial_number_is_refused(self, hsm: SecurityModule, ksn: bytes) -> None:
        key = DukptKey(base=hsm.generate(Purpose.BASE_DERIVATION), ksn=ksn)
        with pytest.raises(SerialNumberError):
            hsm.mac(key, b"data")

    @pytest.mark.parametrize("ksn", [b"", TDES_KSN, bytes(12), AES_KSN[:8] + b"\x00\x01\xff\xff"])
    def test_an_aes_serial_number_is_refused(self, hsm: SecurityModule, ksn: bytes) -> None:
        key = DukptKey(base=hsm.generate(Purpose.BASE_DERIVATION, algorithm=Algorithm.AES), ksn=ksn)
        with pytest.raises(SerialNumberError):
            hsm.encrypt_pin(key, "1234", PAN, PinFormat.ISO_4)

    @pytest.mark.parametrize(
        "purpose", [p for p in Purpose if p not in (Purpose.BASE_DERIVATION, Purpose.DUKPT_INITIAL)]
    )
    def test_only_base_and_initial_keys_derive(self, hsm: SecurityModule, purpose: Purpose) -> None:
        with pytest.raises(KeyUsageError, match="base-derivation"):
            hsm.mac(DukptKey(base=hsm.generate(purpose), ksn=TDES_KSN), b"data")

    def test_only_a_base_key_gives_initial_keys(self, hsm: SecurityModule) -> None:
        base = hsm.generate(Purpose.BASE_DERIVATION)
        initial = hsm.dukpt_initial_key(base, TDES_KSN)
        assert initial.purpose is Purpose.DUKPT_INITIAL
        with pytest.raises(KeyUsageError):
            hsm.dukpt_initial_key(initial, TDES_KSN)
        with pytest.raises(SerialNumberError):
            hsm.dukpt_initial_key(base, AES_KSN)

    def test_a_base_key_itself_makes_no_mac_and_no_pin_block(self, hsm: SecurityModule) -> None:
        base = hsm.generate(Purpose.BASE_DERIVATION)
        with pytest.raises(KeyUsageError):
            hsm.mac(base, b"data")
        with pytest.raises(KeyUsageError):
            hsm.encrypt_pin(base, "1234", PAN)

    def test_no_aes_key_derives_from_a_tdes_key(self, hsm: SecurityModule) -> None:
        key = DukptKey(base=hsm.generate(Purpose.BASE_DERIVATION), ksn=TDES_KSN)
        with pytest.raises(KeyUsageError):
            hsm.encrypt_pin(key, "1234", PAN, PinFormat.ISO_4)
        with pytest.raises(KeyUsageError):
            hsm.mac(key, b"data", MacAlgorithm.AES_CMAC)

    def test_each_transaction_and_terminal_has_its_key(self, hsm: SecurityModule) -> None:
        base = hsm.generate(Purpose.BASE_DERIVATION)
        serials = [TDES_KSN, TDES_KSN[:-1] + b"\x02", b"\xfe" + TDES_KSN[1:]]
        macs = {hsm.mac(DukptKey(base=base, ksn=ksn), b"data") for ksn in serials}
        assert len(macs) == len(serials)

    def test_a_key_derives_from_those_of_the_counters_with_fewer_ones(self) -> None:
        assert lineage(bytes.fromhex("FF1005"), 0x1005) == [
            bytes.fromhex(one) for one in ("FF1005", "FF1004", "FF1000")
        ]


def test_the_software_module_is_a_host_security_module(hsm: SecurityModule) -> None:
    def check_values(module: HostSecurityModule, key: WrappedKey) -> bytes:
        return module.check_value(key)

    key = hsm.generate(Purpose.MAC)
    assert check_values(hsm, key).hex().upper() == key.check_value


def test_nothing_prints_what_was_derived(hsm: SecurityModule) -> None:
    clear = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    key = DukptKey(base=hsm.import_clear(Purpose.BASE_DERIVATION, clear), ksn=TDES_KSN)
    hsm.mac(key, b"data")
    shown = (repr(key) + repr(hsm) + repr(vars(hsm))).lower()
    assert "042666b4" not in shown
    assert "0123456789abcdef" not in shown
