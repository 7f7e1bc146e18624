"""The check vectors of keys, PIN, MAC, key blocks and card values, as published or recomputed elsewhere."""

import pytest

from contracts.pan import Pan
from security_module import Algorithm, MacAlgorithm, PinFormatError, Purpose, SecurityModule, WrappedKey

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
