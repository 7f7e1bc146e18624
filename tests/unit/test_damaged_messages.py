"""Damaged messages straight to the services' handlers: answered, and nothing of the card is kept, shown or told to the caller."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

import world
from auth import unreadable
from auth.handlers import ShardOffice
from contracts.authorization import (
    AuthorizeReply,
    AuthorizeRequest,
    CardData,
    IssuerReply,
    IssuerRequest,
    IssuerReverseReply,
    IssuerReverseRequest,
    ReverseReply,
    ReverseRequest,
    SettleReply,
    SettleRequest,
    SignOffReply,
    SignOffRequest,
    SignOnReply,
    SignOnRequest,
    Totals,
)
from contracts.codec import decoder, encode
from contracts.kinds import Kind
from contracts.pan import MaskedCard, Pan
from contracts.questions import BatchQuestion, DaySummaryQuestion, Refused, SlipQuestion
from contracts.reading import UnreadableError, reader, rule
from issuer_sim.cards import card_file, openings
from issuer_sim.checks import CardChecks
from issuer_sim.domain.machine import LedgerMachine
from issuer_sim.handlers import Bank
from issuer_sim.handlers import Handlers as BankHandlers
from issuer_sim.keys import BankKeys
from issuer_sim.line import Line
from leaks.damage import Damage, damaged
from lianji.scan.detector import Detector
from lianji.scan.wanted import wanted
from receipts.handlers import Handlers as SlipHandlers
from receipts.store import SlipReader, SlipStore
from runtime import logs
from runtime.bus import Request
from runtime.log import GroupLog, Position
from runtime.memory_log import MemoryLog
from runtime.ownership import Term
from runtime.sql import open_engine
from runtime.tracing import Tracer
from security_module import SecurityModule
from settlement.handlers import Handlers as LedgerHandlers
from settlement.queries import LedgerReader
from settlement.store import Ledger
from tests.support_auth import Banks, office, take_office
from tests.support_keys import banks_rings

WORLD = world.built_in()
CARD = WORLD.cards[0]
PAN, TRACK = CARD.pan.clear(), world.track2(CARD).clear()
DETECTOR = Detector(wanted(WORLD))
BASE: dict[str, Any] = {"terminal": "T1", "merchant": "M1", "stan": "000001"}
MONEY: dict[str, Any] = {"batch": "000001", "currency": "156"}
MASKED = MaskedCard(first6=PAN[:6], last4=PAN[-4:], length=16, digest="d" * 32)
CARD_DATA = CardData(pan=Pan(PAN), track2=world.track2(CARD), expiry="3512")
AUTH: dict[str, tuple[msgspec.Struct, type[Any]]] = {
    "authorize": (
        AuthorizeRequest(
            **BASE,
            **MONEY,
            kind=Kind.SALE,
            amount_minor=100,
            entry_mode="021",
            card=CARD_DATA,
            masked=MASKED,
            fingerprint="f" * 32,
        ),
        AuthorizeReply,
    ),
    "reverse": (ReverseRequest(**BASE, **MONEY, kind=Kind.SALE, amount_minor=100, reason="98"), ReverseReply),
    "sign-on": (SignOnRequest(**BASE, operator="001"), SignOnReply),
    "sign-off": (SignOffRequest(**BASE), SignOffReply),
    "settle": (SettleRequest(**BASE, **MONEY, operator="001", totals=Totals()), SettleReply),
}
BANK: dict[str, tuple[msgspec.Struct, type[Any]]] = {
    "authorize": (
        IssuerRequest(
            transaction="10000001:000001:000001",
            rrn="000000000001",
            kind=Kind.SALE,
            terminal="T1",
            merchant="M1",
            amount_minor=100,
            currency="156",
            entry_mode="021",
            card=CARD_DATA,
        ),
        IssuerReply,
    ),
    "reverse": (IssuerReverseRequest(transaction="10000001:000001:000001", reason="98"), IssuerReverseReply),
}
QUESTIONS: tuple[msgspec.Struct, ...] = (
    SlipQuestion(rrn="000000000001"),
    DaySummaryQuestion(merchant="482290058130001", day="2026-01-31"),
    BatchQuestion(terminal="10000001", batch="000001"),
)


def damages(message: msgspec.Struct) -> Iterator[Damage]:
    return damaged(json.loads(encode(message)), PAN, TRACK, CARD.pin)


def found(*data: bytes) -> list[str]:
    return [hit.kind for part in data for hit in DETECTOR.find(part)]


def request(body: bytes) -> Request:
    return Request("a.subject", body, None, 0)


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.BytesIO]:
    """What is logged, as services log it."""
    before, out = structlog.get_config(), io.BytesIO()
    logs.configure("test", "test-1", "debug")
    structlog.configure(logger_factory=structlog.BytesLoggerFactory(out), cache_logger_on_first_use=False)
    for module in ("auth.handlers", "auth.unreadable", "issuer_sim.handlers"):
        monkeypatch.setattr(f"{module}.log", logs.get(module))
    yield out
    structlog.configure(**before)


@pytest.mark.parametrize("operation", AUTH)
async def test_the_switch(operation: str, out: io.BytesIO) -> None:
    message, reply = AUTH[operation]
    store, desk = MemoryLog(), office(Banks())
    await desk.open(await take_office(store))
    served = unreadable.answering(operation, handler_of(desk, operation), lambda: 7)
    refused = 0
    for damage in damages(message):
        answer = await served(request(damage.body))
        decoded = decoder(reply).decode(answer)
        refused += getattr(decoded, "response_code", "") == "30" or getattr(decoded, "result", "") == "3"
        assert found(answer, *store.groups, out.getvalue()) == [], damage.what
    assert refused > 30
    await desk.close()


def handler_of(desk: ShardOffice, operation: str) -> unreadable.Handler:
    handler: unreadable.Handler = getattr(desk, f"on_{operation.replace('-', '_')}")
    return handler


@pytest.mark.parametrize("operation", BANK)
async def test_a_bank(operation: str, out: io.BytesIO) -> None:
    message, reply = BANK[operation]
    store, module, cards = MemoryLog(), SecurityModule(world.lmk("issuer")), WORLD.cards_of(CARD.issuer)
    machine = LedgerMachine(openings(cards))
    term = Term(machine, machine.new_state(), GroupLog(store, 1, Position(), now_ns=lambda: 0))
    bank = Bank(
        institution=CARD.issuer,
        cards=card_file(cards, world.pvv),
        checks=CardChecks(CARD.issuer, module, BankKeys(banks_rings(module, CARD.issuer))),
        scripted=False,
        line=Line(CARD.issuer),
    )
    handlers = BankHandlers(bank, term, Tracer("issuer-sim", "test"), lambda: 1_769_832_000_000)
    serve = handlers.authorize if operation == "authorize" else handlers.reverse
    for damage in damages(message):
        answer = await serve(request(damage.body))
        assert answer is not None, damage.what
        decoder(reply).decode(answer)
        assert found(answer, *store.groups, out.getvalue()) == [], damage.what


async def test_questions(tmp_path: Path, out: io.BytesIO) -> None:
    slips, books = f"sqlite:///{tmp_path / 'slips.db'}", f"sqlite:///{tmp_path / 'books.db'}"
    SlipStore(open_engine(slips, read_only=False))
    Ledger(open_engine(books, read_only=False))
    receipts = SlipHandlers(SlipReader(open_engine(slips, read_only=True)), lambda: "")
    settlement = LedgerHandlers(LedgerReader(open_engine(books, read_only=True)), WORLD, lambda: "")
    served = {SlipQuestion: receipts.slip, DaySummaryQuestion: settlement.day_summary, BatchQuestion: settlement.batch}
    for question in QUESTIONS:
        for damage in damages(question):
            answer = await served[type(question)](request(damage.body))
            if not damage.what.startswith("reprint"):
                assert b'"type":"refused"' in answer or b"summary" in answer, damage.what
            assert found(answer, out.getvalue()) == [], damage.what
    assert isinstance(decoder(Refused).decode(await receipts.slip(request(b"[]"))), Refused)


def test_the_control_is_found() -> None:
    """Nearly all of these bodies hold something that the search would find."""
    bodies = [damage for message, _ in (*AUTH.values(), *BANK.values()) for damage in damages(message)]
    assert sum(bool(found(damage.body)) for damage in bodies) > len(bodies) / 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"rrn":1}', "$.rrn: Expected `str`, got `int`"),
        (b"{}", "$: Object missing required field `rrn`"),
        (b"{", "$: Input data was truncated"),
        (b'{"rrn":}', "$: JSON is malformed: invalid character (byte 7)"),
        (b'{"rrn":"\xff"}', "is not UTF-8"),
    ],
)
def test_the_error_names_path_and_rule(body: bytes, says: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        reader(SlipQuestion)(body)
    assert str(caught.value) == says


@pytest.mark.parametrize("field", ["kind", "card"])
def test_a_value_is_not_in_the_error(field: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        reader(IssuerRequest)(msgspec.json.encode({field: PAN}))
    assert PAN not in str(caught.value)
    assert rule(msgspec.ValidationError(f"Object contains unknown field `{PAN}`")) == "$: holds what it cannot hold"
