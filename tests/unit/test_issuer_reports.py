"""A bank whose cards are reported: what it writes down, and that the switch hears of all of it, in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import codec
from contracts.codec import decoder, encode
from contracts.kinds import Kind
from contracts.ledger import CardReported, LedgerRecord, ReportTold
from contracts.reports import Report
from contracts.stop_list import NoticeReply, ReportQuestion, ReportReply, StopNotice
from issuer_sim.cards import openings
from issuer_sim.domain.accounts import Account, State, apply, dump, load, open_accounts
from issuer_sim.domain.machine import LedgerMachine
from issuer_sim.domain.reports import decide_report
from issuer_sim.telling import Telling
from runtime.bus import NoAnswer, Request
from runtime.log import GroupLog
from runtime.ownership import Term
from runtime.tracing import Tracer
from tests.unit.test_issuer_edge_kinds import WORLD, Desk

CARD = next(card for card in WORLD.cards if card.name == "debit-2")
LOST = next(card for card in WORLD.cards if card.name == "debit-lost")
BINS = ("629101",)
_notice = decoder(StopNotice).decode


class Gateway:
    """Acknowledges notices with what `answer` says of each."""

    def __init__(self, answer: Callable[[StopNotice], str] = lambda _: "00") -> None:
        self.answer = answer
        self.heard: list[StopNotice] = []

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Any = None) -> bytes:
        assert subject == "stop-list.v1.huaxing.notice"
        notice = _notice(body)
        self.heard.append(notice)
        code = self.answer(notice)
        if not code:
            raise NoAnswer("no answer in time")
        return encode(NoticeReply(response_code=code))


def telling(desk: Desk, gateway: Gateway) -> Telling:
    cards = {card.account: pan for pan, card in desk.bank.cards.items()}
    tracer = Tracer("issuer-sim", "test")
    return Telling("huaxing", desk.term, cards=cards, bus=gateway, tracer=tracer, now_ms=lambda: desk.now_ms)


async def report(desk: Desk, report: Report, account: str = CARD.account, prefix: str = "") -> str:
    body = codec.encode(ReportQuestion(report=report, account=account, prefix=prefix))
    answer = await desk.handlers.report(Request("issuer.v1.huaxing.report", body, None, 0))
    return msgspec.json.decode(answer, type=ReportReply).response_code


async def all_told(desk: Desk) -> None:
    async with asyncio.timeout(5):
        while desk.term.state.reports.untold:
            await asyncio.sleep(0)


@pytest.mark.parametrize(("said", "code"), [(Report.STOLEN, "43"), (Report.LOST, "41"), (Report.CAPTURE, "04")])
async def test_a_reported_card_is_refused_by_its_bank_and_told(said: Report, code: str) -> None:
    desk, gateway = Desk("huaxing"), Gateway()
    task = asyncio.create_task((at := telling(desk, gateway)).run())
    assert (await desk.ask(Kind.SALE, "debit-2", 1)).response_code == "00"
    assert await report(desk, said) == "00"
    at.notify()
    await all_told(desk)
    assert (await desk.ask(Kind.SALE, "debit-2", 2)).response_code == code
    assert gateway.heard == [StopNotice(entry=1, revision=1, reason=code, pan=CARD.pan)]
    assert await report(desk, Report.FOUND) == "00"
    at.notify()
    await all_told(desk)
    assert (await desk.ask(Kind.SALE, "debit-2", 3)).response_code == "00"
    assert gateway.heard[-1] == StopNotice(entry=1, revision=2, reason="", pan=CARD.pan)
    task.cancel()
    assert [type(r) for r in desk.records() if isinstance(r, CardReported | ReportTold)] == [
        CardReported,
        ReportTold,
        CardReported,
        ReportTold,
    ]
    assert not any(CARD.pan.clear().encode() in bytes(group) for group in desk.log.groups)


async def test_a_report_is_told_until_it_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("issuer_sim.telling.FIRST_PAUSE_S", 0.001)
    answers = iter(["", "96", "30", "00"])
    desk, gateway = Desk("huaxing"), Gateway(lambda _: next(answers))
    await report(desk, Report.STOLEN)
    task = asyncio.create_task(telling(desk, gateway).run())
    await all_told(desk)
    assert len(gateway.heard) == 4
    task.cancel()


async def test_a_report_that_is_not_taken_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("issuer_sim.telling.FIRST_PAUSE_S", 0.001)
    desk, gateway = Desk("huaxing"), Gateway(lambda notice: "" if notice.entry == 1 else "00")
    await report(desk, Report.STOLEN)
    await report(desk, Report.LOST, account="", prefix="62910188")
    task = asyncio.create_task(telling(desk, gateway).run())
    async with asyncio.timeout(5):
        while list(desk.term.state.reports.untold) != [CARD.account]:
            await asyncio.sleep(0)
    task.cancel()


async def test_the_next_owner_tells_what_the_former_one_has_not_and_all_of_it_again() -> None:
    desk = Desk("huaxing")
    await report(desk, Report.LOST, account="", prefix="62910188")
    task = asyncio.create_task(telling(desk, first := Gateway()).run())
    await all_told(desk)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await report(desk, Report.STOLEN)
    machine = LedgerMachine(openings(WORLD.cards_of("huaxing"), desk.facts.currency))
    state = machine.new_state()
    for record in desk.records():
        machine.apply(state, record)
    assert state == desk.term.state
    desk.term = Term(machine, state, GroupLog(desk.log, 2, desk.term.log.position, now_ns=lambda: 0))
    task = asyncio.create_task(telling(desk, second := Gateway()).run())
    await all_told(desk)
    async with asyncio.timeout(5):
        while len(second.heard) < 2:
            await asyncio.sleep(0)
    task.cancel()
    assert len(first.heard) == 1
    assert {notice.entry for notice in second.heard} == {1, 2}
    assert len([record for record in desk.records() if isinstance(record, ReportTold)]) == 2


@pytest.mark.parametrize(
    ("said", "account", "prefix", "code"),
    [
        (Report.STOLEN, "nobody", "", "14"),
        (Report.STOLEN, "", "629202", "14"),
        (Report.STOLEN, "", "", "14"),
        (Report.STOLEN, CARD.account, "629101", "14"),
        (Report.FOUND, CARD.account, "", "12"),
        (Report.STOLEN, LOST.account, "", "12"),
        (Report.FOUND, LOST.account, "", "12"),
    ],
)
async def test_what_is_no_report_changes_nothing(said: Report, account: str, prefix: str, code: str) -> None:
    desk = Desk("huaxing")
    assert await report(desk, said, account, prefix) == code
    assert desk.records() == []


async def test_a_report_that_cannot_be_read_is_answered_30() -> None:
    desk = Desk("huaxing")
    answer = await desk.handlers.report(Request("s", b'{"report":"eaten"}', None, 0))
    assert msgspec.json.decode(answer, type=ReportReply).response_code == "30"


reports = st.lists(
    st.tuples(st.sampled_from(list(Report)), st.sampled_from(["A", "B", ""]), st.booleans()), max_size=20
)


@given(reports)
def test_any_reports_leave_replay_snapshot_and_state_alike(sequence: list[tuple[Report, str, bool]]) -> None:
    """What is told last is what was reported last, and only that is called told."""

    def new() -> State:
        return open_accounts([Account("A"), Account("B")])

    state, records = new(), list[LedgerRecord]()
    for said, account, tell in sequence:
        asked = ReportQuestion(report=said, account=account, prefix="" if account else "62910199")
        new_records: list[LedgerRecord] = list(decide_report(state, asked, BINS, at_ms=1).records)
        for record in new_records:
            apply(state, record)
        waiting = next(state.reports.waiting(), None)
        if tell and waiting is not None:
            # The acknowledgement of a report that a later one has overtaken says nothing of the later one.
            overtaken = ReportTold(entry=waiting.entry, revision=waiting.revision - 1, at_ms=1)
            told = ReportTold(entry=waiting.entry, revision=waiting.revision, at_ms=1)
            apply(state, overtaken)
            assert waiting in state.reports.waiting()
            apply(state, told)
            assert waiting not in state.reports.waiting()
            new_records += [overtaken, told]
        records += new_records
    replayed = new()
    for record in records:
        apply(replayed, record)
    assert replayed == state == load(dump(state))
    last = {r.account or r.prefix: r for r in records if isinstance(r, CardReported)}
    assert {key: one.report for key, one in state.reports.of.items()} == {key: r.report for key, r in last.items()}
    assert set(state.reports.untold) == {key for key, one in state.reports.of.items() if not one.told}
