"""Which policy of the kernel processes run by."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from runtime import scheduling

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux alone has it")


@pytest.fixture(autouse=True)
def _ordinary() -> Iterator[None]:
    before = os.sched_getscheduler(0)
    if before != os.SCHED_OTHER:
        pytest.skip("the tests themselves are scheduled in another way")
    yield
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def policy_of_a_child() -> int:
    """Of a process that is started now."""
    code = "import os; print(os.sched_getscheduler(0))"
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)


def test_who_is_scheduled_in_batches_is_so_with_all_that_it_starts() -> None:
    assert scheduling.use("batch", "test")
    assert os.sched_getscheduler(0) == os.SCHED_BATCH
    assert policy_of_a_child() == os.SCHED_BATCH


def test_the_ordinary_policy_is_no_change() -> None:
    assert not scheduling.use("other", "test")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_what_somebody_has_chosen_stays() -> None:
    code = (
        "import os; from runtime import scheduling; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0));"
        "print(scheduling.use('batch', 'test'), os.sched_getscheduler(0) == os.SCHED_IDLE)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_starter_gives_it_to_what_it_starts_and_not_to_itself() -> None:
    with scheduling.meanwhile("batch", "test"):
        assert policy_of_a_child() == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_a_kernel_that_refuses_is_named_and_nothing_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuses)
    assert not scheduling.use("batch", "auth")
    assert capsys.readouterr().err == (
        "auth: is not scheduled as batch (Operation not permitted), and goes on as it was\n"
    )
    monkeypatch.undo()
