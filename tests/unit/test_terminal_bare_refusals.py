"""A refusal without a MAC is nobody's word: at most a hint to sign on. What waits goes on waiting, and what comes next gets it through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import iso8583
import world
from contracts.kinds import KINDS, Kind
from iso8583 import Message
from terminal_sim.outcomes import Refused, ReversalOutcome, TransactionOutcome
from terminal_sim.practice import PracticeHost
from terminal_sim.state import State
from terminal_sim.till import Till
from tests.support_terminal import till_at
from tests.unit.test_terminal_kinds import LOOKS, Bench, order

CARD = world.built_in().cards[0]
SIGNS_ON = ["A0", "97"]
KEEPS_ITS_KEYS = ["03", "30", "58", "96"]


def refusal(request: Message, code: str, processing: str = "0") -> bytes:
    """As a gateway answers what has not proved its keys."""
    fields = {n: request.fields[n] for n in (3, 4, 11, 25, 41, 42, 49, 60) if n in request.fields}
    return iso8583.encode(iso8583.reply_to(request, {**fields, 39: code}, processing=processing))


@pytest.mark.parametrize("code", SIGNS_ON + KEEPS_ITS_KEYS)
@pytest.mark.parametrize("kind", Kind)
def test_it_ends_nothing(kind: Kind, code: str) -> None:
    bench = Bench()
    step = bench.ask(kind)
    outcome = bench.terminal.receive(refusal(bench.sent(step), code), now_ms=1).outcome
    assert isinstance(outcome, TransactionOutcome)
    record, facts = bench.terminal.record, KINDS[kind]
    assert (outcome.response_code, outcome.approved) == ("", False)
    assert code in outcome.reason
    assert outcome.pending == (record.pending is not None) == facts.reversible
    assert outcome.stored == bool(record.advices) == (facts.mti == "0220")
    assert record.waits == (kind not in LOOKS)
    assert bench.terminal.state is (State.LOGGED_IN if code in SIGNS_ON else State.SIGNED_ON)


def test_a_push_to_sign_on_is_heeded_without_a_mac_too() -> None:
    bench = Bench()
    step = bench.ask(Kind.SALE)
    bench.terminal.receive(refusal(bench.sent(step), "30", "3"), now_ms=1)
    assert bench.terminal.state is State.LOGGED_IN


@pytest.mark.parametrize("code", ["00", "12", "25", *SIGNS_ON, *KEEPS_ITS_KEYS])
def test_it_ends_no_reversal(code: str) -> None:
    bench = Bench()
    bench.ask(Kind.SALE)
    bench.terminal.lose()
    step = bench.terminal.reverse()
    outcome = bench.terminal.receive(refusal(bench.sent(step), code), now_ms=1).outcome
    assert isinstance(outcome, ReversalOutcome)
    assert (outcome.response_code, outcome.ended) == ("", False)
    assert bench.terminal.record.pending is not None


def test_nothing_goes_out_before_it_has_signed_on() -> None:
    bench = Bench()
    terminal, step = bench.terminal, bench.ask(Kind.SALE)
    terminal.receive(refusal(bench.sent(step), "A0", "3"), now_ms=1)
    for tried in (terminal.reverse(), terminal.advise(), terminal.request(order(Kind.SALE), now_ms=1)):
        assert isinstance(tried.outcome, Refused)
        assert not tried.send
    bench.done(terminal.sign_on())
    reversed_ = bench.done(terminal.reverse())
    assert isinstance(reversed_, ReversalOutcome)
    assert reversed_.ended


# At a till


class Host(PracticeHost):
    """Tells what it was sent, and refuses the next message of a kind with a code and no MAC."""

    heard: list[str]
    refuses: dict[str, str]

    def answer(self, body: bytes) -> bytes:
        request = iso8583.decode(body)
        self.heard.append(request.mti)
        code = self.refuses.pop(request.mti, "")
        return refusal(request, code) if code else super().answer(body)


@pytest.fixture
def host() -> Host:
    one = Host()
    one.heard, one.refuses = [], {}
    return one


@pytest.fixture
def till(tmp_path: Path, host: Host) -> Iterator[Till]:
    with till_at(tmp_path, host) as one:
        yield one


@pytest.mark.parametrize(
    ("code", "next_sale"),
    [
        ("A0", ["0800", "0400", "0200"]),
        ("97", ["0800", "0400", "0200"]),
        ("30", ["0400", "0200"]),
        ("03", ["0400", "0200"]),
    ],
)
async def test_the_next_sale_signs_on_reverses_and_is_approved(
    till: Till, host: Host, code: str, next_sale: list[str]
) -> None:
    await till.sign_on()
    host.refuses = {"0200": code}
    refused = await till.swipe(CARD, 100)
    assert (refused.rc, refused.pending) == ("", True)
    host.heard.clear()
    sold = await till.swipe(CARD, 200)
    assert (sold.approved, host.heard) == (True, next_sale)
    assert sold.reversal is not None
    assert sold.reversal.ended


async def test_a_host_that_has_forgotten_the_session_gets_sale_and_notice_in_the_end(till: Till, host: Host) -> None:
    sold = await till.swipe(CARD, 1000)
    host.forget_keys()
    host.heard.clear()
    kept = await till.refund(CARD, sold.stan, 300)
    assert (kept.stored, kept.rc, host.heard) == (True, "", ["0220"])
    host.heard.clear()
    assert (await till.swipe(CARD, 200)).approved
    assert host.heard == ["0800", "0220", "0200"]
    host.forget_keys()
    assert (await till.swipe(CARD, 300)).pending
    host.refuses = {"0400": "A0"}  # as if forgotten once more, behind the next sign-on
    host.heard.clear()
    assert (await till.swipe(CARD, 400)).approved
    assert host.heard == ["0800", "0400", "0800", "0400", "0200"]
    closed = await till.close_batch()
    assert (closed.balanced, closed.totals.debit_minor, closed.totals.credit_minor) == (True, 1600, 300)
