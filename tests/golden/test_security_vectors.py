"""The check vectors of keys, PIN, MAC, DUKPT, key blocks, card values and chip cryptograms, as published or recomputed elsewhere."""

import pytest

from contracts.pan import Pan
from security_module import (
    Algorithm,
    CryptogramVersion,
    Direction,
    DukptKey,
    MacAlgorithm,
    PinFormat,
    PinFormatError,
    Purpose,
    SecurityModule,
    WrappedKey,
    cryptogram_data,
    cryptogram_version,
    dukpt_aes,
    dukpt_tdes,
)
from security_module.aes import AesKey
from security_module.des import DesKey
from security_module.dukpt import Use

SIGN_ON_TMK = bytes.fromhex("258FB0AB70D025CDB99DF2C4D302D646")
SIGN_ON_REPLY = bytes.fromhex(
    "007960000001386131003111080810003800010AC000145002112213010720080008550032323130313334393131323933303939393939393030"
    "3630313034333031373031313939390011000005190030004046F161A743497B32EAC760DF5EA57DF5900ECCE3977731A7EA402DDF00000000"
    "00000000CFF1592A"
)
PIK = "D931648F3DE313A4A22C15DCA4F4299E"
MAK = "AB7C577CC7A18045"
MAC_MESSAGE = bytes.fromhex(
    "007F600003000060321032007202003020048000C0801500000000000000123400000203009930303030303030313935323731383138323231373837"
    "3531353600192600000100060000000000435F01123238343431323334353637383930313233345F03063136303033365F04063230303832365C02"
    "30314233413039324145"
)
DUKPT_BDK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


@pytest.fixture
def hsm() -> SecurityModule:
    return SecurityModule(bytes(range(32)))


def under(hsm: SecurityModule, purpose: Purpose, hexed: str, algorithm: Algorithm = Algorithm.TDES) -> WrappedKey:
    return hsm.import_clear(purpose, bytes.fromhex(hexed), algorithm)


class TestSignOnReply:
    KEYS = SIGN_ON_REPLY[-40:]

    def test_pik_and_mak_open_with_the_right_check_values(self, hsm: SecurityModule) -> None:
        tmk = hsm.import_clear(Purpose.TERMINAL_MASTER, SIGN_ON_TMK)
        pik = hsm.import_under(tmk, Purpose.PIN, self.KEYS[:16], self.KEYS[16:20])
        mak = hsm.import_under(tmk, Purpose.MAC, self.KEYS[20:36], self.KEYS[36:])
        assert (pik.check_value, pik.length) == ("900ECCE3", 16)
        assert (mak.check_value, mak.length) == ("CFF1592A", 8)
        # The same keys, given in clear, do the same work: so what came out is what the vector says.
        block = hsm.encrypt_pin(pik, "123456", Pan("1234567890123456"))
        assert block == hsm.encrypt_pin(under(hsm, Purpose.PIN, PIK), "123456", Pan("1234567890123456"))
        assert hsm.mac(mak, b"x") == hsm.mac(under(hsm, Purpose.MAC, MAK), b"x")

    def test_export_makes_the_bytes_of_field_62(self, hsm: SecurityModule) -> None:
        tmk = hsm.import_clear(Purpose.TERMINAL_MASTER, SIGN_ON_TMK)
        pik = hsm.export_under(tmk, under(hsm, Purpose.PIN, PIK))
        mak = hsm.export_under(tmk, under(hsm, Purpose.MAC, MAK))
        assert pik[0] + pik[1] + mak[0] + mak[1] == self.KEYS


def test_key_under_tmk(hsm: SecurityModule) -> None:
    tmk = under(hsm, Purpose.TERMINAL_MASTER, "70F2A84CCBC2AE8625CBB0F2C22AB923")
    clear = under(hsm, Purpose.MAC, "C24A8FB57AA20123")
    assert hsm.export_under(tmk, clear, width=8)[0].hex().upper() == "96D605EA176B7E9E"
    opened = hsm.import_under(tmk, Purpose.MAC, bytes.fromhex("96D605EA176B7E9E"), hsm.check_value(clear))
    assert hsm.mac(opened, b"message") == hsm.mac(clear, b"message")


