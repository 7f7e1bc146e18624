"""A host that is broken on purpose, in eight places one after the other: exactly the cases that are about it fail.

The whole stack runs in the simulated network, so that a bug can be switched on in it, and time-outs cost nothing.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest
from msgspec.structs import replace

import iso8583.message
import world
from auth.domain import authorize, settle
from auth.domain.kinds import RULES
from auth.domain.totals import totals_of
from contracts.kinds import Kind
from issuer_sim.checks import CardChecks
from issuer_sim.domain.facts import Pin
from lianji.certify import ALL, Result, as_json, in_words, run
from lianji.certify.profile import Terminals, terminal_of, world_profile
from security_module import SecurityModule
from simulation import cast, day
from simulation.broker.streams import Store
from simulation.bugs import switch
from simulation.bugs.bug import SOUND, Bug, Replaced
from simulation.chance import virtual
from simulation.genesis import first_store
from simulation.loop import Loop
from simulation.recorder import Recorder
from simulation.stage import Stage
from terminal_gw.pipeline import Pipeline
from terminal_sim.messages import CONTACTLESS_READER, MAGNETIC_READER

PARTS = {
    "main": "20000985",
    "batch": "20000969",
    "sibling": "20000953",
    "stranger": "20000986",
    "transfer": "10000015",
    "x9_9": "10000006",
    "x9_19": "10000005",
    "iso_3": "10000011",
    "dukpt_tdes": "30000064",
    "dukpt_aes": "40000064",
    "unkeyed": "10000004",
    "suspended": "10000007",
    "closed": "10000008",
    "chip": "20000937",
}

SOUND_HOST = "nothing is wrong"
_pin, _authenticated, _mac_key = CardChecks.pin, Pipeline._authenticated, Pipeline._mac_key


async def _mac_not_checked(self: Pipeline, message: Any, body: bytes, terminal: Any, span: Any) -> Any:
    """Whoever names a terminal that has signed on is believed."""
    remembered = self._desk.sessions.remembered(terminal.tid)
    return remembered or await _authenticated(self, message, body, terminal, span)


def _sealed_for_anybody(self: Pipeline, tid: str, keys: Any) -> Any:
    """With the session's key, whether the request has proved to have it or not."""
    return _mac_key(self, tid, keys or self._desk.sessions.remembered(tid))


def _any_pin(self: CardChecks, data: Any, card: Any) -> Pin:
    found = _pin(self, data, card)
    return Pin.RIGHT if found is Pin.WRONG else found


def _any_chip(self: SecurityModule, *arguments: Any, **more: Any) -> bool:
    return True


def _without_credits(shard: Any, terminal: str) -> Any:
    return replace(totals_of(shard, terminal), credit_minor=0, credit_count=0)


_refund = RULES[Kind.REFUND]
assert _refund.claiming is not None
_FORGETFUL = {
    **RULES,
    Kind.REFUND: _refund._replace(
        claiming=_refund.claiming._replace(most=lambda merchant, original: original.amount_minor)
    ),
}


class Broken(NamedTuple):
    """A host with a bug, and the cases that find it."""

    bug: Bug
    found_by: set[str]


