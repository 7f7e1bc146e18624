"""The switch's office with two banks and a settlement ledger: transfers half done, and transactions that have to be looked up."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from auth.domain.register import MerchantEntry, Register, TerminalEntry
from auth.domain.state import Shard
from auth.handlers import ShardOffice
from auth.issuers import Issuers
from auth.machine import ShardMachine
from auth.recall import Ledger
from contracts import subjects
from contracts.authorization import (
    AuthorizeReply,
    IssuerReply,
    IssuerRequest,
    IssuerReverseReply,
    Original,
    ReverseReply,
    SettleReply,
    Target,
    Totals,
)
from contracts.codec import decoder, encode
from contracts.journal import Intent, Outcome, Recalled, Reversing, record_decoder
from contracts.kinds import Kind
from contracts.pan import Pan, luhn_check_digit
from contracts.questions import FoundTransaction, NoTransaction, Refused, TransactionQuestion
from contracts.states import State
from runtime.bus import NoAnswer, NotDelivered
from runtime.log import decode_group
from runtime.memory_log import MemoryLog
from runtime.ownership import Term, replay
from runtime.snapshots import NoSnapshots
from runtime.tracing import Tracer
from tests.support_auth import PAN, GatedLog, Serving, closing, request, reversal, sale, take_office, until

PAYEE = "629102000000001" + luhn_check_digit("629102000000001")
ID = "T1:000001:000001"
REGISTER = Register(
    merchants={"M1": MerchantEntry(True, 100_00)},
    terminals={"T1": TerminalEntry("M1", True), "T2": TerminalEntry("M1", True)},
    terminals_of={"M1": ("T1", "T2")},
    institution_for=lambda pan: "payer" if pan.clear() == PAN else "payee",
    stop_reason=lambda _: "",
    institutions=("payer", "payee"),
    currency="156",
)
authorized = decoder(AuthorizeReply).decode
reversed_ = decoder(ReverseReply).decode
settled = decoder(SettleReply).decode
asked_of_bank = decoder(IssuerRequest).decode
asked_of_ledger = decoder(TransactionQuestion).decode


class World:
    """Two banks and the ledger, each saying what it is told to: a message, an exception, or what an awaitable gives."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = {}
        self.heard: list[tuple[str, bytes]] = []

    async def serve(self, subject: str, handler: Any, *, queue: str = "", concurrency: int = 1) -> Serving:
        return Serving()

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Any = None) -> bytes:
        self.heard.append((subject, body))
        said = self.says.get(subject, IssuerReply(response_code="00", authorization_code="A00001"))
        if subject.endswith("reverse"):
            said = self.says.get(subject, IssuerReverseReply(response_code="00"))
        said = said(body) if callable(said) else said
        said = await said if asyncio.iscoroutine(said) else said
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, bytes) else encode(said)

    def to(self, subject: str) -> list[bytes]:
        return [body for heard, body in self.heard if heard == subject]


PAYER_ASKED, PAYEE_ASKED = subjects.issuer("payer", "authorize"), subjects.issuer("payee", "authorize")


async def opened(
    world: World, *, issuer_s: float = 0.0, store: MemoryLog | None = None
) -> tuple[ShardOffice, Term[Shard], MemoryLog]:
    desk = ShardOffice(
        shard=0,
        register=REGISTER,
        bus=world,  # type: ignore[arg-type]
        issuers=Issuers(world, issuer_s),  # type: ignore[arg-type]
        ledger=Ledger(world, 0.3),  # type: ignore[arg-type]
        tracer=Tracer("test", "test"),
        now_ms=lambda: 1,
        concurrency=8,
    )
    store = store or MemoryLog()
    term = await take_office(store)
    await desk.open(term)
    return desk, term, store


def records(store: MemoryLog) -> list[Any]:
    return [record_decoder.decode(bytes(raw)) for group in store.groups for raw in decode_group(group).records]


def transfer(**more: Any) -> Any:
    plain = sale()
    values = {"kind": Kind.TRANSFER, "target": Target(pan=Pan(PAYEE), masked=plain.masked), **more}
    return request(msgspec.structs.replace(plain, **values))


