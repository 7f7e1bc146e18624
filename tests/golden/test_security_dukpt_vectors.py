"""The check vectors of DUKPT: ANSI X9.24-1 (TDES) and X9.24-3 (AES), at the keys themselves and at what the module does with them."""

from functools import reduce
from types import ModuleType

import pytest

from contracts.pan import Pan
from security_module import (
    Algorithm,
    Direction,
    DukptKey,
    MacAlgorithm,
    PinFormat,
    Purpose,
    SecurityModule,
    WrappedKey,
    dukpt_aes,
    dukpt_tdes,
)
from security_module.aes import AesKey
from security_module.des import DesKey
from security_module.dukpt import Use

BDK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


@pytest.fixture
def hsm() -> SecurityModule:
    return SecurityModule(bytes(range(32)))


def under(hsm: SecurityModule, purpose: Purpose, hexed: str, algorithm: Algorithm = Algorithm.TDES) -> WrappedKey:
    return hsm.import_clear(purpose, bytes.fromhex(hexed), algorithm)


def transaction_key(rules: ModuleType, initial: bytes, ksn: bytes) -> bytes:
    key: bytes = reduce(rules.step, reversed(rules.ancestry(ksn)), initial)
    return key


class TestTdesDukpt:
    """ANSI X9.24-1:2009, annex A.4."""

    KSN = bytes.fromhex("FFFF9876543210E00001")
    INITIAL = "6AC292FAA1315B4D858AB3A3D7D5933A"
    DATA = b"4012345678909D987"

    def test_initial_key(self, hsm: SecurityModule) -> None:
        assert dukpt_tdes.initial_key(DesKey(BDK), self.KSN).hex().upper() == self.INITIAL
        made = hsm.dukpt_initial_key(hsm.import_clear(Purpose.BASE_DERIVATION, BDK), self.KSN)
        assert made.check_value == under(hsm, Purpose.DUKPT_INITIAL, self.INITIAL).check_value

    @pytest.mark.parametrize(
        ("ksn", "transaction", "pin"),
        [
            ("FFFF9876543210E00001", "042666B49184CFA368DE9628D0397BC9", "042666B49184CF5C68DE9628D0397B36"),
            ("FFFF9876543210E00003", "0DF3D9422ACA56E547676D07AD6BADFA", "0DF3D9422ACA561A47676D07AD6BAD05"),
            ("FFFF9876543210EFF800", "F9CDFEBF4F5B1D9EB3EC12454527E176", "F9CDFEBF4F5B1D61B3EC12454527E189"),
        ],
    )
    def test_keys_of_a_transaction(self, ksn: str, transaction: str, pin: str) -> None:
        key = transaction_key(dukpt_tdes, bytes.fromhex(self.INITIAL), bytes.fromhex(ksn))
        assert key.hex().upper() == transaction
        assert dukpt_tdes.working_key(key, Use.PIN).hex().upper() == pin

    @pytest.mark.parametrize(
        ("base", "clear"), [(Purpose.BASE_DERIVATION, BDK.hex()), (Purpose.DUKPT_INITIAL, INITIAL)]
    )
    def test_host_and_terminal_use_the_same_keys(self, hsm: SecurityModule, base: Purpose, clear: str) -> None:
        key = DukptKey(base=under(hsm, base, clear), ksn=self.KSN)
        answer = DukptKey(base=key.base, ksn=self.KSN, direction=Direction.RESPONSE)
        assert hsm.encrypt_pin(key, "1234", Pan("4012345678909")).hex().upper() == "1B9C1845EB993A7A"
        request_mac, answer_mac = bytes.fromhex("9CCC78173FC4FB64"), bytes.fromhex("20364223C1FF00FA")
        assert hsm.verify_mac(key, self.DATA, request_mac, MacAlgorithm.X9_19)
        assert hsm.verify_mac(answer, self.DATA, answer_mac, MacAlgorithm.X9_19)
        assert not hsm.verify_mac(key, self.DATA, answer_mac, MacAlgorithm.X9_19)

    def test_the_pin_goes_on_under_a_zone_key(self, hsm: SecurityModule) -> None:
        key = DukptKey(base=hsm.import_clear(Purpose.BASE_DERIVATION, BDK), ksn=self.KSN)
        zone, pan = hsm.generate(Purpose.ZONE_PIN), Pan("4012345678909")
        block = hsm.translate_pin(bytes.fromhex("1B9C1845EB993A7A"), pan, from_key=key, to_key=zone)
        assert block == hsm.encrypt_pin(zone, "1234", pan)


