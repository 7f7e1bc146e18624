"""What simulated days came to, as the page and the command line say it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from lianji.app import run
from reliability.simulation.__main__ import Caught, Days, bugs_text, days_text
from simulation import report
from simulation.campaign import Campaign
from simulation.day import Result
from simulation.judge import Breach
from simulation.plan import Entry, Plan

PLAN = Plan(seed=7, entries=(Entry(at_ms=1_500, name="kill", arguments={"who": "auth-a", "for_ms": 100}),))


def day(*breaches: Breach) -> Result:
    return Result(plan=PLAN, breaches=breaches, transactions=20, steps=6_000, virtual_s=9.0, faults={"kill": 2})


def campaign(*results: Result) -> Campaign:
    made = Campaign(first=7, seconds=2.0, cores=2)
    for result in results:
        made.add(result)
    return made


def days(made: Campaign) -> Days:
    return msgspec.json.decode(msgspec.json.encode(made), type=Days)


def test_a_run_in_parts_is_told_as_one() -> None:
    text = days_text([days(campaign(day(), day())), days(campaign(day(Breach("I3", "broken"))))])
    assert "3 seeds from 7 on: 60 transactions, 6 faults" in text
    assert "1 seeds failing" in text
    assert "| kill | 6 |" in text


def test_what_nothing_has_caught_is_said() -> None:
    rows = [
        Caught(bug="a", what="a bug", seeds=3, invariants=["I3", "I5"], made_good=""),
        Caught(bug="b", what="another", seeds=60, invariants=[], made_good="does no harm"),
    ]
    text = bugs_text(rows)
    assert "1 of 2 caught" in text
    assert "| a bug | I3, I5 | 3 |" in text
    assert "| another (does no harm) | not caught | 60 |" in text


def test_a_failing_day_is_shown_with_its_shortest_plan(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_failure(day(Breach("I3", "charged [twice]")), day(Breach("I3", "charged [twice]")), Console(width=120))
    shown = capsys.readouterr().out
    assert "seed 7 fails" in shown
    assert "I3 charged [twice]" in shown
    assert "1.500  kill who=auth-a for_ms=100" in shown


@pytest.mark.processes
@pytest.mark.parametrize(
    ("text", "complaint"), [("no plan", "cannot be read as a plan"), (msgspec.json.encode(PLAN).decode(), "of seed 7")]
)
def test_a_plan_that_is_none_is_refused_by_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, complaint: str
) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    assert run(["replay", "8", "--plan", str(file)]) == 1
    assert complaint in capfd.readouterr().err
