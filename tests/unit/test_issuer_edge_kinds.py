"""What reaches a bank of a request of each kind, and what its office does on its own."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

import world
from contracts import codec
from contracts.authorization import CardData, IssuerReply, IssuerRequest, IssuerReverseRequest
from contracts.kinds import Kind
from contracts.ledger import HoldExpired, LedgerRecord, Posting, ReversalPosting, record_decoder
from contracts.money import CNY
from contracts.terms import InstalmentPlan
from issuer_sim.cards import bank_terms, card_file, openings
from issuer_sim.checks import CardChecks
from issuer_sim.domain.accounts import State
from issuer_sim.domain.machine import LedgerMachine
from issuer_sim.domain.terms import DAY_MS
from issuer_sim.handlers import MOST_EXPIRED, Bank, Handlers
from issuer_sim.keys import BankKeys
from issuer_sim.line import Line
from issuer_sim.office import SWEEP_S, BankOffice
from runtime import logs
from runtime.bus import Request
from runtime.log import Fenced, GroupLog, Position, decode_group
from runtime.memory_log import MemoryLog
from runtime.metrics import Metrics
from runtime.ownership import Term
from runtime.tracing import Tracer
from runtime.transactions import Transactions
from security_module import Purpose, SecurityModule
from tests.support_keys import banks_rings

WORLD = world.built_in()
module = SecurityModule(world.lmk("issuer"))


class Desk:
    """A bank of the world, its log in memory, and the handlers over it."""

    def __init__(self, institution: str) -> None:
        facts, cards = WORLD.institution(institution), WORLD.cards_of(institution)
        assert facts is not None
        self.facts = facts
        self.log = MemoryLog()
        machine = LedgerMachine(openings(cards, facts.currency))
        self.term: Term[State] = Term(machine, machine.new_state(), GroupLog(self.log, 1, Position(), now_ns=lambda: 0))
        self.bank = Bank(
            institution=institution,
            cards=card_file(cards, world.pvv),
            checks=CardChecks(institution, module, BankKeys(banks_rings(module, institution))),
            scripted=True,
            line=Line(institution),
            bins=facts.bins,
            terms=bank_terms(facts),
            decide_after_s=facts.decide_after_ms / 1000,
        )
        self.now_ms = 1_767_196_800_000
        self.handlers = Handlers(self.bank, self.term, Tracer("issuer-sim", "test"), lambda: self.now_ms)

    async def ask(self, kind: Kind, name: str, number: int = 1, amount: int = 10_000, **more: object) -> IssuerReply:
        asked = IssuerRequest(
            transaction=f"10000001:000001:{number:06d}",
            rrn="000000000001",
            kind=kind,
            terminal="10000001",
            merchant="001100053110001",
            amount_minor=amount,
            currency=CNY,
            entry_mode="021",
            card=self.card(name),
        )
        body = codec.encode(msgspec.structs.replace(asked, **more))
        answer = await self.handlers.authorize(Request("issuer.v1.test", body, None, 0))
        assert answer is not None
        return msgspec.json.decode(answer, type=IssuerReply)

    def card(self, name: str) -> CardData:
        card = WORLD.card(name)
        assert card is not None
        zone = module.import_clear(
            Purpose.ZONE_PIN, world.zone_pin_key(self.facts.id), world.zone_pin_algorithm(self.facts.id)
        )
        return CardData(
            pan=card.pan,
            expiry=card.expiry,
            track2=world.track2(card),
            pin_block=module.encrypt_pin(zone, card.pin, card.pan, self.facts.pin_format),
            pin_zone=self.facts.id,
            pin_format=self.facts.pin_format.value,
        )

    def records(self) -> list[LedgerRecord]:
        return [record_decoder.decode(raw) for payload in self.log.groups for raw in decode_group(payload).records]


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("debit-1", {}, "00"),
        ("debit-poor", {}, "51"),
        ("debit-poor", {"takes_part": True}, "10"),
        ("debit-lost", {}, "41"),
        ("debit-stolen", {}, "43"),
        ("debit-frozen", {}, "62"),
        ("debit-inactive", {}, "21"),
        ("debit-capture", {}, "04"),
        ("debit-chip", {}, "45"),
        ("debit-chip", {"entry_mode": "051"}, "05"),  # its chip has proved nothing
        ("debit-limit", {"amount_minor": 50_001}, "61"),
        ("debit-sales", {"kind": Kind.PRE_AUTH}, "57"),
        ("debit-fraud", {}, "34"),
        ("debit-refer", {"kind": Kind.TRANSFER, "incoming": True}, "01"),
    ],
)
async def test_cards_answer_what_the_page_says_of_them(name: str, changes: dict[str, object], expected: str) -> None:
    reply = await Desk("huaxing").ask(name=name, **({"kind": Kind.SALE} | changes))  # type: ignore[arg-type]
    assert reply.response_code == expected


async def test_a_card_that_nobody_has_in_hand_needs_neither_track_nor_pin_nor_expiry() -> None:
    desk = Desk("nanhai")
    target = WORLD.card("credit-expired")
    assert target is not None
    reply = await desk.ask(Kind.TRANSFER, "credit-1", card=CardData(pan=target.pan), incoming=True, entry_mode="011")
    assert reply.response_code == "00"
    (posting,) = desk.records()
    assert isinstance(posting, Posting)
    assert (posting.account, posting.amount_minor, posting.incoming) == (target.account, -10_000, True)


async def test_a_reversal_undoes_both_halves() -> None:
    desk = Desk("huaxing")
    assert (await desk.ask(Kind.TRANSFER, "debit-1")).response_code == "00"
    assert (await desk.ask(Kind.TRANSFER, "debit-2", incoming=True)).response_code == "00"
    body = codec.encode(IssuerReverseRequest(transaction="10000001:000001:000001", reason="68"))
    await desk.handlers.reverse(Request("issuer.v1.test", body, None, 0))
    assert [r.incoming for r in desk.records() if isinstance(r, ReversalPosting)] == [False, True]
    assert all(a.balance_minor == a.opening_minor for a in desk.term.state.accounts.values())


async def test_instalments_and_balances_are_answered_with_what_they_hold() -> None:
    desk = Desk("nanhai")
    plan = InstalmentPlan(periods=12)
    billed = await desk.ask(Kind.INSTALMENT, "credit-1", instalment=plan)
    assert billed.instalment is not None
    assert (billed.instalment.first_minor, billed.instalment.fee_minor) == (837, 720)
    said = await desk.ask(Kind.BALANCE, "credit-1", 2, 0)
    assert said.balance is not None
    assert (said.balance.available_minor, said.balance.account_type) == (99_990_000, "30")
    assert (await desk.ask(Kind.INSTALMENT, "credit-at-once", 3, instalment=plan)).response_code == "57"


async def test_a_foreign_bank_books_in_its_own_currency() -> None:
    desk = Desk("meridian")
    assert (await desk.ask(Kind.SALE, "foreign-poor", 1, 10_001, takes_part=True)).response_code == "51"
    assert (await desk.ask(Kind.SALE, "foreign-poor", 2, 10_000)).response_code == "00"
    posting = desk.records()[-1]
    assert isinstance(posting, Posting)
    assert (posting.amount_minor, posting.currency) == (10_850, "344")
    void = await desk.ask(Kind.VOID, "foreign-poor", 3, 10_000, original="10000001:000001:000002")
    assert void.response_code == "00"
    assert desk.term.state.accounts["meridian-000002"].balance_minor == 0


async def test_a_slow_bank_waits_before_it_looks_at_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, waited = Desk("jiangling"), []

    async def note(self: Handlers, delay_s: float) -> bool:
        assert desk.records() == []
        waited.append(delay_s)
        return False

    monkeypatch.setattr(Handlers, "closed_within", note)
    assert (await desk.ask(Kind.SALE, "slow-1")).response_code == "00"
    assert waited == [1.5]


async def test_holds_end_by_the_banks_clock_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("issuer_sim.handlers.MOST_EXPIRED", 2)
    desk = Desk("huaxing")
    for number in range(1, 6):
        assert (await desk.ask(Kind.PRE_AUTH, "debit-1", number)).response_code == "00"
    desk.now_ms += 30 * DAY_MS - 1
    assert await desk.handlers.end_holds() == 0
    desk.now_ms += 1
    assert await desk.handlers.end_holds() == 5
    assert [len(decode_group(group).records) for group in desk.log.groups[-3:]] == [2, 2, 1]
    assert desk.term.state.accounts["huaxing-000001"].held_minor == 0
    assert MOST_EXPIRED > 2


class NoBus:
    """A bus on which nobody asks anything."""

    async def serve(self, subject: str, handler: object, *, concurrency: int) -> NoBus:
        return self

    async def stop(self) -> None: ...


@pytest.mark.parametrize("fenced", [False, True])
async def test_an_office_goes_through_its_holds_until_it_closes(fenced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk("huaxing")
    await desk.ask(Kind.PRE_AUTH, "debit-1")
    passes: asyncio.Queue[bool] = asyncio.Queue()
    waits: list[float] = []

    async def next_pass(self: Handlers, delay_s: float) -> bool:
        waits.append(delay_s)
        return await passes.get()

    monkeypatch.setattr(Handlers, "closed_within", next_pass)
    monkeypatch.setattr("issuer_sim.office.now_ms", lambda: desk.now_ms)
    transactions = Transactions(Metrics(), logs.get("issuer"), ["huaxing"])
    office = BankOffice(desk.bank, NoBus(), Tracer("issuer-sim", "test"), transactions)  # type: ignore[arg-type]
    await office.open(desk.term)
    passes.put_nowait(False)
    desk.now_ms += 30 * DAY_MS
    if fenced:
        desk.term.log.end(Fenced("another owner"))
    else:
        passes.put_nowait(False)
        passes.put_nowait(True)
    await office.close()
    assert [type(record) for record in desk.records()] == [Posting] if fenced else [Posting, HoldExpired]
    assert set(waits) == {SWEEP_S}