@pytest.mark.parametrize(
    ("pan", "block"), [("123456789012345678", "E77251AE2634A4AA"), ("1234567890123456", "3493B505341CD8F5")]
)
def test_pin_block_under_the_sign_on_pik(hsm: SecurityModule, pan: str, block: str) -> None:
    assert hsm.encrypt_pin(under(hsm, Purpose.PIN, PIK), "123456", Pan(pan)).hex().upper() == block


@pytest.mark.parametrize(
    ("pin", "pan", "block"),
    [
        ("123456", "123456789012345678", "061253DFFEDCBA98"),
        ("123456", "1234567890123456", "0612713176FEDCBA"),
        ("1234", "4012345678909", "041274EDCBA9876F"),
    ],
)
def test_clear_pin_block(pin: str, pan: str, block: str) -> None:
    from security_module import pin_block

    assert pin_block.build(pin, pan).hex().upper() == block
    assert pin_block.parse(bytes.fromhex(block), pan) == pin


def test_format_0_under_the_dukpt_pin_key(hsm: SecurityModule) -> None:
    key = under(hsm, Purpose.PIN, "042666B49184CF5C68DE9628D0397B36")
    assert hsm.encrypt_pin(key, "1234", Pan("4012345678909")).hex().upper() == "1B9C1845EB993A7A"
    with pytest.raises(PinFormatError):
        hsm.translate_pin(bytes(8), Pan("4012345678909"), from_key=key, to_key=key)


@pytest.mark.parametrize("mak", ["0723C80DB5F4CD3D", "0723C80DB5F4CD3D0723C80DB5F4CD3D"])
def test_cup_ecb_mac_of_the_message(hsm: SecurityModule, mak: str) -> None:
    key = under(hsm, Purpose.MAC, mak)
    mab, field_64 = MAC_MESSAGE[13:-8], MAC_MESSAGE[-8:]
    assert field_64 == b"B3A092AE"
    assert hsm.mac(key, mab, MacAlgorithm.CUP_ECB) == field_64
    assert hsm.verify_mac(key, mab, field_64, MacAlgorithm.CUP_ECB)
    assert not hsm.verify_mac(key, mab[:-1] + b"!", field_64, MacAlgorithm.CUP_ECB)


def test_x9_19_mac(hsm: SecurityModule) -> None:
    key = under(hsm, Purpose.MAC, "042666B4918430A368DE9628D03984C9")
    assert hsm.mac(key, b"4012345678909D987", MacAlgorithm.X9_19).hex().upper() == "9CCC78173FC4FB64"


def test_cvv(hsm: SecurityModule) -> None:
    key = hsm.import_clear(Purpose.CVK, DUKPT_BDK)
    assert hsm.cvv(key, Pan("4123456789012345"), "8701", "101") == "561"
    assert hsm.verify_cvv(key, Pan("4123456789012345"), "8701", "101", "561")
    assert not hsm.verify_cvv(key, Pan("4123456789012345"), "8701", "101", "562")


def test_pvv(hsm: SecurityModule) -> None:
    key = hsm.import_clear(Purpose.PVK, DUKPT_BDK)
    assert hsm.pvv(key, Pan("1122334455667788"), "4524") == "8523"


