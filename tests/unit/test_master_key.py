"""Where a process has its local master key from: the order, and each refusal with its variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from key_store import MasterKeyError, local_master_key

HEX = "0123456789abcdef" * 4


def public() -> bytes:
    return b"p" * 32


def never() -> bytes:
    raise AssertionError("the test world was not asked for")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "acquirer.lmk"
    path.write_text(HEX + "\n")
    return path


def test_the_file_comes_before_the_digits_and_these_before_the_test_world(file: Path) -> None:
    everything = {"LIANJI_LMK_FILE": str(file), "LIANJI_LMK": "00" * 32, "LIANJI_WORLD": "test"}
    assert local_master_key(everything, never) == bytes.fromhex(HEX)
    del everything["LIANJI_LMK_FILE"]
    assert local_master_key(everything, never) == bytes(32)
    everything["LIANJI_LMK"] = ""
    assert local_master_key(everything, public) == b"p" * 32


def test_without_any_of_them_it_says_which_variables_and_what_to_do() -> None:
    with pytest.raises(MasterKeyError) as error:
        local_master_key({}, never)
    assert str(error.value) == (
        "no local master key: set LIANJI_LMK_FILE to a file made by `lianji keys new`, or LIANJI_LMK to its digits, "
        "or LIANJI_WORLD=test to use the public keys of the test world"
    )


@pytest.mark.parametrize("digits", ["0123456789", "0" * 63, "zz" * 32, "\u0660" * 64, "secret-that-is-no-hex"])
def test_what_is_no_key_is_refused_without_showing_it(digits: str, file: Path) -> None:
    file.write_text(digits)
    for environment, named in (
        ({"LIANJI_LMK": digits}, "LIANJI_LMK: a local"),
        ({"LIANJI_LMK_FILE": str(file)}, f"LIANJI_LMK_FILE: {file}: a local"),
    ):
        with pytest.raises(MasterKeyError) as error:
            local_master_key(environment, never)
        assert str(error.value).startswith(named)
        assert digits not in str(error.value)


def test_a_file_that_is_not_there_or_no_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyError, match=r"^LIANJI_LMK_FILE: .*none cannot be read: No such file"):
        local_master_key({"LIANJI_LMK_FILE": str(tmp_path / "none")}, never)
    long = tmp_path / "long"
    long.write_text("0" * 10_000)
    with pytest.raises(MasterKeyError, match="is no key file: it is too long"):
        local_master_key({"LIANJI_LMK_FILE": str(long)}, never)


def test_another_world_is_refused() -> None:
    with pytest.raises(MasterKeyError, match=r"^LIANJI_WORLD: 'prod' is no world"):
        local_master_key({"LIANJI_WORLD": "prod"}, never)