class TestAesDukpt:
    """ANSI X9.24-3:2017 and its published supplement of test vectors."""

    AES_BDK = "FEDCBA9876543210F1F1F1F1F1F1F1F1"
    INITIAL = "1273671EA26AC29AFA4D1084127652A1"
    TERMINAL = "1234567890123456"
    PAN = Pan("4111111111111111")

    def test_initial_key(self, hsm: SecurityModule) -> None:
        ksn = bytes.fromhex(self.TERMINAL + "00000000")
        assert dukpt_aes.initial_key(AesKey(bytes.fromhex(self.AES_BDK)), ksn).hex().upper() == self.INITIAL
        made = hsm.dukpt_initial_key(under(hsm, Purpose.BASE_DERIVATION, self.AES_BDK, Algorithm.AES), ksn)
        wanted = under(hsm, Purpose.DUKPT_INITIAL, self.INITIAL, Algorithm.AES)
        assert (made.check_value, made.algorithm) == (wanted.check_value, Algorithm.AES)

    @pytest.mark.parametrize(
        ("counter", "use", "algorithm", "expected"),
        [
            ("00000001", Use.PIN, Algorithm.AES, "AF8CB133A78F8DC2D1359F18527593FB"),
            ("00000001", Use.MAC_REQUEST, Algorithm.AES, "A2DC23DE6FDE0824A2BC321E08E4B8B7"),
            ("00000001", Use.MAC_RESPONSE, Algorithm.AES, "DBB463945B286C07CD3AD82EE96FD9C9"),
            ("00000001", Use.PIN, Algorithm.TDES, "630C706D9546E47D4449313F61C4D4AB"),
            ("00000001", Use.MAC_REQUEST, Algorithm.TDES, "5D8FD787E8A796D07035FFCA9B5800BB"),
            ("00000002", Use.PIN, Algorithm.AES, "D30BDC73EC9714B000BEC66BDB7B6D09"),
            ("00000008", Use.PIN, Algorithm.AES, "4D9DF3FBEE3448FC3E676D04320A90F5"),
        ],
    )
    def test_working_keys(self, counter: str, use: Use, algorithm: Algorithm, expected: str) -> None:
        ksn = bytes.fromhex(self.TERMINAL + counter)
        key = transaction_key(dukpt_aes, bytes.fromhex(self.INITIAL), ksn)
        assert dukpt_aes.working_key(key, ksn, use, algorithm).hex().upper() == expected

    @pytest.mark.parametrize(
        ("counter", "expected"),
        [
            ("00000003", "031504E530365CF81264238540518318"),
            ("FFFE8000", "0387625F189B58AE03EF0E8CCA41105E"),
            ("FFFF0000", "F6BA59389BD14A9855BE9727E7C52E3C"),
        ],
    )
    def test_counters_of_many_ones(self, counter: str, expected: str) -> None:
        ksn = bytes.fromhex(self.TERMINAL + counter)
        assert transaction_key(dukpt_aes, bytes.fromhex(self.INITIAL), ksn).hex().upper() == expected

    def test_an_initial_key_of_256_bits(self) -> None:
        initial = bytes.fromhex("CE9CE0C101D1138F97FB6CAD4DF045A7083D4EAE2D35A31789D01CCF0949550F")
        ksn = bytes.fromhex(self.TERMINAL + "00000001")
        key = transaction_key(dukpt_aes, initial, ksn)
        expected = "8C1AB7BEE973829E30242E0BBBDD4946D540C98FC1B5BDCF94790001A23FD502"
        assert dukpt_aes.working_key(key, ksn, Use.PIN, Algorithm.AES).hex().upper() == expected

    @pytest.mark.parametrize(
        ("counter", "block"),
        [("00000001", "A912150391AB65A67E52883D81CE2D15"), ("00000002", "52A00503BD34BA1383F6A7EE9FE2547F")],
    )
    def test_format_4_becomes_format_0_under_a_zone_key(self, hsm: SecurityModule, counter: str, block: str) -> None:
        base = under(hsm, Purpose.BASE_DERIVATION, self.AES_BDK, Algorithm.AES)
        key = DukptKey(base=base, ksn=bytes.fromhex(self.TERMINAL + counter))
        zone = hsm.generate(Purpose.ZONE_PIN)
        translated = hsm.translate_pin(
            bytes.fromhex(block), self.PAN, from_key=key, to_key=zone, from_format=PinFormat.ISO_4
        )
        assert translated == hsm.encrypt_pin(zone, "1234", self.PAN)

    def test_aes_cmac_both_ways(self, hsm: SecurityModule) -> None:
        base = under(hsm, Purpose.BASE_DERIVATION, self.AES_BDK, Algorithm.AES)
        ksn = bytes.fromhex(self.TERMINAL + "00000001")
        macs = [
            hsm.mac(DukptKey(base=base, ksn=ksn, direction=way), b"4012345678909D987", MacAlgorithm.AES_CMAC)
            for way in Direction
        ]
        assert [m.hex().upper() for m in macs] == ["A2EB5C1C35809E58", "DD4E1895FD9BF53D"]