async def test_a_transfer_is_asked_of_the_payers_bank_and_then_of_the_payees_under_one_id() -> None:
    world = World()
    desk, term, _ = await opened(world)
    assert authorized(await desk.on_authorize(transfer())).response_code == "00"
    first, second = (asked_of_bank(body) for _, body in world.heard)
    assert [subject for subject, _ in world.heard] == [PAYER_ASKED, PAYEE_ASKED]
    assert (first.transaction, first.incoming, first.card.pan.clear()) == (ID, False, PAN)
    assert (second.transaction, second.incoming, second.card.pan.clear()) == (ID, True, PAYEE)
    assert (second.card.track2, bytes(second.card.pin_block), second.amount_minor) == (None, b"", first.amount_minor)
    assert term.state.transactions[ID].state is State.APPROVED
    await desk.close()


HALVES = [
    # payer's bank               payee's bank                    code   reversed at   second asked
    (IssuerReply(response_code="51"), None, "51", False, 0),
    (NotDelivered("nobody"), None, "91", False, 0),
    (NoAnswer("lost"), None, "68", True, 0),
    (None, IssuerReply(response_code="14"), "14", True, 1),
    (None, NotDelivered("nobody"), "91", True, 1),
    (None, NoAnswer("lost"), "68", True, 1),
    (None, b"nonsense", "68", True, 1),
    (None, IssuerReply(response_code=""), "68", True, 1),
    (None, IssuerReply(response_code="10", part_minor=1), "68", True, 1),
]


@pytest.mark.parametrize("half", HALVES, ids=str)
async def test_a_transfer_that_is_half_done_is_undone_at_both_banks(half: tuple[Any, Any, str, bool, int]) -> None:
    payer, payee, code, undone, second = half
    world = World()
    world.says = {k: v for k, v in {PAYER_ASKED: payer, PAYEE_ASKED: payee}.items() if v is not None}
    desk, term, store = await opened(world)
    for _ in range(2):  # and its repetition
        assert authorized(await desk.on_authorize(transfer())).response_code == code
    assert len(world.to(PAYEE_ASKED)) == second
    known = term.state.transactions[ID]
    if undone:
        await until(lambda: known.state is State.REVERSED)
    assert known.state is (State.REVERSED if undone else State.DECLINED)
    told = [institution for institution in ("payer", "payee") if world.to(subjects.issuer(institution, "reverse"))]
    assert told == (["payer", "payee"] if undone else [])
    assert not [r for r in records(store) if isinstance(r, Outcome) and r.state is State.APPROVED]
    await desk.close()


async def test_a_transfer_that_is_taken_back_after_its_first_half_is_not_asked_of_the_second_bank() -> None:
    world, gate = World(), asyncio.Event()

    async def slow() -> IssuerReply:
        await gate.wait()
        return IssuerReply(response_code="00", authorization_code="A00001")

    world.says[PAYER_ASKED] = lambda _: slow()
    desk, term, _ = await opened(world, issuer_s=5)
    running = asyncio.create_task(desk.on_authorize(transfer()))
    await until(lambda: bool(world.to(PAYER_ASKED)))
    undo = msgspec.structs.replace(reversal(), kind=Kind.TRANSFER)
    assert reversed_(await desk.on_reverse(request(undo))).response_code == "00"
    gate.set()
    assert authorized(await running).response_code == "68"
    assert not world.to(PAYEE_ASKED)
    await until(lambda: term.state.transactions[ID].state is State.REVERSED)
    await desk.close()


async def test_a_new_owner_undoes_a_transfer_between_its_halves() -> None:
    world = World()
    never = asyncio.Event()

    async def waits() -> None:
        await never.wait()

    world.says[PAYEE_ASKED] = lambda _: waits()
    desk, _, store = await opened(world, issuer_s=5)
    running = asyncio.create_task(desk.on_authorize(transfer()))
    await until(lambda: bool(world.to(PAYEE_ASKED)))
    successor = World()
    later = ShardOffice(
        shard=0,
        register=REGISTER,
        bus=successor,  # type: ignore[arg-type]
        issuers=Issuers(successor, 0),  # type: ignore[arg-type]
        ledger=Ledger(successor, 0.3),  # type: ignore[arg-type]
        tracer=Tracer("test", "test"),
        now_ms=lambda: 2,
        concurrency=8,
    )
    term = await take_office(store)
    await later.open(term)
    await until(lambda: term.state.transactions[ID].state is State.REVERSED)
    assert {subject for subject, _ in successor.heard} == {
        subjects.issuer(institution, "reverse") for institution in ("payer", "payee")
    }
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await later.close()


# ------------------------------------------------------------------ the ledger


