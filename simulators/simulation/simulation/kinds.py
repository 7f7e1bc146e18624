"""What operators do with the kinds beside the sale, and what they may not do.

A claim that is allowed, by all that the merchant's terminals remember, must not be answered as if it were not: Wronged. What is not allowed is
sent past the terminal's own guard, and the books say whether it was let through.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

import world
from contracts import response_codes as rc
from contracts.kinds import CLAIMS, KINDS, Effect, Kind
from contracts.terms import InstalmentPlan
from simulation import cast
from simulation.step import ANYWHERE, TRANSFERS, Arguments, Step, Wronged, card_of, told
from terminal_sim import orders
from terminal_sim.memory import read_memory
from terminal_sim.orders import Order
from terminal_sim.record import TerminalRecord, Transaction
from terminal_sim.till import Till

POOR = ("debit-poor", "credit-poor")
"""Cards whose accounts have less than is asked for."""
CREDIT = ("credit-1", "credit-2", "load-credit-001")
TARGETS = (*cast.CARDS, "debit-refer")
"""Cards that transfers go to; the last one's bank refuses."""
PERIODS = (3, 6, 12, 24)
LOST_SHARE = 0.25
"""Of answers that are thrown away at the terminal."""
SCRIPTED = 8_000_00
"""From this amount on a bank may answer what it likes (docs/issuer-simulator.md)."""
DENIED = frozenset(
    {rc.INVALID_RELATED_TRANSACTION, rc.ORIGINAL_NOT_FOUND, rc.INVALID_AMOUNT, rc.ORIGINAL_AMOUNT_MISMATCH}
)
"""What is answered to a claim that may not be made."""

_CARDS = (*cast.CARDS, *POOR)

Pick = Callable[[Till, Kind], Transaction | None]
"""The transaction that a claim is about; None when there is none to be had."""
Prepare = Callable[[Till, Kind, Arguments], Awaitable[None]]
"""Sees to it that there is one, as far as the stack lets it."""
Amount = Callable[[Transaction, int], int]
"""How much of it, by the percent that was drawn."""


# ---------------------------------------------------------------------- what is drawn


def lost(chance: random.Random) -> int:
    return int(chance.random() < LOST_SHARE)


def _an_amount(low: int, high: int, cards: tuple[str, ...] = cast.CARDS) -> Callable[[random.Random], Arguments]:
    def draw(chance: random.Random) -> Arguments:
        return {"card": chance.choice(cards), "amount": chance.randint(low, high), "lost": lost(chance)}

    return draw


def _a_percent(low: int, high: int) -> Callable[[random.Random], Arguments]:
    """Of the original, which is made if there is none."""

    def draw(chance: random.Random) -> Arguments:
        original: Arguments = {"card": chance.choice(cast.CARDS), "amount": chance.randint(1, 500_00)}
        return {**original, "percent": chance.randint(low, high), "lost": lost(chance)}

    return draw


def _a_transfer(*amounts: int) -> Callable[[random.Random], Arguments]:
    def draw(chance: random.Random) -> Arguments:
        amount = chance.choice(amounts) if amounts else chance.randint(1, 500_00)
        card, target = chance.choice(cast.CARDS), chance.choice(TARGETS)
        return {"card": card, "target": target, "amount": amount, "lost": lost(chance)}

    return draw


# ---------------------------------------------------------------------- what is done


async def send(till: Till, make: Callable[[], Order | str], lost: object) -> tuple[str, str]:
    """An order that is made when everything that goes first is done; or why there is none. The response code, and what came of it."""
    hindrance = await till.make_ready([])
    if hindrance is not None:
        return "", f"not sent: {hindrance.reason}"
    order = make()
    if isinstance(order, str):
        return "", order
    till.link.drop_answers = int(bool(lost))
    try:
        result = await till.do(order)
    finally:
        till.link.drop_answers = 0
    return result.rc, told(result)


def _order(kind: Kind, arguments: Arguments) -> Order:
    """One that is about no other."""
    card, amount = card_of(arguments), int(arguments["amount"])
    target = world.built_in().card(str(arguments.get("target", "")))
    spread = kind is Kind.INSTALMENT
    return Order(
        kind=kind,
        card=world.track2(card),
        amount_minor=0 if KINDS[kind].effect is Effect.LOOKS else amount,
        pin=card.pin,
        target=target.pan if target is not None else None,
        plan=InstalmentPlan(periods=PERIODS[amount % len(PERIODS)]) if spread else None,
        takes_part=kind is Kind.SALE,
    )


