"""Failures forced inside services: the table names what is there, and a point fails when its turn has come, as often as it may."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from leaks import armed
from leaks.damage import damaged
from leaks.forced import SELDOM, Point, arm, record_path
from leaks.frames import damaged_frames
from leaks.points import POINTS
from leaks.questions import every_damage
from leaks.result import Result, missing, provoked
from leaks.traffic import _WAYS, Mix


def raise_key_error(arguments: tuple[Any, ...]) -> None:
    raise KeyError(*arguments)


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.service}: {point.kind}")
def test_each_point_of_the_table_is_in_the_services(point: Point) -> None:
    """What is renamed in a service is renamed in the table."""
    module, _, path = point.target.partition(":")
    place: Any = import_module(module)
    for name in path.split("."):
        place = getattr(place, name)
    assert callable(place)


def test_every_service_fails_in_every_way_that_ends_it() -> None:
    ends = {(point.service, point.kind) for point in POINTS if point.kind.startswith("ends")}
    services = {"auth", "issuer_sim", "receipts", "settlement", "terminal_gw"}
    ways = ("ends at its start", "ends by an exit with words", "ends by an abort")
    assert ends == {(service, way) for service in services for way in ways}
    assert len({record_path(Path(), point) for point in POINTS}) == len(POINTS)


def module_with_function(function: Any) -> ModuleType:
    module = ModuleType("m")
    module.__dict__["f"] = function
    return module


def test_a_point_fails_at_its_turns_and_no_more_often_than_it_may(tmp_path: Path) -> None:
    point = Point("auth", "some words", "m:f", raise_key_error, every=3, most=2)
    for life, failures in ((1, [3, 6]), (2, [])):  # the second life of a process goes on counting
        module = module_with_function(lambda number: number)
        arm(module, point, tmp_path, 100)
        failed = []
        for number in range(1, 13):
            try:
                assert module.f(number) == number
            except KeyError as error:
                failed.append(error.args[0])
        assert failed == failures, life
    assert provoked(tmp_path)["auth"].get("request in the text") == 0
    assert record_path(tmp_path, point).read_bytes() == b".."


async def test_a_coroutine_fails_after_its_work(tmp_path: Path) -> None:
    done = []

    async def work(number: int) -> str:
        await asyncio.sleep(0)
        done.append(number)
        return f"result {number}"

    module = module_with_function(work)
    arm(module, Point("auth", "k", "m:f", raise_key_error, every=2, after=True), tmp_path, 100)
    assert await module.f(1) == "result 1"
    with pytest.raises(KeyError) as caught:
        await module.f(2)
    assert caught.value.args == (2, "result 2")
    assert done == [1, 2]


def test_words_that_do_not_fail_are_noticed(tmp_path: Path) -> None:
    module = module_with_function(lambda: None)
    arm(module, Point("auth", "k", "m:f", lambda _: None, every=1), tmp_path, 100)
    with pytest.raises(AssertionError, match="did not fail"):
        module.f()


def test_without_an_interval_of_its_own_a_point_follows_the_run(tmp_path: Path) -> None:
    for transactions, every in ((100, SELDOM), (10_000, 250)):
        module = module_with_function(lambda: None)
        arm(module, Point("auth", f"k{transactions}", "m:f", raise_key_error), tmp_path, transactions)
        for _ in range(every - 1):
            module.f()
        with pytest.raises(KeyError):
            module.f()


def test_only_services_of_a_run_are_armed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "auth"])
    monkeypatch.delenv("LEAKS_RECORD", raising=False)
    armed.install()
    assert sys.meta_path == []
    monkeypatch.setenv("LEAKS_RECORD", str(tmp_path))
    armed.install()
    assert len(sys.meta_path) == 1
    for arguments in (["python", "-m", "lianji"], ["python", "-m"], ["python", "-c", "pass"], ["lianji", "up"]):
        monkeypatch.setattr(sys, "meta_path", [])
        monkeypatch.setattr(sys, "orig_argv", arguments)
        armed.install()
        assert sys.meta_path == [], arguments


def test_a_run_in_which_something_did_not_happen_is_none() -> None:
    whole = Result(
        transactions=300,
        outcomes=dict.fromkeys(("00", "51", "55", "04", "41", "54", "61", "without an answer"), 1),
        provoked={"auth": {"some words": 1}},
        invariants={"I1": True},
        found=0,
        planted=dict.fromkeys("abcd", "pan"),
        found_of_planted=dict.fromkeys("abcd", "pan"),
    )
    assert whole.complaints() == []
    assert missing({"auth": {"some words": 0, "others": 2}}) == ["auth: some words"]
    for field, wrong in {
        "provoked": {"auth": {"some words": 0}},
        "outcomes": {"00": 1},
        "pending": 1,
        "stopped": "receipts: behind",
        "core_dumps": ["core"],
        "invariants": {"I1": False},
        "found": 1,
        "planted": {"a": "pan"},
        "found_of_planted": {},
        "found_beside_planted": ["logs/x at 1"],
        "transactions": 10_000,
    }.items():
        changed = Result(**{name: getattr(whole, name) for name in whole.__struct_fields__} | {field: wrong})
        assert changed.complaints(), field
    assert Result().complaints()


def test_damage_and_mix_can_be_repeated() -> None:
    assert list(damaged_frames(7)) == list(damaged_frames(7)) != list(damaged_frames(8))
    assert every_damage(7, 0.1) == every_damage(7, 0.1)
    assert len(every_damage(7, 1.0)) > 900
    first, second = Mix(7), Mix(7)
    assert [first.draw() for _ in range(250)] == [second.draw() for _ in range(250)]
    assert sum(_WAYS.values()) == 100
    assert len({one.body for one in damaged({"a": {"b": "x"}, "c": 1}, "1" * 16, "2" * 37, "1234")}) > 30
