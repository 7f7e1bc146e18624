"""The edge of the issuer simulator, on a log in memory: what is answered, when, and what nobody gets to see."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import structlog

from contracts import codec
from contracts.authorization import CardData, IssuerReply, IssuerRequest, IssuerReverseReply, IssuerReverseRequest
from contracts.faults import LineQuestion
from contracts.kinds import Kind
from contracts.ledger import LedgerRecord, Posting, Refusal, ReversalPosting, record_decoder
from contracts.money import CNY
from contracts.pan import Pan, Track2, luhn_check_digit
from issuer_sim import handlers as edge
from issuer_sim.cards import CardOnFile
from issuer_sim.checks import CardChecks, yymm
from issuer_sim.domain.accounts import Account, State
from issuer_sim.domain.billing import Billing
from issuer_sim.domain.machine import LedgerMachine
from issuer_sim.domain.terms import BankTerms, CardTerms
from issuer_sim.handlers import Bank, Handlers
from issuer_sim.keys import BankKeys
from issuer_sim.line import Line
from key_store import names
from runtime import logs
from runtime.bus import Request
from runtime.log import Fenced, GroupLog, Position, decode_group, unheard
from runtime.memory_log import MemoryLog, Trap
from runtime.ownership import Term
from runtime.tracing import CLIENT, Shape, Span, Tracer
from security_module import PinFormat, Purpose, SecurityModule
from tests.support_keys import MemoryBucket, banks_rings

BANK = "huaxing"
NOW_MS = 1_767_196_800_000  # 2026-01-01 in UTC+8
PIN = "493817"
PAN = Pan("629101888000001" + luhn_check_digit("629101888000001"))
OTHER = Pan("629101888000002" + luhn_check_digit("629101888000002"))
EXPIRY, SERVICE = "3012", "101"
TX, SECOND = "10000001:000001:000001", "10000001:000001:000002"

module = SecurityModule(bytes(range(32)))
bucket = MemoryBucket()
rings = banks_rings(module, BANK, bucket)
ZONE, CVK, PVK = (rings.ring(name).current.key for name in (names.ZONE, names.CVK, names.PVK))


class SlowLog(MemoryLog):
    """Appends pass one by one, when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()

    async def append(
        self, payload: bytes, *, expected: int, message_id: str, sent: Callable[[], None] = unheard
    ) -> int:
        await self.open.wait()
        return await super().append(payload, expected=expected, message_id=message_id, sent=sent)

    def records(self) -> list[LedgerRecord]:
        return [record_decoder.decode(raw) for payload in self.groups for raw in decode_group(payload).records]


class Desk:
    """One bank with one card, its log, and the handlers over it."""

    def __init__(self, *, scripted: bool = True) -> None:
        self.log = SlowLog()
        self.machine = LedgerMachine([Account("A1", opening_minor=2_000_000)])
        self.term: Term[State] = Term(
            self.machine, self.machine.new_state(), GroupLog(self.log, 1, Position(), now_ns=lambda: 0)
        )
        self.tracer = Tracer("issuer-sim", "test")
        card = CardOnFile(account="A1", expiry=EXPIRY, pvv=module.pvv(PVK, PAN, PIN), terms=CardTerms(debit=True))
        self.line = Line(BANK)
        self.bank = Bank(
            institution=BANK,
            cards={PAN: card},
            checks=CardChecks(BANK, module, BankKeys(rings)),
            scripted=scripted,
            line=self.line,
        )
        self.handlers = Handlers(self.bank, self.term, self.tracer, lambda: NOW_MS)

    @property
    def balance(self) -> int:
        return self.term.state.accounts["A1"].balance_minor

    async def authorize(self, **changes: object) -> IssuerReply | None:
        return await self.ask(self.handlers.authorize, request(**changes), IssuerReply)

    async def reverse(self, transaction: str = TX) -> IssuerReverseReply | None:
        asked = IssuerReverseRequest(transaction=transaction, reason="98")
        return await self.ask(self.handlers.reverse, asked, IssuerReverseReply)

    async def ask(
        self, handler: Callable[[Request], Awaitable[bytes | None]], asked: msgspec.Struct, kind: type[Any]
    ) -> Any:
        answer = await handler(Request("issuer.v1.huaxing.test", codec.encode(asked), None, 0))
        return None if answer is None else msgspec.json.decode(answer, type=kind)