BROKEN: dict[str, Broken] = {
    "the gateway does not swap the TPDU": Broken(
        Bug("", (Replaced(iso8583.message, "swapped", lambda tpdu: tpdu),)),
        {"line/tpdu-swapped"},
    ),
    "the gateway does not look at MACs": Broken(
        Bug("", (Replaced(Pipeline, "_authenticated", _mac_not_checked),)),
        {
            "sign-on/ends-the-former-keys",
            "mac/wrong",
            "mac/one-bit",
            "mac/tampered-amount",
            "mac/tampered-stan",
            "mac/tampered-last-field",
            "mac/wrong-on-a-repetition",
            "mac/wrong-on-a-reversal",
            "scripts/told-with-a-wrong-mac",
        },
    ),
    "the gateway makes MACs for anybody": Broken(
        Bug("", (Replaced(Pipeline, "_mac_key", _sealed_for_anybody),)),
        {
            "sign-on/ends-the-former-keys",
            "keys/serial-number-with-session-keys",
            "mac/wrong",
            "mac/one-bit",
            "mac/tampered-amount",
            "mac/tampered-stan",
            "mac/tampered-last-field",
            "mac/missing",
            "mac/wrong-on-a-repetition",
            "mac/wrong-on-a-reversal",
            "scripts/told-with-a-wrong-mac",
        },
    ),
    "the switch forgets a reversal that comes first": Broken(
        Bug("", switch.NO_TOMBSTONE),
        {"reversal/before-its-sale", "reversal/before-its-sale-repeated"},
    ),
    "the switch does not add refunds up": Broken(
        Bug("", (Replaced(authorize, "RULES", _FORGETFUL),)),
        {"refund/in-parts"},
    ),
    "the bank believes any chip": Broken(
        Bug("", (Replaced(SecurityModule, "verify_arqc", _any_chip),)),
        {
            "chip/other-sequence",
            "chip/wrong-cryptogram",
            "chip/offline-wrong",
            *(f"chip/cryptogram-covers-{tag}" for tag in ("9f37", "9f36", "95", "9a", "9f1a", "9f03", "82")),
        },
    ),
    "the bank takes any PIN": Broken(
        Bug("", (Replaced(CardChecks, "pin", _any_pin),)),
        {
            "keys/pin-format-3-wrong-pin",
            "mac/of-a-refusal",
            "chip/with-wrong-pin",
            "sale/wrong-pins",
            "sale/too-many-wrong-pins",
            "void/with-a-wrong-pin",
            "transfer/balance-wrong-pin",
            "transfer/card-check",
        },
    ),
    "the switch counts no credits": Broken(
        Bug("", (Replaced(settle, "totals_of", _without_credits),)),
        {"batch/debits-and-credits", "batch/refund-of-a-settled-sale"},
    ),
}


async def _certified(stage: Stage, bug: Bug, folder: Path) -> list[Result]:
    """The whole list, on a host that has just been started."""
    stage.add_services()
    for name in (cast.BROKER, *cast.SERVICES):
        stage.start(name)
    await stage.until_ready()
    readers = {"chip": CONTACTLESS_READER}
    entries = {part: terminal_of(tid, readers.get(part, MAGNETIC_READER)) for part, tid in PARTS.items()}
    profile = world_profile(Terminals(**entries))
    with bug.switched_on():
        return await run(profile, "127.0.0.1", cast.GATEWAY_PORT, ALL, folder)


def _on_a_stage(store: Store, bug: Bug) -> list[Result]:
    """A world of its own: what one bug has left in the books is in nobody else's way."""
    loop = Loop()
    recorder = Recorder(loop, keeps=False)
    with day._one_process(), day._folder() as folder, virtual(loop, 1), recorder.listening():
        stage = Stage(loop, store, random.Random(1), folder, recorder)  # noqa: S311 - to be repeated
        found = loop.run(_certified(stage, bug, folder))
        stage.close()
        loop.abandon()
        del stage
        day._bury(loop)
    return found


@pytest.fixture(scope="module")
def results() -> dict[str, list[Result]]:
    with mock.patch.object(cast, "TERMINALS", tuple(PARTS.values())):
        store = first_store.__wrapped__()  # not the one that simulated days begin with: it has other terminals' keys
    bugs = {SOUND_HOST: SOUND, **{name: broken.bug for name, broken in BROKEN.items()}}
    return {name: _on_a_stage(store.copy(), bug) for name, bug in bugs.items()}


def failed(results: list[Result]) -> set[str]:
    return {result.case.name for result in results if not result.passed}


def test_a_sound_host_passes_every_case(results: dict[str, list[Result]]) -> None:
    assert [(r.case.name, r.reason) for r in results[SOUND_HOST] if not r.passed] == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_bug_fails_its_cases_and_no_other(results: dict[str, list[Result]], name: str) -> None:
    assert failed(results[name]) == BROKEN[name].found_by


def test_a_failed_case_shows_both_messages_and_no_card(results: dict[str, list[Result]]) -> None:
    found = results["the bank takes any PIN"]
    report = in_words(found, host="-", profile="-", took_s=0)
    (sale,) = (r for r in found if r.case.name == "sale/wrong-pins")
    assert sale.reason == "39 (response code): expected 55, got 00"
    shown = report[report.index("sale/wrong-pins") :]
    assert re.search(r"\n +39  3030 +response code  00\n", shown)
    assert re.search(r"\n +2  16629101\*{6}0012 +primary account number  629101\*{6}0012\n", shown)
    assert re.search(r"\n +52  \*{16} +[^\n]+  8 bytes, not shown\n", shown)
    for card in world.built_in().cards:
        for text in (card.pan.clear(), world.track2(card).clear()):
            assert text not in report
            assert text.encode().hex() not in report
    data = str(as_json(found, host="-", profile="-", took_s=0))
    assert not any(card.pan.clear() in data for card in world.built_in().cards)
