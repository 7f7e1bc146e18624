"""The order to restart, as the supervisor carries it out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lianji import stackfile
from lianji.rolling import ORDER, Order, Report, Roller, report_of, write
from lianji.stack import BROKER, COLLECTOR, SERVICES, Stack
from lianji.supervisor import NotReplacedError


class FakeStack:
    def __init__(self, data_dir: Path, *failing: str) -> None:
        self.data_dir, self.failing = data_dir, failing
        self.restarted: list[str] = []
        (data_dir / "run").mkdir()

    async def restart(self, name: str) -> None:
        if name in self.failing:
            raise NotReplacedError(f"{name}: its successor has ended")
        self.restarted.append(name)

    def info(self) -> Any:
        return SimpleNamespace(processes={name: SimpleNamespace(pid=len(name)) for name in ORDER})


async def carried_out(stack: FakeStack, *names: str) -> Report:
    write(stackfile.order_path(stack.data_dir), Order(id="1", names=names))
    roller = Roller(cast(Stack, stack))
    roller.ordered()
    while roller._tasks:
        (task,) = roller._tasks
        await task
    report = report_of(stack.data_dir, "1")
    assert report is not None
    assert report.over
    assert not stackfile.order_path(stack.data_dir).exists()
    return report


def test_every_process_has_its_place() -> None:
    assert sorted(ORDER) == sorted([*(name for name, _ in SERVICES), COLLECTOR, BROKER])


async def test_one_after_the_other(tmp_path: Path) -> None:
    stack = FakeStack(tmp_path)
    report = await carried_out(stack, *ORDER)
    assert stack.restarted == list(ORDER) == [step.name for step in report.steps]
    assert report.error == ""
    assert report_of(tmp_path, "another") is None


@pytest.mark.parametrize(
    ("name", "why"), [("auth-b", "auth-b: its successor has ended"), ("nobody", "service: 'nobody' is not one of")]
)
async def test_the_first_that_cannot_be_replaced_ends_it(tmp_path: Path, name: str, why: str) -> None:
    stack = FakeStack(tmp_path, "auth-b")
    report = await carried_out(stack, "auth-a", name, "terminal-gw")
    assert stack.restarted == ["auth-a"]
    assert [step.name for step in report.steps] == ["auth-a"]
    assert report.error.startswith(why)


async def test_an_order_of_a_stack_that_was_killed_is_nobody_s(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write(stackfile.order_path(tmp_path), Order(id="1", names=ORDER))
    stack = Stack(tmp_path)
    stack._take_lock()
    assert not stackfile.order_path(tmp_path).exists()
    await stack.stop()
