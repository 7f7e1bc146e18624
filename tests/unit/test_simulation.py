"""Days on virtual time: they hold, they can be played again exactly, and a plan that fails is made short."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter

import msgspec
import pytest

import world
from simulation import cast
from simulation.broker.traps import Trap
from simulation.bugs.table import BUGS
from simulation.campaign import hunt
from simulation.day import Result, play
from simulation.faults import FAULTS
from simulation.judge import Breach
from simulation.plan import Entry, Plan, draw
from simulation.shrink import shrink
from simulation.steps import STEPS

SEEDS = range(1, 9)
SALE = Entry(at_ms=1_000, name="sale", terminal="10000001", arguments={"card": "debit-1", "amount": 12_34})


def replayed(seed: int, hash_seed: str) -> str:
    command = [sys.executable, "-m", "simulation", "replay", str(seed), "--all"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_holds(seed: int) -> None:
    result = play(draw(seed))
    assert result.breaches == ()
    assert result.transactions > 0


@pytest.mark.processes
def test_the_same_seed_is_the_same_day_byte_for_byte() -> None:
    first, second = replayed(19, "1"), replayed(19, "2")
    assert first == second
    assert "step" in first


def test_a_day_that_was_played_before_changes_nothing() -> None:
    once = play(draw(3), record=True)
    play(draw(4))
    assert play(draw(3), record=True).lines == once.lines
    assert play(draw(3)).steps == once.steps  # nor does it matter whether somebody listens


def test_a_replay_shows_no_card_data() -> None:
    text = "\n".join(line for seed in (5, 6) for line in play(draw(seed), record=True).lines)
    cards = [card for name in cast.CARDS if (card := world.built_in().card(name)) is not None]
    assert len(cards) == len(cast.CARDS)
    for card in cards:
        assert card.pan.clear() not in text
        assert str(world.track2(card).clear()) not in text
    assert "came     sale" in text


def test_a_plan_can_be_written_down_and_read_again() -> None:
    plan = draw(11)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
    assert draw(11) == plan != draw(12)


def test_every_step_and_every_fault_is_drawn_sometime() -> None:
    drawn = Counter(entry.name for seed in range(400) for entry in draw(seed).entries)
    assert set(drawn) == set(STEPS) | set(FAULTS)


def test_what_is_not_sold_is_not_found() -> None:
    assert play(Plan(seed=1, entries=())).transactions == 0


@pytest.mark.parametrize("name", FAULTS)
def test_a_sale_survives_each_fault(name: str) -> None:
    """Each fault by itself, around one sale and its repetition; the day's own end is part of what must hold."""
    fault = Entry(at_ms=990, name=name, arguments=FAULTS[name].draw(random.Random(name)))  # noqa: S311 - to be repeated
    again = Entry(at_ms=3_000, name="repeat", terminal="10000001")
    result = play(Plan(seed=2, entries=(fault, SALE, again)))
    assert result.breaches == ()


@pytest.mark.parametrize("trap", Trap)
def test_each_trap_springs(trap: Trap) -> None:
    name = next(name for name, fault in FAULTS.items() if fault.what == trap.value)
    fault = Entry(at_ms=500, name=name, arguments={"who": "JOURNAL_1", "appends": 2})
    result = play(Plan(seed=3, entries=(fault, SALE)), record=True)
    assert any(f"JOURNAL_1: {trap.name}" in line for line in result.lines)
    assert result.breaches == ()


def test_the_switch_stands_in_for_banks_that_are_down_and_tells_them() -> None:
    """Small sales are approved in their stead, the rest is declined at once; a batch is closed over them, and an owner is replaced."""
    sales = [
        Entry(at_ms=at_ms, name="sale", terminal=terminal, arguments={"card": card, "amount": at_ms})
        for terminal, card in (("10000001", "debit-1"), ("20000001", "debit-2"), ("20000003", "credit-1"))
        for at_ms in range(1_500, 18_000, 1_500)
    ]
    entries = [
        Entry(at_ms=500, name="bank-down", arguments={"who": "issuer-sim", "for_ms": 14_000}),
        *sales,
        Entry(at_ms=8_500, name="close", terminal="10000001"),
        Entry(at_ms=9_200, name="kill", arguments={"who": "auth-b", "for_ms": 300}),
    ]
    result = play(Plan(seed=3, entries=tuple(sorted(entries, key=lambda entry: entry.at_ms))), record=True)
    told = "\n".join(result.lines)
    assert result.breaches == ()
    assert "a silent bank is asked no more" in told
    assert told.count("→ 91") > told.count("→ 68") == 0, (
        "what is not asked is declined at once, and nothing was to be reversed"
    )
    assert "business day ended" in told
    booked = "\n".join(line for line in result.lines if "authorization decided" in line)
    approved = [line for line in result.lines if "came     sale" in line and "→ 00" in line]
    assert len(approved) > 5
    assert booked.count("kind=sale response_code=00") >= len(approved)


LOST_WHILE_LEAVING = (
    Entry(at_ms=2_597, name="broker-pause", arguments={"who": "broker", "for_ms": 3_709}),
    Entry(at_ms=6_052, name="cut", arguments={"who": "auth-a"}),
    Entry(at_ms=6_332, name="late-bank", terminal="10000009", arguments={"card": "debit-1", "amount": 8_002_00}),
)
"""An owner loses its lease, and its connection while it gives its subjects up."""


@pytest.mark.parametrize(("seed", "entries"), [(735, LOST_WHILE_LEAVING)])
def test_what_has_failed_once_holds(seed: int, entries: tuple[Entry, ...]) -> None:
    assert play(Plan(seed=seed, entries=entries)).breaches == ()


def failing(plan: Plan) -> Result:
    """Breaks when both of two entries are there."""
    names = [entry.name for entry in plan.entries]
    breaches = (Breach("I3", "broken"),) if {"kill", "close"} <= set(names) else ()
    return Result(plan=plan, breaches=breaches, transactions=0, steps=0, virtual_s=0, faults={})


def test_a_failing_plan_is_made_as_short_as_it_can_be() -> None:
    noise = tuple(Entry(at_ms=n, name="sale", terminal="10000001") for n in range(30))
    plan = Plan(
        seed=1,
        entries=(*noise[:11], Entry(at_ms=1, name="kill"), *noise[11:], Entry(at_ms=2, name="close", terminal="x")),
    )
    shortest = shrink(failing(plan), failing)
    assert [entry.name for entry in shortest.plan.entries] == ["kill", "close"]


@pytest.mark.parametrize("name", ["settled-twice", "silence-is-no", "reversal-lost", "answered-anew", "voided-twice"])
def test_a_bug_is_caught(name: str) -> None:
    """Those that show in nearly every day, or in one of twenty: a switch that asks silent banks no more leaves less to be silent about.
    `make sim-bugs` tries all."""
    caught = hunt(name, 40, cores=1)
    assert caught.invariants
    assert caught.evidence


def test_a_bug_that_is_switched_off_is_gone() -> None:
    with BUGS["settled-twice"].switched_on():
        pass
    assert play(draw(1)).breaches == ()


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_says_what_it_replaces(name: str) -> None:
    for owner, function, instead in BUGS[name].replaced:
        assert getattr(owner, function) is not instead
        with BUGS[name].switched_on():
            assert getattr(owner, function) is instead
