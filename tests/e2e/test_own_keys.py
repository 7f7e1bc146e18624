"""A stack under master keys of its own: the key directory, `lianji keys` while it runs and while it does not, the wrong directory."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import world
from security_module import Purpose, SecurityModule
from tests.e2e.support import LIANJI, StackProcess, wait_until

pytestmark = pytest.mark.processes

ONE, TWO = "0123456789ABCDEFFEDCBA9876543210", "5" * 32
KEY = bytes(a ^ b for a, b in zip(bytes.fromhex(ONE), bytes.fromhex(TWO), strict=True))
CHECK = SecurityModule(bytes(32)).import_clear(Purpose.ZONE_PIN, KEY).check_value
SALE = ("swipe", "--card", "debit-1", "--amount", "1.00", "--pin", "123456")


def lianji(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LIANJI, *arguments], capture_output=True, text=True, timeout=120, check=False)


class House(NamedTuple):
    keys: Path
    stack: StackProcess


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = tmp_path_factory.mktemp("own")
    made = lianji("keys", "new", str(home / "keys"), "--json")
    assert made.returncode == 0, made.stderr
    assert set(json.loads(made.stdout)["check_values"]) == {"acquirer", "issuer"}
    stack = StackProcess(home / "data", "--keys", str(home / "keys"))
    yield House(home / "keys", stack)
    if stack.process.poll() is None:
        assert stack.stop() == 0, stack.errors.read_text()


def shown(house: House, *options: str) -> dict[str, Any]:
    """Ring → its current version."""
    done = house.stack.keys("show", "--json", *options)
    assert done.returncode == 0, done.stderr
    rings = json.loads(done.stdout)["rings"]
    return {row["ring"]: next(v for v in row["versions"] if v["state"] == "current") for row in rings}


def test_terminals_sell_and_what_is_between_the_services_is_not_public(house: House) -> None:
    sold = house.stack.run(*SALE)
    assert sold.returncode == 0, sold.stdout + sold.stderr
    wait_until(lambda: bool(shown(house)["data"]["held_by"]), "the gateway says which versions it holds")
    rings, public = shown(house), SecurityModule(bytes(32))
    assert rings["data"]["check_value"] != public.import_clear(Purpose.DATA, world.data_key()).check_value
    assert rings["zone.huaxing"]["check_value"] == rings["huaxing/zone"]["check_value"]
    assert rings["data"]["held_by"] == ["terminal-gw"]


def test_a_zone_key_in_components_at_both_parties(house: House) -> None:
    keyed_in = f"{ONE}\n{TWO}\n\n{CHECK}\n"
    early = house.stack.keys("load", "zone.huaxing", "--components", answers=keyed_in)
    assert (early.returncode, early.stderr.count("\n")) == (1, 1)
    assert "first load the key there" in early.stderr
    wrong = house.stack.keys("load", "huaxing/zone", "--components", answers=f"{ONE}\n{TWO}\n\n000000\n")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    for ring in ("huaxing/zone", "zone.huaxing"):
        loaded = house.stack.keys("load", ring, "--components", answers=keyed_in)
        assert loaded.returncode == 0, loaded.stderr
        assert f"({CHECK})" in loaded.stdout
    assert shown(house)["zone.huaxing"]["check_value"] == CHECK
    assert house.stack.run(*SALE).returncode == 0
    for secret in (ONE, TWO, KEY.hex()):
        assert secret.lower() not in (early.stderr + wrong.stderr).lower()


def test_each_kind_of_rotation_by_its_command(house: House) -> None:
    for kind in (("zone", "nanhai"), ("data",), ("terminal", "10000001")):
        done = house.stack.keys("rotate", *kind, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["version"] == 2
    for _ in range(3):  # fetch the key, use it, go on
        assert house.stack.run(*SALE, "--terminal", "10000001").returncode == 0
    assert shown(house)["terminal.10000001"]["number"] == 2
    refused = house.stack.keys("retire", "data", "1")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "say --force" in refused.stderr
    listing = house.stack.keys("show")
    assert "terminal.10000001" in listing.stdout
    assert house.stack.json("verify")["held"]


def test_the_keys_are_no_other_stacks(house: House, tmp_path: Path) -> None:
    """Stopped; then with other master keys, and with none, which is the test world's: one line each, and nothing is started."""
    assert house.stack.stop() == 0, house.stack.errors.read_text()
    other = tmp_path / "other"
    assert lianji("keys", "new", str(other)).returncode == 0
    data = ("--data-dir", str(house.stack.data_dir))
    for command in (("up", "--keys", str(other), *data), ("up", *data), ("keys", "show", *data)):
        refused = lianji(*command)
        assert refused.returncode == 1
        assert refused.stderr.splitlines()[-1] == (
            "lianji: acquirer: key ring base.aes version 1 does not open: the local master key (LMK) is not the one that the rings "
            "were made under"
        )
        assert "Traceback" not in refused.stderr
    quiet = house.stack.keys("show", "zone.huaxing", "--keys", str(house.keys))
    assert quiet.returncode == 0, quiet.stderr
    assert CHECK in quiet.stdout
    for party in ("acquirer", "issuer"):  # as if those master keys were lost
        recovered = house.stack.keys("recover", party, "--keys", str(other))
        assert recovered.returncode == 0, recovered.stderr
    again = StackProcess(house.stack.data_dir, "--keys", str(other))
    try:
        sold = again.run(*SALE, "--terminal", "10000003")  # one that never got another key than it was shipped with
        assert sold.returncode == 0, sold.stdout + sold.stderr
        assert again.json("verify")["held"]
    finally:
        assert again.stop() == 0, again.errors.read_text()
