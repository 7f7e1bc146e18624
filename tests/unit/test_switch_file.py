"""The switch's own rules, as a file may say them and as the switch then has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from auth.app import register_of
from contracts.kinds import Kind
from world import Download, built_in, offer
from world.switch_file import FILE, SwitchFileError, SwitchRules, load, read

WORLD = built_in()
TEA_HOUSE, PAWNSHOP = "482290058130001", "482290059330001"


def test_the_test_world_has_none() -> None:
    assert load("", WORLD) == SwitchRules()


def test_every_example_in_the_file_can_be_used() -> None:
    """What stands there as a comment is what people copy."""
    lines = [line.removeprefix("# ") for line in FILE.read_text().splitlines()[3:]]
    rules = read("\n".join(line.rstrip("#") for line in lines), WORLD)
    assert rules.velocity
    assert rules.floors
    assert rules.categories
    assert rules.cards
    assert rules.breaker
    assert rules.cut_over


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[velocity]]\nscope = 'shop'\nwindow_s = 1\ncount = 1", "scope"),
        ("[[velocity]]\nscope = 'card'\nwindow_s = 1", "velocity.card"),
        ("[[velocity]]\nscope = 'card'\nwindow_s = 0\ncount = 1", "window_s"),
        ("[[floors]]\nmerchant = '1'\nfloor_minor = 1", "floors.merchant"),
        (f"[[floors]]\nmerchant = '{TEA_HOUSE}'\nfloor_minor = 1\n" * 2, "floors.merchant"),
        ("[[categories]]\ncategory = 'tea'\nkinds = []", "category"),
        ("[[cards]]\ninstitution = 'nobody'", "cards.institution"),
        ("[breaker]\nsilences = 0\nwithin_s = 1\nprobe_s = 1", "silences"),
        ("[cut_over]\nat = '24:00'", "at"),
        ("[cutover]\nat = '23:00'", "cutover"),
        ("[", "switch rules"),
    ],
)
def test_a_file_that_says_something_else_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(SwitchFileError, match=named):
        read(text, WORLD)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SwitchFileError, match="LIANJI_SWITCH_RULES"):
        load(str(tmp_path / "none.toml"), WORLD)


def test_a_terminal_gets_its_floor_limit_with_its_parameters() -> None:
    terminal, merchant = WORLD.terminal("10000001"), WORLD.merchant(TEA_HOUSE)
    assert terminal is not None
    assert merchant is not None
    for floors, tag in (
        ({}, b"27000000000000"),
        ({TEA_HOUSE: 200_00}, b"27000000020000"),
        ({"other": 1}, b"27000000000000"),
    ):
        assert tag in offer(terminal, merchant, Download.PARAMETERS, floors=floors).records


def test_what_becomes_of_it_in_the_register() -> None:
    rules = read(
        "[[categories]]\ncategory = '5813'\nkinds = ['sale', 'void', 'transfer']\n"
        f"[[floors]]\nmerchant = '{TEA_HOUSE}'\nfloor_minor = 5\n"
        "[[cards]]\ninstitution = 'nanhai'\nnot_kinds = ['refund']\nnot_categories = ['5933']",
        WORLD,
    )
    register, plain = register_of(WORLD, rules), register_of(WORLD)
    assert register.terminals["10000001"].kinds == {Kind.SALE, Kind.VOID}
    assert register.terminals["10000015"].kinds == {Kind.TRANSFER}, "a terminal for transfers of the same shop"
    assert register.terminals["10000003"] == plain.terminals["10000003"], "another category"
    assert register.merchants[TEA_HOUSE].floor_minor == 5
    assert register.merchants[TEA_HOUSE].refused == {("nanhai", Kind.REFUND)}
    assert register.merchants[PAWNSHOP].refused == {("nanhai", kind) for kind in Kind}
    assert plain.merchants[TEA_HOUSE].refused == frozenset()