async def closed_twice(desk: ShardOffice) -> Original:
    """A sale that is approved and then forgotten; how a terminal names it."""
    said = authorized(await desk.on_authorize(request(sale())))
    assert said.response_code == "00"
    for batch, totals in (("000001", Totals(debit_minor=10_00, debit_count=1)), ("000002", Totals())):
        assert settled(await desk.on_settle(request(closing(batch, totals, "000099")))).result == "1"
    return Original(batch="000001", stan="000001", date="0101", rrn=said.rrn)


def refund(named: Original, stan: str = "000101", amount_minor: int = 4_00) -> Any:
    plain = sale(stan=stan, batch="000003", amount_minor=amount_minor)
    return request(msgspec.structs.replace(plain, kind=Kind.REFUND, original=named))


def known_to_ledger(body: bytes, **more: Any) -> FoundTransaction:
    question = asked_of_ledger(body)
    values: dict[str, Any] = {
        "id": question.ids[0],
        "rrn": question.rrn,
        "kind": Kind.SALE,
        "terminal": "T1",
        "merchant": "M1",
        "batch": "000001",
        "stan": "000001",
        "amount_minor": 10_00,
        "currency": "156",
        "institution": "payer",
        "authorization_code": "A00001",
        "state": State.SETTLED,
        "decided_ms": 1,
        "taken_minor": 0,
        "spent": False,
    }
    return FoundTransaction(**{**values, **more})


async def test_a_forgotten_sale_is_looked_up_once_all_that_is_known_is_durable_and_a_replay_needs_nobody() -> None:
    world = World()
    desk, term, store = await opened(world)
    named = await closed_twice(desk)
    world.says[subjects.SETTLEMENT_TRANSACTION] = known_to_ledger
    assert authorized(await desk.on_authorize(refund(named))).response_code == "00"
    (body,) = world.to(subjects.SETTLEMENT_TRANSACTION)
    question = asked_of_ledger(body)
    assert (question.shard, question.ids, question.rrn) == (0, (ID,), named.rrn)
    assert question.sequence == next(n for n, r in enumerate(store.groups) if b'"recalled"' in r), "all groups before"
    assert asked_of_bank(world.to(PAYER_ASKED)[-1]).original == ID
    kinds = [type(r) for r in records(store)]
    assert kinds.index(Recalled) < len(kinds) - 1 - kinds[::-1].index(Intent)
    assert (await replay(store, ShardMachine(), NoSnapshots()))[0] == term.state
    await desk.close()


SILENT = [Refused(reason="not so far"), NoAnswer("lost"), NotDelivered("nobody"), b"nonsense"]


@pytest.mark.parametrize("said", SILENT, ids=str)
async def test_a_ledger_that_does_not_say_is_a_no_that_stays(said: Any) -> None:
    world = World()
    desk, _, _ = await opened(world)
    named = await closed_twice(desk)
    world.says[subjects.SETTLEMENT_TRANSACTION] = said
    first = authorized(await desk.on_authorize(refund(named)))
    assert first.response_code == "96"
    world.says[subjects.SETTLEMENT_TRANSACTION] = known_to_ledger
    assert authorized(await desk.on_authorize(refund(named))) == first, (
        "a straggling copy finds what its terminal was told"
    )
    assert authorized(await desk.on_authorize(refund(named, stan="000102"))).response_code == "00"
    await desk.close()


async def test_a_ledger_that_catches_up_is_heard() -> None:
    world = World()
    desk, _, _ = await opened(world)
    named = await closed_twice(desk)
    answers = iter([Refused(reason="not so far"), NotDelivered("being replaced")])
    world.says[subjects.SETTLEMENT_TRANSACTION] = lambda body: next(answers, None) or known_to_ledger(body)
    assert authorized(await desk.on_authorize(refund(named))).response_code == "00"
    world.says[subjects.SETTLEMENT_TRANSACTION] = NoTransaction()
    other = msgspec.structs.replace(named, stan="000055", rrn="")
    assert authorized(await desk.on_authorize(refund(other, stan="000102"))).response_code == "25"
    await desk.close()


