"""Notices (0220) of what has happened already: whatever keeps their bank from answering, they stand approved and the bank is told until it has them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from auth.asking import Asking
from auth.breaker import Breaker, Limits
from auth.domain.advices import Advices
from auth.domain.state import Shard
from auth.handlers import ShardOffice
from auth.machine import ShardMachine
from contracts import response_codes as rc
from contracts import subjects
from contracts.authorization import (
    AdviseRequest,
    AuthorizeReply,
    AuthorizeRequest,
    IssuerReply,
    Original,
    SettleReply,
    Totals,
)
from contracts.chip import ChipFacts
from contracts.codec import decoder, encode
from contracts.kinds import KINDS, Kind
from contracts.response_codes import ISSUER_TIMEOUT, ISSUER_UNAVAILABLE
from contracts.states import State
from runtime.bus import NoAnswer, NotDelivered
from runtime.memory_log import MemoryLog
from runtime.ownership import Term, replay
from runtime.snapshots import NoSnapshots
from tests.support_auth import Banks, TellableBank, approve, closing, office, request, sale, take_office, until

TC = ChipFacts(
    application="A000000333010101", cryptogram="0123456789ABCDEF", information="40", results="0" * 10, counter="00FF"
)
HELD, ID = "T1:000001:000001", "T1:000001:000002"
authorized, advice, settled = decoder(AuthorizeReply).decode, decoder(AdviseRequest).decode, decoder(SettleReply).decode


def notice(kind: Kind, stan: str = "000002", **more: Any) -> AuthorizeRequest:
    """Of 10.00. What is about an original is about `HELD`."""
    named = Original(batch="000001", stan="000001", date="0101") if kind is not Kind.OFFLINE_SALE else None
    chip = TC if kind is Kind.OFFLINE_SALE else None
    return replace(sale(stan), kind=kind, entry_mode="051", original=named, chip=chip, **more)


async def opened(bank: Banks, store: MemoryLog | None = None, **more: Any) -> tuple[ShardOffice, Term[Shard]]:
    desk, term = office(bank, issuer_s=0.02, **more), await take_office(store if store is not None else MemoryLog())
    await desk.open(term)
    return desk, term


NOTICES = [kind for kind, facts in KINDS.items() if facts.advice]
SILENCES = [NotDelivered("nobody is there"), NoAnswer("silent"), RuntimeError("a bug of ours")]


def test_they_are_those_whose_goods_are_gone() -> None:
    assert set(NOTICES) == {Kind.OFFLINE_SALE, Kind.COMPLETION_ADVICE}


@pytest.mark.parametrize("kind", NOTICES)
@pytest.mark.parametrize("silence", SILENCES, ids=lambda error: type(error).__name__)
async def test_a_notice_stands_whatever_its_bank_does_not_say(kind: Kind, silence: Exception) -> None:
    bank, store = TellableBank(), MemoryLog()
    desk, term = await opened(bank, store)
    held = replace(sale(), kind=Kind.PRE_AUTH)
    assert authorized(await desk.on_authorize(request(held))).response_code == rc.APPROVED
    bank.down = silence
    reply = authorized(await desk.on_authorize(request(notice(kind))))
    assert (reply.response_code, reply.authorization_code) == (rc.APPROVED, f"S{reply.rrn[-5:]}")
    again = authorized(await desk.on_authorize(request(notice(kind))))
    assert again == replace(reply, issuer_ms=0), "the same answer"
    transaction = term.state.transactions[ID]
    assert transaction.state is State.APPROVED
    assert list(term.state.advices.queues["bank"]) == [ID]
    assert not term.state.advices.exposures, "no limit of the switch's own is used up"
    assert transaction.more.notice is None
    assert not term.state.reversals
    bank.down = None
    await until(lambda: not term.state.advices.queues)
    (told,) = bank.told
    assert (told.transaction, told.kind, told.amount_minor, told.card) == (ID, kind, 10_00, sale().masked)
    assert (told.original, told.counter) == (("", 255) if kind is Kind.OFFLINE_SALE else (HELD, 0))
    assert told.authorization_code == reply.authorization_code
    assert term.state.advices == Advices()
    await term.flushed()
    replayed, *_ = await replay(store, ShardMachine(), NoSnapshots())
    assert replayed == term.state == ShardMachine().load(ShardMachine().dump(replayed))
    await desk.close()


async def test_a_bank_that_is_not_asked_any_more_is_told_too() -> None:
    bank, breaker = TellableBank(), Breaker("bank", Limits(1, 60, 60), lambda: 0.0)
    breaker.silent()
    desk, term = await opened(bank, breakers={"bank": breaker})
    reply = authorized(await desk.on_authorize(request(notice(Kind.OFFLINE_SALE))))
    assert (reply.response_code, breaker.refused) == (rc.APPROVED, 1)
    await until(lambda: not term.state.advices.queues)
    assert [told.transaction for told in bank.told] == [ID]
    await desk.close()


async def test_a_notice_that_a_former_owner_left_open_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the new owner has it from a snapshot: what the bank is to be told is in it."""
    asked = asyncio.Event()

    async def never(*_: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    bank, store = TellableBank(), MemoryLog()
    desk, term = await opened(bank, store)
    monkeypatch.setattr(Asking, "ask", never)
    killed = asyncio.create_task(desk.on_authorize(request(notice(Kind.OFFLINE_SALE))))
    await asked.wait()
    await term.flushed()
    dumped = ShardMachine().dump(term.state)
    killed.cancel()
    await asyncio.wait([killed])
    monkeypatch.undo()

    desk, term = office(bank, issuer_s=0.02), await take_office(store)
    assert ShardMachine().load(dumped).transactions[ID] == term.state.transactions[ID]
    await desk.open(term)
    reply = authorized(await desk.on_authorize(request(notice(Kind.OFFLINE_SALE))))
    assert (reply.response_code, reply.authorization_code) == (rc.APPROVED, f"S{reply.rrn[-5:]}")
    await until(lambda: not term.state.advices.queues)
    assert [(told.transaction, told.counter) for told in bank.told] == [(ID, 255)]
    await desk.close()


async def test_the_bank_s_own_word_counts_when_there_is_one() -> None:
    bank = TellableBank()
    desk, term = await opened(bank)
    bank.answer = lambda _: encode(IssuerReply(response_code="57"))
    assert authorized(await desk.on_authorize(request(notice(Kind.OFFLINE_SALE)))).response_code == "57"
    bank.answer = approve
    reply = authorized(await desk.on_authorize(request(notice(Kind.OFFLINE_SALE, "000003"))))
    assert (reply.response_code, reply.authorization_code) == (rc.APPROVED, "000001")
    assert term.state.advices == Advices()
    assert all(one.more.notice is None for one in term.state.transactions.values()), "memory keeps no card"
    await desk.close()


@pytest.mark.parametrize(
    ("silence", "code", "state"),
    [(NotDelivered("down"), ISSUER_UNAVAILABLE, State.DECLINED), (NoAnswer("silent"), ISSUER_TIMEOUT, State.REVERSING)],
)
async def test_a_refund_can_be_asked_for_again(silence: Exception, code: str, state: State) -> None:
    """Nobody has anything yet that he should not have: it is declined, and what the bank may have done is undone."""
    bank = TellableBank()
    desk, term = await opened(bank)
    await desk.on_authorize(request(sale()))
    bank.down = silence
    reply = authorized(await desk.on_authorize(request(notice(Kind.REFUND))))
    assert (reply.response_code, term.state.transactions[ID].state) == (code, state)
    await desk.close()


async def test_its_batch_is_closed_over_it() -> None:
    bank = TellableBank()
    desk, term = await opened(bank)
    bank.down = NoAnswer("silent")
    await desk.on_authorize(request(notice(Kind.OFFLINE_SALE)))
    close = closing(totals=Totals(debit_minor=10_00, debit_count=1))
    assert settled(await desk.on_settle(request(close))).result == "1"
    assert term.state.transactions[ID].state is State.SETTLED
    bank.down = None
    await until(lambda: not term.state.advices.queues)
    await desk.close()


@pytest.mark.parametrize("code", [rc.SYSTEM_MALFUNCTION, ISSUER_UNAVAILABLE, ISSUER_TIMEOUT, "10", "ZZ"])
async def test_what_is_neither_yes_nor_no_is_no_end_of_it(code: str) -> None:
    bank = TellableBank()
    desk, term = await opened(bank)
    said = encode(IssuerReply(response_code=code, part_minor=1 if code == "10" else 0))
    bank.answer = lambda subject: bank.say(subject) if subject == subjects.CARDS_ADVISE else said
    reply = authorized(await desk.on_authorize(request(notice(Kind.OFFLINE_SALE))))
    assert (reply.response_code, reply.authorization_code) == (rc.APPROVED, f"S{reply.rrn[-5:]}")
    await until(lambda: not term.state.advices.queues)
    await desk.close()


async def test_one_that_its_bank_puts_off_does_not_hold_up_the_others() -> None:
    bank = TellableBank()
    desk, term = await opened(bank)
    bank.down = NoAnswer("silent")
    for stan in ("000002", "000003", "000004"):
        assert authorized(await desk.on_authorize(request(notice(Kind.OFFLINE_SALE, stan)))).response_code == "00"
    bank.down = None
    taken = [rc.SYSTEM_MALFUNCTION, rc.APPROVED, rc.APPROVED, rc.SYSTEM_MALFUNCTION, rc.APPROVED]
    bank.answer = lambda subject: encode(IssuerReply(response_code=taken[len(bank.told)]))
    await until(lambda: not term.state.advices.queues)
    first, *others = [told.transaction for told in bank.told]
    assert first not in others[:2]
    assert others[2:] == [first, first]
    await desk.close()