class TestTdesDukpt:
    """ANSI X9.24-1:2009, annex A.4."""

    KSN = bytes.fromhex("FFFF9876543210E00001")
    INITIAL = "6AC292FAA1315B4D858AB3A3D7D5933A"
    DATA = b"4012345678909D987"

    def test_initial_key(self, hsm: SecurityModule) -> None:
        assert dukpt_tdes.initial_key(DesKey(DUKPT_BDK), self.KSN).hex().upper() == self.INITIAL
        made = hsm.dukpt_initial_key(hsm.import_clear(Purpose.BASE_DERIVATION, DUKPT_BDK), self.KSN)
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
        key = dukpt_tdes.transaction_key(bytes.fromhex(self.INITIAL), bytes.fromhex(ksn))
        assert key.hex().upper() == transaction
        assert dukpt_tdes.working_key(key, Use.PIN).hex().upper() == pin

    @pytest.mark.parametrize(
        ("base", "clear"), [(Purpose.BASE_DERIVATION, DUKPT_BDK.hex()), (Purpose.DUKPT_INITIAL, INITIAL)]
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
        key = DukptKey(base=hsm.import_clear(Purpose.BASE_DERIVATION, DUKPT_BDK), ksn=self.KSN)
        zone, pan = hsm.generate(Purpose.ZONE_PIN), Pan("4012345678909")
        block = hsm.translate_pin(bytes.fromhex("1B9C1845EB993A7A"), pan, from_key=key, to_key=zone)
        assert block == hsm.encrypt_pin(zone, "1234", pan)


class TestAesDukpt:
    """ANSI X9.24-3:2017 and its published supplement of test vectors."""

    BDK = "FEDCBA9876543210F1F1F1F1F1F1F1F1"
    INITIAL = "1273671EA26AC29AFA4D1084127652A1"
    TERMINAL = "1234567890123456"
    PAN = Pan("4111111111111111")

    def test_initial_key(self, hsm: SecurityModule) -> None:
        ksn = bytes.fromhex(self.TERMINAL + "00000000")
        assert dukpt_aes.initial_key(AesKey(bytes.fromhex(self.BDK)), ksn).hex().upper() == self.INITIAL
        made = hsm.dukpt_initial_key(under(hsm, Purpose.BASE_DERIVATION, self.BDK, Algorithm.AES), ksn)
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
        key = dukpt_aes.transaction_key(bytes.fromhex(self.INITIAL), ksn)
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
        assert dukpt_aes.transaction_key(bytes.fromhex(self.INITIAL), ksn).hex().upper() == expected

    def test_an_initial_key_of_256_bits(self) -> None:
        initial = bytes.fromhex("CE9CE0C101D1138F97FB6CAD4DF045A7083D4EAE2D35A31789D01CCF0949550F")
        ksn = bytes.fromhex(self.TERMINAL + "00000001")
        key = dukpt_aes.transaction_key(initial, ksn)
        expected = "8C1AB7BEE973829E30242E0BBBDD4946D540C98FC1B5BDCF94790001A23FD502"
        assert dukpt_aes.working_key(key, ksn, Use.PIN, Algorithm.AES).hex().upper() == expected

    @pytest.mark.parametrize(
        ("counter", "block"),
        [("00000001", "A912150391AB65A67E52883D81CE2D15"), ("00000002", "52A00503BD34BA1383F6A7EE9FE2547F")],
    )
    def test_format_4_becomes_format_0_under_a_zone_key(self, hsm: SecurityModule, counter: str, block: str) -> None:
        base = under(hsm, Purpose.BASE_DERIVATION, self.BDK, Algorithm.AES)
        key = DukptKey(base=base, ksn=bytes.fromhex(self.TERMINAL + counter))
        zone = hsm.generate(Purpose.ZONE_PIN)
        translated = hsm.translate_pin(
            bytes.fromhex(block), self.PAN, from_key=key, to_key=zone, from_format=PinFormat.ISO_4
        )
        assert translated == hsm.encrypt_pin(zone, "1234", self.PAN)

    def test_aes_cmac_both_ways(self, hsm: SecurityModule) -> None:
        base = under(hsm, Purpose.BASE_DERIVATION, self.BDK, Algorithm.AES)
        ksn = bytes.fromhex(self.TERMINAL + "00000001")
        macs = [
            hsm.mac(DukptKey(base=base, ksn=ksn, direction=way), b"4012345678909D987", MacAlgorithm.AES_CMAC)
            for way in Direction
        ]
        assert [m.hex().upper() for m in macs] == ["A2EB5C1C35809E58", "DD4E1895FD9BF53D"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [("", "BB1D6929E9593728"), ("6BC1BEE22E409F96E93D7E117393172A", "070A16B46B4D4144")],
)
def test_aes_cmac(hsm: SecurityModule, message: str, expected: str) -> None:
    """RFC 4493, section 4."""
    key = under(hsm, Purpose.MAC, "2B7E151628AED2A6ABF7158809CF4F3C", Algorithm.AES)
    assert hsm.mac(key, bytes.fromhex(message), MacAlgorithm.AES_CMAC).hex().upper() == expected


@pytest.mark.parametrize(
    ("protection", "block", "clear"),
    [
        (
            "DD7515F2BFC17F85CE48F3CA25CB21F6",
            "B0080P0TE00E000094B420079CC80BA3461F86FE26EFC4A3B8E4FA4C5F5341176EED7B727B8A248E",
            "3F419E1CB7079442AA37474C2EFBF8B8",
        ),
        (
            "89E88CF7931444F334BD7547FC3F380C",
            "A0072P0TE00E0000F5161ED902807AF26F1D62263644BD24D52C8D44AAEDA6D81752022B",
            "F039121BEC83D26B169BDCD5B22AAF8F",
        ),
    ],
)
def test_tr_31(hsm: SecurityModule, protection: str, block: str, clear: str) -> None:
    key = hsm.import_key_block(under(hsm, Purpose.KEY_BLOCK, protection), Purpose.PIN, block)
    pan = Pan("4012345678909")
    assert hsm.encrypt_pin(key, "1234", pan) == hsm.encrypt_pin(under(hsm, Purpose.PIN, clear), "1234", pan)


CHIP = {
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


@pytest.mark.parametrize(
    ("master", "pan", "sequence", "arqc_10", "arpc_10", "arqc_18", "arpc_18", "arpc_18_own"),
    [  # pyemv 1.5's example (the first ARQC of CVN 18) and its results for other keys and lengths of PAN
        ("AA" * 16, "1234567890123456", "00", "338226A32FB9675C", "E0E702EFC856424C", "769577B5ABE9FE62", "0E12AAB7", "58D35CB4"),
        ("AA" * 16, "6291010000000001234", "01", "27CD8A77C3367E6C", "39B5619FC6DCDB5A", "0C943F1C35B153C0", "CC11E0E7", "7D905DCE"),
        (DUKPT_BDK.hex(), "99012345678901234", "45", "F22176E6898AB590", "2E714737F451261F", "F04FB8B228FDCD08", "EE061D9B", "3113DE02"),
        (DUKPT_BDK.hex(), "629101000000", "00", "B4ACCD379CCFDDF3", "B3ABE5269005EC89", "C9604E03D85C6810", "FDE78A12", "72E8CEE8"),
    ],
)  # fmt: skip
def test_chip_cryptograms(
    hsm: SecurityModule, master: str, pan: str, sequence: str, arqc_10: str, arpc_10: str, arqc_18: str, arpc_18: str, arpc_18_own: str
) -> None:  # fmt: skip
    key, atc = under(hsm, Purpose.CARD_MASTER, master), bytes.fromhex(CHIP["9F36"])
    answers = {
        CryptogramVersion.CVN_10: ("06010A03A0B800", arqc_10, [(arpc_10, b"00", b"")]),
        CryptogramVersion.CVN_18: (
            "06011203A0B800",
            arqc_18,
            [(arpc_18, b"\0\x82\0\0", b""), (arpc_18_own, b"\0\x82\0\0", bytes.fromhex("0102030405"))],
        ),
    }
    for version, (issuer_data, arqc, responses) in answers.items():
        tags = {tag: bytes.fromhex(value) for tag, value in CHIP.items()} | {"9F10": bytes.fromhex(issuer_data)}
        assert cryptogram_version(tags) is version
        data, made = cryptogram_data(tags), bytes.fromhex(arqc)
        assert hsm.arqc(key, Pan(pan), data, version=version, atc=atc, sequence=sequence) == made
        assert hsm.verify_arqc(key, Pan(pan), made, data, version=version, atc=atc, sequence=sequence)
        assert not hsm.verify_arqc(key, Pan(pan), made, data + b"!", version=version, atc=atc, sequence=sequence)
        for arpc, answer, own in responses:
            got = hsm.arpc(key, Pan(pan), made, answer, version=version, atc=atc, sequence=sequence, proprietary=own)
            assert got.hex().upper() == arpc