def _plain(kind: Kind) -> Callable[[Till, Arguments], Awaitable[str]]:
    async def do(till: Till, arguments: Arguments) -> str:
        return (await send(till, lambda: _order(kind, arguments), arguments["lost"]))[1]

    return do


async def _sell_offline(till: Till, arguments: Arguments) -> str:
    return told(await till.sell_offline(card_of(arguments), int(arguments["amount"])))


class About(NamedTuple):
    """Which transaction a claim is about."""

    pick: Pick
    prepare: Prepare | None = None


def _claim(
    kind: Kind, about: About, amount: Amount, *, allowed: bool = False
) -> Callable[[Till, Arguments], Awaitable[str]]:
    """`allowed`: the merchant's terminals know nothing that is in its way."""

    async def do(till: Till, arguments: Arguments) -> str:
        if about.pick(till, kind) is None and about.prepare is not None:
            await about.prepare(till, kind, arguments)
        code, said = await send(
            till, lambda: _order_about(till, kind, about.pick, amount, arguments), arguments["lost"]
        )
        if allowed and code in DENIED:
            raise Wronged(f"a {kind} that nothing is in the way of: {said}")
        return said

    return do


def _order_about(till: Till, kind: Kind, pick: Pick, amount: Amount, arguments: Arguments) -> Order | str:
    original = pick(till, kind)
    card = _card_of(original)
    if original is None or card is None:
        return "nothing that this could be about"
    minor = amount(original, int(arguments.get("percent", 100)))
    if minor <= 0:
        return "nothing is left"
    return Order(kind=kind, card=world.track2(card), amount_minor=minor, original=orders.reference(original))


async def _make_original(till: Till, kind: Kind, arguments: Arguments) -> None:
    """What `kind` can be about, and before it what that is about."""
    original = _ORIGINALS[kind]
    if original in CLAIMS:
        if _free(till, original) is None:
            await _make_original(till, original, arguments)
        await send(till, lambda: _order_about(till, original, _free, _whole, arguments), 0)
        return
    if original is Kind.INSTALMENT:
        arguments = {**arguments, "card": CREDIT[int(arguments["amount"]) % len(CREDIT)]}
    await send(till, lambda: _order(original, arguments), 0)


async def _make_taken(till: Till, kind: Kind, arguments: Arguments) -> None:
    taker = Kind.VOID if _ORIGINALS[kind] is Kind.SALE else Kind.COMPLETION
    if _free(till, taker) is None:
        await _make_original(till, taker, arguments)
    await send(till, lambda: _order_about(till, taker, _free, _whole, arguments), 0)


async def _make_old(till: Till, kind: Kind, arguments: Arguments) -> None:
    """The switch keeps two batches of a terminal: of the third one it has to ask."""
    await _make_original(till, kind, arguments)
    for _ in range(2):
        await till.close_batch()
        await send(till, lambda: _order(Kind.SALE, arguments), 0)
    await till.close_batch()


_ORIGINALS = {
    Kind.VOID: Kind.SALE,
    Kind.REFUND: Kind.SALE,
    Kind.PRE_AUTH_VOID: Kind.PRE_AUTH,
    Kind.COMPLETION: Kind.PRE_AUTH,
    Kind.COMPLETION_ADVICE: Kind.PRE_AUTH,
    Kind.COMPLETION_VOID: Kind.COMPLETION,
    Kind.INSTALMENT_VOID: Kind.INSTALMENT,
}
"""What is made for a claim to be about."""


def _card_of(transaction: Transaction | None) -> world.Card | None:
    """Of a transaction that a terminal remembers; of cards that look alike, the first. None of a chip: who comes back swipes (chips.py)."""
    if transaction is None:
        return None
    cards = (world.built_in().card(name) for name in _CARDS)
    return next((card for card in cards if card is not None and str(card.pan) == transaction.card), None)


# ---------------------------------------------------------------------- what it is about