async def test_the_ledger_is_asked_no_sooner_than_all_that_is_known_is_durable() -> None:
    """It could not say how far it must have read."""
    world, store = World(), GatedLog()
    desk, _, _ = await opened(world, issuer_s=5, store=store)
    named = await closed_twice(desk)
    world.says[subjects.SETTLEMENT_TRANSACTION] = known_to_ledger
    store.gate.clear()
    selling = asyncio.create_task(desk.on_authorize(request(msgspec.structs.replace(sale(), terminal="T2"))))
    await store.waits.wait()
    running = asyncio.create_task(desk.on_authorize(refund(named)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not world.to(subjects.SETTLEMENT_TRANSACTION)
    store.gate.set()
    assert [authorized(await one).response_code for one in (selling, running)] == ["00", "00"]
    await desk.close()


async def test_a_repetition_while_the_ledger_is_asked_gets_the_one_answer() -> None:
    world, gate = World(), asyncio.Event()
    desk, term, store = await opened(world, issuer_s=5)
    named = await closed_twice(desk)

    async def slow(body: bytes) -> FoundTransaction:
        await gate.wait()
        return known_to_ledger(body)

    world.says[subjects.SETTLEMENT_TRANSACTION] = slow
    running = [asyncio.create_task(desk.on_authorize(refund(named))) for _ in range(3)]
    other = asyncio.create_task(desk.on_authorize(refund(named, amount_minor=5_00)))  # the same number, another amount
    await until(lambda: bool(world.to(subjects.SETTLEMENT_TRANSACTION)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(world.to(subjects.SETTLEMENT_TRANSACTION)) == 1
    gate.set()
    codes = [authorized(await one) for one in running]
    assert {(said.response_code, said.rrn) for said in codes} == {("00", codes[0].rrn)}
    assert authorized(await other).response_code == "94"
    assert len([r for r in records(store) if isinstance(r, Intent) and r.kind is Kind.REFUND]) == 1
    assert not term.state.intents
    await desk.close()


async def test_two_refunds_that_are_looked_up_at_once_do_not_both_take_all() -> None:
    world, gate = World(), asyncio.Event()
    desk, _, _ = await opened(world, issuer_s=5)
    named = await closed_twice(desk)

    async def slow(body: bytes) -> FoundTransaction:
        await gate.wait()
        return known_to_ledger(body)

    world.says[subjects.SETTLEMENT_TRANSACTION] = slow
    running = [
        asyncio.create_task(desk.on_authorize(refund(named, stan=stan, amount_minor=10_00)))
        for stan in ("000101", "000102")
    ]
    await until(lambda: len(world.to(subjects.SETTLEMENT_TRANSACTION)) == 2)
    gate.set()
    assert sorted([authorized(await one).response_code for one in running]) == ["00", "13"]
    await desk.close()


async def test_an_answer_that_has_become_untrue_meanwhile_is_asked_for_again() -> None:
    """An earlier refund falls while the ledger is being asked: what it says of before counts that one as standing."""
    world, gate, listening = World(), asyncio.Event(), asyncio.Event()
    desk, term, store = await opened(world, issuer_s=5)

    async def hears() -> IssuerReverseReply:
        await listening.wait()
        return IssuerReverseReply(response_code="00")

    world.says[subjects.issuer("payer", "reverse")] = lambda _: hears()
    said = authorized(await desk.on_authorize(request(sale())))
    named = Original(batch="000001", stan="000001", date="0101", rrn=said.rrn)
    world.says[PAYER_ASKED] = lambda _: b"nonsense"
    desk._forwarding._asking._issuers = Issuers(world, 0)  # type: ignore[arg-type]
    first = msgspec.structs.replace(sale(stan="000002", amount_minor=4_00), kind=Kind.REFUND, original=named)
    assert authorized(await desk.on_authorize(request(first))).response_code == "68"
    del world.says[PAYER_ASKED]
    desk._forwarding._asking._issuers = Issuers(world, 5)  # type: ignore[arg-type]
    for batch, totals in (("000001", Totals(debit_minor=10_00, debit_count=1)), ("000002", Totals())):
        assert settled(await desk.on_settle(request(closing(batch, totals, "000099")))).result == "1"

    async def slow(body: bytes) -> FoundTransaction:
        fallen = any(isinstance(r, Reversing) for r in records(store)) and not term.state.reversals.get("payer")
        await gate.wait()
        return known_to_ledger(body, taken_minor=0 if fallen else 4_00)

    world.says[subjects.SETTLEMENT_TRANSACTION] = slow
    running = asyncio.create_task(desk.on_authorize(refund(named, amount_minor=10_00)))
    await until(lambda: bool(world.to(subjects.SETTLEMENT_TRANSACTION)))
    listening.set()
    await until(lambda: not term.state.reversals["payer"])
    gate.set()
    assert authorized(await running).response_code == "00"
    assert len(world.to(subjects.SETTLEMENT_TRANSACTION)) == 2
    await desk.close()
