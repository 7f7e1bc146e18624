"""A day at many terminals, of everything, on a stack of real processes: cards come in every way, and the books hold."""

from __future__ import annotations

import json

import pytest

from contracts.kinds import Kind
from tests.e2e.support import StackProcess

pytestmark = pytest.mark.processes

REFUSED = {"55", "75"}
"""By the mix's own making: wrong PINs."""


def test_a_day_of_everything(fragile: StackProcess) -> None:
    load = fragile.run("load", "--mix", "day", "--rate", "80", "--terminals", "40", "--duration", "8", "--json")
    assert load.returncode == 0, load.stderr
    report = json.loads(load.stdout)
    assert not report["refused"], report["last_refusal"]
    assert {code for codes in report["kinds"].values() for code in codes} <= {"00", "stored", *REFUSED}
    assert {Kind.SALE, Kind.PRE_AUTH, Kind.BALANCE, Kind.TRANSFER} <= set(report["kinds"])
    assert report["unknown"] == report["pending"] == 0, "every chip believed its bank"
    ways = report["entries"]
    assert min(ways["chip"], ways["contactless"], ways["swiped"]) > 30, ways
    assert fragile.json("verify")["held"]