def _standing(record: TerminalRecord, kind: Kind) -> Iterator[Transaction]:
    """A terminal's own that this kind may be about, newest first, whatever has been done to them."""
    for one in reversed(record.transactions.values()):
        if one.counts and one.kind in CLAIMS[kind].originals and one.amount_minor < SCRIPTED and _card_of(one):
            yield one


def _free(till: Till, kind: Kind) -> Transaction | None:
    """The newest that may be claimed."""
    return next(_all_free(till, kind), None)


def _oldest_free(till: Till, kind: Kind) -> Transaction | None:
    """The oldest of a closed batch, which the switch may have forgotten by now."""
    record = till.terminal.record
    found = [one for one in _all_free(till, kind) if one.batch != record.batch]
    return found[-1] if found else None


def _all_free(till: Till, kind: Kind) -> Iterator[Transaction]:
    claim, record = CLAIMS[kind], till.terminal.record
    elsewhere = claimed_elsewhere(till)
    for one in _standing(record, kind):
        if claim.same_batch and one.batch != record.batch:
            continue
        if one.claimed_by is None and not (claim.exclusive and one.refunded_minor) and one.rrn not in elsewhere:
            yield one


def _taken(till: Till, kind: Kind) -> Transaction | None:
    """One that has been claimed."""
    return next((one for one in _standing(till.terminal.record, kind) if one.claimed_by or one.refunded_minor), None)


def _of_another(till: Till, kind: Kind) -> Transaction | None:
    """One of another terminal of the merchant. Only every second one: what is reversed after its close is of the others (`reversible_late`)."""
    for record in others(till):
        for one in _standing(record, kind):
            if not int(one.stan) % 2:
                return one
    return None


def _wrong_kind(till: Till, kind: Kind) -> Transaction | None:
    """One that this kind is never about."""
    transactions = reversed(till.terminal.record.transactions.values())
    return next(
        (one for one in transactions if one.counts and one.kind not in CLAIMS[kind].originals and _card_of(one)), None
    )


def others(till: Till) -> Iterator[TerminalRecord]:
    """What the merchant's other terminals remember."""
    mine = world.built_in().terminal(till.terminal.tid)
    for tid in cast.TERMINALS:
        facts, path = world.built_in().terminal(tid), till.memory.path.with_name(f"{tid}.jsonl")
        if facts is None or mine is None or tid == mine.tid or facts.merchant != mine.merchant or not path.exists():
            continue
        yield read_memory(path)


def claimed_elsewhere(till: Till) -> set[str]:
    """Reference numbers of what other terminals have meant, whatever has come of it."""
    return {
        one.original.rrn for record in others(till) for one in record.transactions.values() if one.original is not None
    }


def reversible_late(record: TerminalRecord, taken: set[str]) -> Transaction | None:
    """One of a closed batch whose reversal may still come: nothing has been done to it, and nobody else may (`_of_another`)."""
    closed = {batch.batch for batch in record.closed}
    for one in reversed(record.transactions.values()):
        ends_hold = (
            one.kind in CLAIMS and Kind.PRE_AUTH in CLAIMS[one.kind].originals
        )  # a bank that calls it final keeps no hold of it
        untouched = one.claimed_by is None and not one.refunded_minor and one.rrn not in taken and int(one.stan) % 2
        if one.batch in closed and one.counts and KINDS[one.kind].reversible and untouched and not ends_hold:
            return one
    return None


# ---------------------------------------------------------------------- how much of it


def _whole(original: Transaction, _: int) -> int:
    return original.worth_minor


def _a_fen_less(original: Transaction, _: int) -> int:
    return original.worth_minor - 1


def _part(original: Transaction, percent: int) -> int:
    """Of what has not been refunded."""
    return (original.worth_minor - original.refunded_minor) * percent // 100


def _share(original: Transaction, percent: int) -> int:
    return original.worth_minor * percent // 100


def _a_fen_more(original: Transaction, _: int) -> int:
    return original.worth_minor - original.refunded_minor + 1


_ALL, _SOME, _OVER = _a_percent(100, 100), _a_percent(1, 100), _a_percent(116, 300)


_FREE, _OLD = About(_free, _make_original), About(_oldest_free, _make_old)
_TAKEN, _ANOTHERS, _OTHER_KIND = About(_taken, _make_taken), About(_of_another), About(_wrong_kind)