def track(pan: Pan = PAN, expiry: str = EXPIRY, cvv: str = "") -> Track2:
    cvv = cvv or module.cvv(CVK, pan, expiry, SERVICE)
    return Track2(f"{pan.clear()}D{expiry}{SERVICE}{discretionary(cvv)}")


def discretionary(cvv: str) -> str:
    """The discretionary data as the test world lays it out."""
    return cvv + "00000"


def card(**changes: object) -> CardData:
    block = module.encrypt_pin(ZONE, PIN, PAN)
    return msgspec.structs.replace(
        CardData(pan=PAN, expiry=EXPIRY, track2=track(), pin_block=block, pin_zone=BANK), **changes
    )


def request(**changes: object) -> IssuerRequest:
    asked = IssuerRequest(
        transaction=TX,
        rrn="000000000001",
        kind=Kind.SALE,
        terminal="10000001",
        merchant="001100053110001",
        amount_minor=1_000,
        currency=CNY,
        entry_mode="021",
        card=card(),
    )
    return msgspec.structs.replace(asked, **changes)


async def until(condition: Callable[[], bool]) -> None:
    """Lets the other tasks run until they have brought about what is waited for."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come about")


async def test_a_sale_is_posted_and_approved() -> None:
    desk = Desk()
    assert await desk.authorize() == IssuerReply(response_code="00", authorization_code="000001")
    (posting,) = desk.log.records()
    assert isinstance(posting, Posting)
    assert (posting.id, posting.account, posting.amount_minor, posting.at_ms) == (TX, "A1", 1_000, NOW_MS)
    assert posting.right_pin
    assert desk.balance == 1_999_000


async def test_parts_are_given_back_in_the_banks_own_currency_to_the_cent() -> None:
    desk = Desk()
    billing = Billing(currency=CNY, account_currency="344", rate_millionths=1_085_000)
    bank = msgspec.structs.replace(desk.bank, terms=BankTerms(billing=billing))
    desk.term.state.accounts["A1"].currency = "344"
    desk.handlers = Handlers(bank, desk.term, desk.tracer, lambda: NOW_MS)
    await desk.authorize(amount_minor=60)
    assert desk.balance == 2_000_000 - 65
    for number in range(2, 12):
        id_ = f"10000001:000001:{number:06d}"
        reply = await desk.authorize(transaction=id_, kind=Kind.REFUND, original=TX, amount_minor=6)
        assert reply is not None
        assert reply.response_code == "00"
    assert desk.balance == 2_000_000
    assert [record.asked_minor for record in desk.log.records() if isinstance(record, Posting)] == [0, *[6] * 10]


WRONG_CVV = f"{(int(module.cvv(CVK, PAN, EXPIRY, SERVICE)) + 1) % 1000:03d}"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"card": card(pan=OTHER, track2=track(OTHER))}, "14"),
        ({"card": card(expiry="3111")}, "54"),
        ({"card": card(expiry="", track2=track(expiry="3111"))}, "54"),
        ({"card": card(track2=track(cvv=WRONG_CVV))}, "59"),
        ({"card": card(track2=track(OTHER))}, "59"),
        ({"card": card(track2=Track2(f"{PAN.clear()}D{EXPIRY}"))}, "59"),
        ({"card": card(track2=None)}, "59"),
        ({"card": card(track2=None), "entry_mode": "011"}, "00"),
        ({"card": card(pin_block=module.encrypt_pin(ZONE, "112233", PAN))}, "55"),
        ({"card": card(pin_block=b"", pin_zone="")}, "55"),
        ({"card": card(pin_block=module.encrypt_pin(module.generate(Purpose.ZONE_PIN), PIN, PAN))}, "99"),
        ({"card": card(pin_zone="nanhai")}, "99"),
        ({"card": card(pin_block=b"short")}, "99"),
        ({"card": card(pin_format="iso-3")}, "99"),
        (
            {"card": card(pin_block=module.encrypt_pin(ZONE, PIN, PAN, PinFormat.ISO_3), pin_format="iso-3")},
            "00",
        ),
        ({"card": card(pin_format="iso-4")}, "99"),  # not under a TDES key
        ({"card": card(pin_block=bytes(16), pin_format="iso-4")}, "99"),
        ({"card": card(pin_format="iso-1")}, "99"),
        ({"card": card(pin_format="")}, "99"),
        ({"amount_minor": 2_000_001}, "51"),
        ({"amount_minor": 800_005}, "05"),
    ],
)
async def test_what_is_wrong_with_the_card_is_found_and_written_down(changes: dict[str, object], expected: str) -> None:
    desk = Desk()
    reply = await desk.authorize(**changes)
    assert reply is not None
    assert reply.response_code == expected
    (record,) = desk.log.records()
    assert isinstance(record, Posting if expected == "00" else Refusal)


async def test_scripted_amounts_are_ordinary_when_switched_off() -> None:
    reply = await Desk(scripted=False).authorize(amount_minor=800_005)
    assert reply is not None
    assert reply.response_code == "00"


async def test_no_answer_before_the_ledger_holds_it_not_even_from_memory() -> None:
    desk = Desk()
    desk.log.open.clear()
    first = asyncio.create_task(desk.authorize())
    await until(lambda: desk.balance == 1_999_000)
    again = asyncio.create_task(desk.authorize())
    reversal = asyncio.create_task(desk.reverse("10000001:000001:000002"))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not any(task.done() for task in (first, again, reversal))
    desk.log.open.set()
    assert await first == await again == IssuerReply(response_code="00", authorization_code="000001")
    assert await reversal == IssuerReverseReply(response_code="00")
    assert [type(r) for r in desk.log.records()] == [Posting, ReversalPosting]


@pytest.mark.parametrize("trap", [Trap.LOST, Trap.LOST_ACK, Trap.LATE, Trap.REFUSED_IN_FLIGHT])
async def test_an_append_of_unknown_outcome_posts_once(trap: Trap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GroupLog, "RETRY_S", 0.0)
    desk = Desk()
    desk.log.traps.append(trap)
    assert await desk.authorize() == IssuerReply(response_code="00", authorization_code="000001")
    assert [type(r) for r in desk.log.records()] == [Posting]


async def test_a_fenced_owner_answers_nobody() -> None:
    desk = Desk()
    desk.log.open.clear()
    in_flight = asyncio.create_task(desk.authorize())
    await until(lambda: desk.balance == 1_999_000)
    repeated = asyncio.create_task(desk.authorize())
    await asyncio.sleep(0)
    desk.term.log.end(Fenced("another owner"))
    for task in (in_flight, repeated):
        with pytest.raises(Fenced):
            await task
    with pytest.raises(Fenced):
        await desk.authorize()
    with pytest.raises(Fenced):
        await desk.reverse()


async def test_reversal_then_late_original() -> None:
    desk = Desk()
    assert await desk.reverse() == IssuerReverseReply(response_code="00")
    assert await desk.authorize() == IssuerReply(response_code="12")
    assert await desk.reverse() == IssuerReverseReply(response_code="00")
    (tombstone,) = desk.log.records()
    assert isinstance(tombstone, ReversalPosting)
    assert (tombstone.amount_minor, tombstone.account) == (0, "")


async def test_a_reversal_while_the_original_waits_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    reversed_meanwhile = asyncio.Event()

    async def waits_for_the_reversal(self: Handlers, delay_s: float) -> bool:
        assert delay_s == 2.0
        await reversed_meanwhile.wait()
        return False

    monkeypatch.setattr(Handlers, "closed_within", waits_for_the_reversal)
    waiting = asyncio.create_task(desk.authorize(amount_minor=800_300))
    await asyncio.sleep(0)
    assert await desk.reverse() == IssuerReverseReply(response_code="00")
    reversed_meanwhile.set()
    assert await waiting == IssuerReply(response_code="12")
    assert desk.balance == 2_000_000


@pytest.mark.parametrize(
    ("amount", "posted", "answered", "delays"),
    [
        (800_100, False, False, []),
        (800_200, True, True, [12.0]),
        (800_300, True, True, [2.0]),
        (800_400, True, False, []),
    ],
)
async def test_scripted_silence_and_delay(
    amount: int, posted: bool, answered: bool, delays: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()
    waited: list[float] = []

    async def note(self: Handlers, delay_s: float) -> bool:
        waited.append(delay_s)
        return False

    monkeypatch.setattr(Handlers, "closed_within", note)
    reply = await desk.authorize(amount_minor=amount)
    assert (reply is not None, waited) == (answered, delays)
    assert (desk.balance == 2_000_000 - amount) is posted
    assert bool(desk.log.records()) is posted
    await desk.reverse()
    assert desk.balance == 2_000_000


async def test_closing_lets_go_of_what_a_script_holds() -> None:
    desk = Desk()
    held = [
        asyncio.create_task(desk.authorize(amount_minor=a, transaction=f"10000001:000001:{a}"))
        for a in (800_200, 800_300)
    ]
    await until(lambda: len(desk.log.records()) == 1)
    desk.handlers.close()
    assert await asyncio.gather(*held) == [None, None]
    assert [type(r) for r in desk.log.records()] == [Posting]


@pytest.mark.parametrize("body", [b"", b"{", b'{"transaction": 7}', b"[]"])
async def test_an_unreadable_request_is_a_format_error_without_a_record(body: bytes) -> None:
    desk = Desk()
    for handler in (desk.handlers.authorize, desk.handlers.reverse):
        answer = await handler(Request("issuer.v1.huaxing.test", body, None, 0))
        assert answer is not None
        assert msgspec.json.decode(answer)["response_code"] == "30"
    assert desk.log.records() == []


async def test_spans_and_their_parents() -> None:
    desk = Desk()
    parent = desk.tracer.span(Shape("ask", CLIENT))
    await desk.handlers.authorize(Request("s", codec.encode(request()), parent.context, 0))
    spans: dict[str, Span] = {span.name: span for span in desk.tracer.take()}
    top = spans.pop("process issuer.v1.{institution}.authorize")
    assert top.parent_id == parent.context.span_id
    assert set(spans) == {"check card", "verify PIN", "decide", "append ledger.v1.{institution}"}
    assert {span.parent_id for span in spans.values()} == {top.span_id}
    appended = spans["append ledger.v1.{institution}"].attributes
    assert appended["lianji.group.records"] == appended["lianji.group.sequence"] == 1
    assert appended["lianji.group.wait_us"] == 0, "the log was idle"
    assert top.attributes == {"lianji.kind": "sale", "lianji.rrn": "000000000001", "lianji.response_code": "00"}
    assert top.error_text == ""
    (posting,) = desk.log.records()
    assert posting.trace == top.traceparent


async def test_a_decline_is_an_error_with_its_code() -> None:
    desk = Desk()
    await desk.authorize(card=card(pin_block=module.encrypt_pin(ZONE, "112233", PAN)))
    top = desk.tracer.take()[-1]
    assert (top.attributes["lianji.response_code"], top.error_text) == ("55", "55")


async def test_nothing_of_the_card_is_in_logs_spans_or_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    logs.configure("issuer-sim", "test")
    structlog.configure(logger_factory=structlog.BytesLoggerFactory(out), cache_logger_on_first_use=False)
    monkeypatch.setattr(edge, "log", logs.get("issuer"))
    desk = Desk()
    try:
        await desk.authorize()
        await desk.authorize(transaction=SECOND, card=card(pin_block=module.encrypt_pin(ZONE, "112233", PAN)))
        await desk.reverse()
        damaged = msgspec.json.decode(codec.encode(request())) | {"amount_minor": "many"}
        await desk.handlers.authorize(Request("s", msgspec.json.encode(damaged), None, 0))
    finally:
        structlog.reset_defaults()
    lines = [msgspec.json.decode(line) for line in out.getvalue().splitlines()]
    assert [(line.get("transaction"), line.get("response_code")) for line in lines[:3]] == [
        (TX, "00"),
        (SECOND, "55"),
        (TX, "00"),
    ]
    assert "amount_minor" in lines[3]["reason"]
    written = out.getvalue() + b"".join(desk.log.groups)
    written += repr([(s.name, s.attributes) for s in desk.tracer.take()]).encode()
    written += repr((desk.bank, request(), desk.term.state)).encode() + desk.machine.dump(desk.term.state)
    track2 = track().clear()
    assert "pvv" not in repr(desk.bank)
    for secret in (PAN.clear(), track2, track2.partition("D")[2], PIN, base64.b64encode(card().pin_block).decode()):
        assert secret.encode() not in written


@pytest.mark.parametrize(("at_ms", "expected"), [(NOW_MS - 1, "2512"), (NOW_MS, "2601")])
def test_the_month_turns_in_the_banks_zone(at_ms: int, expected: str) -> None:
    assert yymm(at_ms) == expected


async def test_an_answer_that_the_line_loses_has_been_decided_all_the_same() -> None:
    desk = Desk()
    await desk.line.order(Request("issuer.v1.huaxing.fault", codec.encode(LineQuestion(lost_share=1)), None, 0))
    assert await desk.authorize() is None
    assert desk.balance == 1_999_000
    assert await desk.reverse() is None
    assert desk.balance == 2_000_000
    await desk.line.order(Request("issuer.v1.huaxing.fault", codec.encode(LineQuestion(lost_share=0)), None, 0))
    assert await desk.reverse() == IssuerReverseReply(response_code="00")
    assert await desk.authorize() == IssuerReply(response_code="12")


async def test_an_advice_is_booked_and_the_same_as_a_question_is_not() -> None:
    """What makes it one is the subject that it comes on: nobody who may ask can force."""
    desk = Desk()
    told = request(amount_minor=9_000_000, card=CardData(pan=PAN), authorization_code="S00001")
    advised = await desk.ask(desk.handlers.advise, told, IssuerReply)
    assert advised == IssuerReply(response_code="00", authorization_code="S00001")
    assert desk.balance == 2_000_000 - 9_000_000
    assert await desk.ask(desk.handlers.advise, told, IssuerReply) == advised
    asked = msgspec.structs.replace(told, transaction="10000001:000001:000099")
    refused = await desk.ask(desk.handlers.authorize, asked, IssuerReply)
    assert refused is not None
    assert refused.response_code not in ("00", "10")
    assert desk.balance == 2_000_000 - 9_000_000


async def test_an_advice_says_of_the_chip_what_the_acquirer_still_has() -> None:
    desk = Desk()
    told = request(kind=Kind.OFFLINE_SALE, card=CardData(pan=PAN), authorization_code="S00001", counter=9)
    assert (await desk.ask(desk.handlers.advise, told, IssuerReply)) == IssuerReply(
        response_code="00", authorization_code="S00001"
    )
    another = msgspec.structs.replace(told, transaction="10000001:000001:000099")
    assert await desk.ask(desk.handlers.advise, another, IssuerReply) == IssuerReply(response_code="59")


async def test_an_advice_that_does_not_say_what_it_is_about_is_left_unanswered() -> None:
    """A gateway of before does not pass that on: a refusal would be for good, and the next gateway has it."""
    desk = Desk()
    told = request(kind=Kind.COMPLETION_ADVICE, card=CardData(pan=PAN), authorization_code="S00001")
    assert await desk.ask(desk.handlers.advise, told, IssuerReply) is None
    assert not desk.term.state.transactions
    refused = await desk.ask(desk.handlers.authorize, told, IssuerReply)
    assert refused == IssuerReply(response_code="25")
