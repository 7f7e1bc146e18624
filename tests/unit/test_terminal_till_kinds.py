"""A till with every kind of transaction: a method each, what goes first goes first, and a close in balance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import world
from contracts.authorization import Original, Totals
from contracts.kinds import Kind
from contracts.terms import InstalmentPlan
from terminal_sim.cards import Keyed
from terminal_sim.memory import read_memory
from terminal_sim.outcomes import PlainOutcome, TransactionOutcome
from terminal_sim.practice import PracticeHost
from terminal_sim.results import SwipeResult
from terminal_sim.till import Till
from tests.support_terminal import till_at

CARD = world.built_in().cards[0]
TARGET = world.built_in().cards[1].pan


@pytest.fixture
def host() -> PracticeHost:
    return PracticeHost()


@pytest.fixture
def till(tmp_path: Path, host: PracticeHost) -> Iterator[Till]:
    with till_at(tmp_path, host) as one:
        yield one


def approved(result: SwipeResult, kind: Kind) -> SwipeResult:
    assert (result.kind, result.approved, result.refused) == (kind, True, ""), result
    return result


async def test_a_day_by_hand_closes_in_balance(till: Till, host: PracticeHost) -> None:
    pin = CARD.pin
    sale = approved(await till.swipe(CARD, 1000, pin), Kind.SALE)
    approved(await till.void(sale.stan, CARD), Kind.VOID)
    again = await till.void(sale.stan, CARD)
    assert again.refused == f"voucher: a void of 000001/{sale.stan} stands already"

    keyed = approved(await till.swipe(CARD, 2000, pin), Kind.SALE)
    approved(await till.refund(CARD, keyed.stan, 700), Kind.REFUND)
    too_much = await till.refund(CARD, keyed.stan, 1301)
    assert (too_much.rc, too_much.approved, too_much.stored) == ("13", False, False)

    held = approved(await till.pre_authorize(CARD, 5000, pin), Kind.PRE_AUTH)
    completed = approved(await till.complete(CARD, held.stan, 5500, pin), Kind.COMPLETION)
    approved(await till.void(completed.stan, CARD), Kind.COMPLETION_VOID)
    spent = await till.complete(CARD, held.stan, 4000)
    assert (spent.kind, spent.refused) == (
        Kind.COMPLETION,
        f"voucher: a completion of 000001/{held.stan} stands already",
    )
    held = approved(await till.pre_authorize(CARD, 5000, pin), Kind.PRE_AUTH)
    approved(await till.complete(CARD, f"000001/{held.stan}", 4000, advice=True), Kind.COMPLETION_ADVICE)
    other = approved(await till.pre_authorize(CARD, 100), Kind.PRE_AUTH)
    approved(await till.void(other.stan, CARD), Kind.PRE_AUTH_VOID)

    parts = approved(await till.instalment(CARD, 1203, InstalmentPlan(periods=12)), Kind.INSTALMENT)
    assert parts.terms is not None
    assert parts.terms.first_minor == 1203 // 12 + 1203 % 12
    approved(await till.void(parts.stan, CARD), Kind.INSTALMENT_VOID)

    balance = approved(await till.balance(CARD, pin), Kind.BALANCE).balance
    assert balance is not None
    assert balance.available_minor == 1_000_00
    approved(await till.check_card(Keyed(pan=CARD.pan, expiry=CARD.expiry)), Kind.CARD_CHECK)
    approved(await till.transfer(CARD, TARGET, 300, pin), Kind.TRANSFER)
    assert await till.report_status() == PlainOutcome(response_code="00")

    offline = await till.sell_offline(CARD, 60)
    assert (offline.kind, offline.stored, offline.approved) == (Kind.OFFLINE_SALE, True, False)
    closed = await till.close_batch()
    assert closed.balanced
    # 1000 + 2000 + 5500 + 4000 + 1203 + 60 taken, 1000 + 700 + 5500 + 1203 returned
    assert closed.totals == Totals(debit_minor=13763, debit_count=6, credit_minor=8403, credit_count=4)
    assert read_memory(till.memory.path).closed[0].totals == closed.totals


async def test_a_transfer_stops_at_a_card_check_that_fails(till: Till, host: PracticeHost) -> None:
    await till.sign_on()
    till.link.drop_answers = 1
    result = await till.transfer(CARD, TARGET, 300)
    assert (result.kind, result.rc, result.pending) == (Kind.CARD_CHECK, "", False)
    assert [held.kind for held in host.held.values()] == [Kind.CARD_CHECK]


async def test_a_refund_without_an_answer_is_sent_again_before_the_next_transaction(
    till: Till, host: PracticeHost
) -> None:
    sale = await till.swipe(CARD, 1000)
    till.link.drop_answers = 1
    lost = await till.refund(CARD, sale.stan, 400)
    assert (lost.stored, lost.pending, lost.rc, till.pending) == (True, False, "", True)
    following = await till.swipe(CARD, 50)
    assert following.approved
    (notice,) = following.notices
    assert (notice.kind, notice.stan, notice.approved) == (Kind.REFUND, lost.stan, True)
    assert sum(held.kind is Kind.REFUND for held in host.held.values()) == 1
    assert (await till.close_batch()).totals.credit_minor == 400


async def test_what_waits_blocks_a_close_until_it_is_recovered(till: Till) -> None:
    sale = await till.swipe(CARD, 1000)
    till.link.drop_answers = 4  # the refund and its three tries, and what the close would send
    await till.refund(CARD, sale.stan, 400)
    closed = await till.close_batch()
    assert not closed.balanced
    assert "has not been taken after 3 tries" in closed.refused
    assert till.stuck
    recovered = await till.recover()
    assert isinstance(recovered, TransactionOutcome)
    assert recovered.approved
    assert (await till.close_batch()).balanced


async def test_offline_sales_need_no_line(till: Till) -> None:
    await till.sign_on()
    till.link.dead = True  # type: ignore[attr-defined]
    for amount in (10, 20):
        assert (await till.sell_offline(CARD, amount)).stored
    assert (await till.swipe(CARD, 1)).refused
    till.link.dead = False  # type: ignore[attr-defined]
    sold = await till.swipe(CARD, 1)
    assert sold.approved
    assert [notice.amount_minor for notice in sold.notices] == [10, 20]


async def test_a_reversal_goes_before_the_notices(till: Till) -> None:
    await till.sign_on()
    till.link.drop_answers = 1
    lost = await till.swipe(CARD, 5)
    await till.sell_offline(CARD, 10)
    result = await till.swipe(CARD, 1)
    assert result.reversal is not None
    assert (result.reversal.stan, len(result.notices)) == (lost.stan, 1)


async def test_a_refund_of_another_terminal_s_sale(till: Till) -> None:
    original = Original(batch="000009", stan="000123", date="0131", rrn="000000000077")
    result = await till.refund(CARD, original, 5)
    assert (result.rc, result.refused) == ("25", "")


async def test_an_order_that_cannot_be_is_refused_by_name(till: Till) -> None:
    for result, field in (
        (await till.void("000099", CARD), "voucher"),
        (await till.pre_authorize(CARD, 0), "amount"),
        (await till.refund(CARD, Original(batch="000009", stan="000123", date="0131"), 5), "rrn"),
    ):
        assert result.refused.startswith(f"{field}: ")
        assert not till.pending