def _may(kind: Kind, amount: Amount = _whole, about: About = _FREE) -> Callable[[Till, Arguments], Awaitable[str]]:
    return _claim(kind, about, amount, allowed=True)


_VOID, _REFUND, _COMPLETION, _PRE_AUTH_VOID = Kind.VOID, Kind.REFUND, Kind.COMPLETION, Kind.PRE_AUTH_VOID
_STAY = _a_percent(1, 115)

STEPS: dict[str, Step] = {
    "part": Step("a sale of more than there is", 2, _an_amount(20_00, 60_00, POOR), _plain(Kind.SALE)),
    "void": Step("a sale of the open batch is voided", 8, _ALL, _may(_VOID)),
    "refund": Step("some or all of what is left of a sale is refunded", 5, _SOME, _may(_REFUND, _part)),
    "refund-late": Step("the same, of a batch long closed", 4, _SOME, _may(_REFUND, _part, _OLD)),
    "refund-elsewhere": Step("another terminal refunds", 3, _SOME, _claim(_REFUND, _ANOTHERS, _part)),
    "pre-auth": Step("money is held", 10, _an_amount(1, 500_00), _plain(Kind.PRE_AUTH)),
    "pre-auth-void": Step("a hold is ended", 3, _ALL, _may(_PRE_AUTH_VOID)),
    "complete": Step("a pre-authorization is completed", 5, _STAY, _may(_COMPLETION, _share)),
    "complete-notice": Step("the same, as a notice", 3, _STAY, _may(Kind.COMPLETION_ADVICE, _share)),
    "complete-late": Step("one of a batch long closed is completed", 3, _STAY, _may(_COMPLETION, _share, _OLD)),
    "completion-void": Step("a completion is voided", 3, _ALL, _may(Kind.COMPLETION_VOID)),
    "instalment": Step("a sale in instalments", 3, _an_amount(1, 500_00, CREDIT), _plain(Kind.INSTALMENT)),
    "instalment-void": Step("it is voided", 2, _ALL, _may(Kind.INSTALMENT_VOID)),
    "balance": Step("what may be spent", 2, _an_amount(0, 0), _plain(Kind.BALANCE), ANYWHERE),
    "card-check": Step("whether the card is its holder's", 1, _an_amount(0, 0), _plain(Kind.CARD_CHECK), ANYWHERE),
    "transfer": Step("card to card, of two banks or of one", 8, _a_transfer(), _plain(Kind.TRANSFER), TRANSFERS),
    "transfer-bad": Step(
        "a transfer of which a bank says no, or nothing, or too late",
        4,
        _a_transfer(8_000_05, 8_001_00, 8_002_00, 8_004_00),
        _plain(Kind.TRANSFER),
        TRANSFERS,
    ),
    "offline-sale": Step("the terminal approves alone", 4, _an_amount(1, 500_00), _sell_offline),
    "void-again": Step("what is voided or refunded is voided", 3, _ALL, _claim(_VOID, _TAKEN, _whole)),
    "refund-again": Step("what is voided or refunded is refunded whole", 2, _ALL, _claim(_REFUND, _TAKEN, _whole)),
    "refund-too-much": Step("a fen more than is left is refunded", 3, _ALL, _claim(_REFUND, _FREE, _a_fen_more)),
    "complete-again": Step("what is completed or ended is completed", 3, _ALL, _claim(_COMPLETION, _TAKEN, _whole)),
    "complete-too-much": Step("more than may be is completed", 2, _OVER, _claim(_COMPLETION, _FREE, _share)),
    "end-completed": Step("a hold that is completed is ended", 2, _ALL, _claim(_PRE_AUTH_VOID, _TAKEN, _whole)),
    "void-elsewhere": Step("another terminal's sale is voided", 2, _ALL, _claim(_VOID, _ANOTHERS, _whole)),
    "void-part": Step("a fen less than all is voided", 2, _ALL, _claim(_VOID, _FREE, _a_fen_less)),
    "void-wrong-kind": Step("what is no sale is voided as one", 2, _ALL, _claim(_VOID, _OTHER_KIND, _whole)),
}
