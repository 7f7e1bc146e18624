"""Keys that people bring: components keyed in by hand, TR-31 blocks; master keys in files."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from key_store import names
from lianji.errors import CliError
from lianji.keys import ceremony, directory, moves
from lianji.keys.ceremony import ask_components, asked_at_the_terminal, from_block, from_components, transport_of
from lianji.keys.custodian import ACQUIRER, Address, Custodian
from security_module import Algorithm, KeyCheckError, KeyFormatError, KeyUsageError, Purpose, SecurityModule
from tests.support_custody import BANK, custodian_over, filled

ONE, TWO, THREE = "0123456789ABCDEFFEDCBA9876543210", "11" * 16, "A5" * 16
KEY = bytes(a ^ b for a, b in zip(bytes.fromhex(ONE), bytes.fromhex(TWO), strict=True))
CHECK = SecurityModule(bytes(32)).import_clear(Purpose.ZONE_PIN, KEY).check_value
ZONE = Address(ACQUIRER, names.zone(BANK))


def answers(*lines: str) -> ceremony.Ask:
    """What is keyed in, line by line; nothing more after that."""
    rest: Iterator[str] = iter(lines)
    return lambda prompt: next(rest, "")


def test_two_components_make_a_key() -> None:
    components = ask_components(answers(ONE, TWO, "", CHECK))
    assert components.key == KEY
    key = from_components(custodian_over({}), ZONE, components, Algorithm.TDES)
    assert (key.purpose, key.check_value, key.length) == (Purpose.ZONE_PIN, CHECK, 16)
    assert ONE not in repr(components)


def test_three_components_in_groups_of_four_and_a_short_check_value() -> None:
    grouped = " ".join(ONE[at : at + 4] for at in range(0, 32, 4)).lower()
    combined = bytes(a ^ b for a, b in zip(KEY, bytes.fromhex(THREE), strict=True))
    check = SecurityModule(bytes(32)).import_clear(Purpose.ZONE_PIN, combined).check_value
    components = ask_components(answers(grouped + "\n", TWO, THREE, check[:6].lower()))
    assert from_components(custodian_over({}), ZONE, components, Algorithm.TDES).check_value == check


@pytest.mark.parametrize(
    ("lines", "refusal"),
    [
        ((), "component 1: 32, 48 or 64 hexadecimal digits are wanted"),
        (("0123",), "component 1: 32, 48 or 64 hexadecimal digits are wanted"),
        ((ONE, "xyz"), "component 2: 32, 48 or 64 hexadecimal digits are wanted"),
        ((ONE, TWO, "12"), "component 3: 32, 48 or 64 hexadecimal digits are wanted"),
        ((ONE, TWO + "00" * 8), "components: they are not of one length"),
        ((ONE, ONE, "", "000000"), "components: combined they are nothing but zeros; the same component twice?"),
        ((ONE, TWO, "", ""), "check value: 6 or 8 hexadecimal digits are wanted"),
        ((ONE, TWO, "", "12345"), "check value: 6 or 8 hexadecimal digits are wanted"),
        ((ONE, TWO, "", "12345G"), "check value: 6 or 8 hexadecimal digits are wanted"),
    ],
)
def test_what_is_keyed_in_wrongly_is_named_and_not_shown(lines: tuple[str, ...], refusal: str) -> None:
    with pytest.raises(CliError) as error:
        ask_components(answers(*lines))
    assert str(error.value) == refusal
    assert not any(line in str(error.value) for line in lines if len(line) > 6)


def test_another_check_value_is_another_key() -> None:
    components = ask_components(answers(ONE, TWO, "", "ABCDEF"))
    with pytest.raises(CliError, match="the components give another key than ABCDEF; nothing was changed"):
        from_components(custodian_over({}), ZONE, components, Algorithm.TDES)


def test_a_key_that_the_ring_cannot_have() -> None:
    components = ask_components(answers(ONE * 2, TWO * 2, "", "ABCDEF"))
    with pytest.raises(KeyFormatError, match="32 bytes, a zone-pin key has 8 or 16 or 24"):
        from_components(custodian_over({}), ZONE, components, Algorithm.TDES)


def test_components_come_from_standard_input_where_there_is_no_keyboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ONE}\n{TWO}\n\n{CHECK}\n"))
    assert ask_components(asked_at_the_terminal).key == KEY


def test_a_component_at_a_keyboard_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked: list[str] = []
    monkeypatch.setattr("sys.stdin", Keyboard(ONE))
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or TWO)
    assert asked_at_the_terminal("component 1: ") == TWO
    assert asked == ["component 1: "]


async def block(custodian: Custodian, purpose: Purpose = Purpose.ZONE_PIN) -> str:
    """A key as another party would send it under the transport key of the bank."""
    acquirer = custodian.acquirer
    transport = acquirer.store.ring(names.transport(BANK)).current.key
    return acquirer.module.export_key_block(transport, acquirer.module.generate(purpose))


async def test_a_block_is_opened_where_the_key_goes() -> None:
    custodian, _ = await filled()
    sent = await block(custodian)
    for address in (ZONE, Address(BANK, names.ZONE)):
        under = transport_of(address)
        assert under is not None
        key = from_block(custodian, address, f" {sent}\n", under)
        custodian.parties[address.party].module.verify_key(key)
        with pytest.raises(KeyFormatError):
            custodian.parties[ACQUIRER if address.party == BANK else BANK].module.verify_key(key)
    with pytest.raises(CliError, match="transport is another party's"):
        from_block(custodian, ZONE, sent, Address(BANK, names.TRANSPORT))


async def test_a_block_must_be_for_the_ring() -> None:
    custodian, _ = await filled()
    under = Address(ACQUIRER, names.transport(BANK))
    with pytest.raises(KeyUsageError, match="usage 'C0' is not a zone-pin key's"):
        from_block(custodian, ZONE, await block(custodian, Purpose.CVK), under)
    sent = await block(custodian)
    with pytest.raises(KeyCheckError):
        from_block(custodian, ZONE, sent[:-1] + ("0" if sent[-1] != "0" else "1"), under)
    with pytest.raises(KeyFormatError):
        from_block(custodian, ZONE, "rubbish", under)


async def test_a_block_under_a_former_transport_key_is_still_opened() -> None:
    custodian, _ = await filled()
    sent = await block(custodian)
    await moves.agree_on_transport(custodian, BANK)
    under = Address(ACQUIRER, names.transport(BANK))
    assert from_block(custodian, ZONE, sent, under).purpose is Purpose.ZONE_PIN
    await custodian.acquirer.store.change(under.name, lambda ring: ring.retire(1, 1))
    with pytest.raises(KeyCheckError):
        from_block(custodian, ZONE, sent, under)


def test_whose_transport_key_a_block_comes_under() -> None:
    assert transport_of(ZONE) == Address(ACQUIRER, names.transport(BANK))
    assert transport_of(Address(BANK, names.CVK)) == Address(BANK, names.TRANSPORT)
    assert transport_of(Address(ACQUIRER, names.terminal("10000001"))) is None


def test_a_key_directory_has_a_key_for_each_party_and_is_for_its_owner_only(tmp_path: Path) -> None:
    made = directory.make(tmp_path / "keys")
    assert set(made) == {"acquirer", "issuer"}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    files = sorted((tmp_path / "keys").iterdir())
    assert [file.name for file in files] == ["acquirer.lmk", "issuer.lmk"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    masters = directory.master_keys(tmp_path / "keys")
    assert directory.check_value(masters.acquirer) == made["acquirer"] != made["issuer"]
    assert masters.acquirer != masters.issuer
    assert not masters.test_world
    assert masters.acquirer.hex() not in repr(masters).lower()


def test_a_master_key_is_never_written_over(tmp_path: Path) -> None:
    directory.make(tmp_path)
    before = (tmp_path / "issuer.lmk").read_bytes()
    (tmp_path / "acquirer.lmk").unlink()
    with pytest.raises(CliError, match=r"issuer\.lmk: is there already"):
        directory.make(tmp_path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("issuer.lmk", before)]
    with pytest.raises(CliError, match=r"issuer\.lmk: "):
        directory.make(tmp_path / "issuer.lmk")


def test_a_directory_without_a_readable_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"^keys: .*acquirer\.lmk cannot be read: No such file.*`lianji keys new`"):
        directory.master_keys(tmp_path)
    directory.make(tmp_path)
    (tmp_path / "issuer.lmk").write_text("rubbish")
    with pytest.raises(CliError, match=r"^keys: .*issuer\.lmk: a local master key is 32, 48 or 64 hexadecimal digits"):
        directory.master_keys(tmp_path)


def test_the_test_world_has_to_be_asked_for_where_nobody_here_started_the_stack(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"^no local master keys: say --keys DIR .* or set LIANJI_WORLD=test"):
        directory.chosen_master_keys(None, {})
    assert directory.chosen_master_keys(None, {"LIANJI_WORLD": "test"}).test_world
    directory.make(tmp_path)
    assert not directory.chosen_master_keys(tmp_path, {"LIANJI_WORLD": "test"}).test_world


def test_only_who_needs_a_master_key_is_told_where_it_is(tmp_path: Path) -> None:
    own = directory.environment(tmp_path, "terminal-gw")
    assert own == {"LIANJI_LMK_FILE": str(tmp_path / "acquirer.lmk"), "LIANJI_LMK": "", "LIANJI_WORLD": ""}
    assert directory.environment(tmp_path, "issuer-sim")["LIANJI_LMK_FILE"] == str(tmp_path / "issuer.lmk")
    for service in ("auth-a", "receipts", "settlement"):
        assert not any(directory.environment(tmp_path, service).values())
    assert directory.environment(None, "terminal-gw") == {
        "LIANJI_LMK_FILE": "",
        "LIANJI_LMK": "",
        "LIANJI_WORLD": "test",
    }
