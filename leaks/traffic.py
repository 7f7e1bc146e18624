"""Terminals over TCP and over the NATS ingress, selling in every way that a sale can end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import world
from contracts import subjects
from contracts.pan import Pan, Track2, luhn_check_digit
from leaks.ingress import IngressLink
from leaks.parts import Parts
from terminal_sim import Till, open_till
from world import Card

LINE_TIMEOUT_S = 40.0
"""Longer than the gateway waits for the switch: what is not answered by then is not answered."""
TERMINALS = (
    *(str(20_000_001 + number) for number in range(12)),
    *("10000005", "10000006", "10000009", "10000010", "10000011"),
    *("30000001", "30000002", "40000001", "40000002"),
)
"""Most of them with session keys; X9.9, X9.19 and CMAC, TDES and AES DUKPT, PIN formats 0, 3 and 4 among the others."""
BATCH = 60
"""Sales after which a terminal closes its batch."""
LIMIT_MINOR = 50_000_00
"""The merchants' limit: more is answered 61."""
PROGRESS = 500
PATIENCE_S, REST_S = 120.0, 0.5
_TROUBLE_S = 0.2


class OtherCardsTrack(Track2):
    """A track beside which the PIN block is made for another card: the gateway finds no PIN in it (99)."""

    __slots__ = ()

    @property
    def pan(self) -> Pan:
        return CARDS["debit-2"].pan


CARDS = {card.name: card for card in world.built_in().cards}
LOAD_CARDS = world.load_cards()


def _track(pan: str) -> Track2:
    return Track2(f"{pan}D35121011230000000000")


_UNKNOWN = "629101999999999"
_FOREIGN = "401234567890123"
STRANGE = (
    _track(_FOREIGN + luhn_check_digit(_FOREIGN)),  # 15, no such issuer
    _track("6291010000000013"),  # 14, the check digit
    _track(_UNKNOWN + luhn_check_digit(_UNKNOWN)),  # 14, no card of the bank's
    Track2(world.track2(CARDS["credit-1"]).clear()[:-6] + "999999"),  # 59, another CVV
    Track2(world.track2(CARDS["credit-1"]).clear().replace("D3512", "D3611")),  # 54, another expiry
)


@dataclass(slots=True)
class Tally:
    """What the terminals met."""

    transactions: int = 0
    """Sales that were sent."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Response codes, and how else a swipe ended."""
    done: Counter[str] = field(default_factory=Counter)
    """Operations beside sales."""


Sale = tuple[Card | Track2, int, str]
"""Card, amount (fen), PIN."""
Way = Callable[[random.Random, Card, int], Sale]
"""Chance, a card that may be used, an amount that may be used → a sale."""


class Mix:
    """The ways to sell, each as often as it should be: dealt like cards, shuffled by a seed, so that a run can be repeated."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._deck: list[Way] = []

    def draw(self) -> Sale:
        """The next sale."""
        if not self._deck:
            self._deck = [way for way, count in _WAYS.items() for _ in range(count)]
            self._random.shuffle(self._deck)
        return self._deck.pop()(self._random, self._random.choice(LOAD_CARDS), self._random.randrange(100, 20_000))

    def chance(self, share: float) -> bool:
        return self._random.random() < share


def _plain(_: random.Random, card: Card, amount: int) -> Sale:
    return card, amount, card.pin


def _scripted(chance: random.Random, card: Card, _: int) -> Sale:
    """Refused by the bank, with the amount's last two digits."""
    return card, 800_000 + chance.randrange(1, 100), card.pin


def _refused_card(chance: random.Random, _: Card, amount: int) -> Sale:
    card = CARDS[chance.choice(("debit-poor", "debit-lost", "debit-stopped", "credit-expired"))]
    return card, amount, card.pin


def _wrong_pin(_: random.Random, __: Card, amount: int) -> Sale:
    return CARDS["debit-1"], amount, "9999"


def _no_pin(_: random.Random, __: Card, amount: int) -> Sale:
    return CARDS["debit-2"], amount, ""


def _too_much(chance: random.Random, card: Card, _: int) -> Sale:
    return card, chance.choice((LIMIT_MINOR + 1, 999_999_999_999)), card.pin


def _wrong_pin_block(_: random.Random, card: Card, amount: int) -> Sale:
    return OtherCardsTrack(world.track2(card).clear()), amount, card.pin


def _strange_track(chance: random.Random, _: Card, amount: int) -> Sale:
    return chance.choice(STRANGE), amount, ""


_WAYS: dict[Way, int] = {
    _plain: 55,
    _scripted: 15,
    _refused_card: 10,
    _wrong_pin: 4,
    _no_pin: 3,
    _too_much: 3,
    _wrong_pin_block: 3,
    _strange_track: 7,
}
"""Ways to sell, and how many of a hundred sales go that way."""


class Traffic:
    """Tills at work until so many transactions have been sent in all, and then without haste until `enough` says so, within PATIENCE_S."""

    def __init__(self, mix: Mix, transactions: int, enough: Callable[[], bool]) -> None:
        self._mix = mix
        self._wanted = transactions
        self._enough = enough
        self._give_up_s = 0.0
        self.over = False
        self.tally = Tally()

    @staticmethod
    def sold(tills: Iterable[Till]) -> list[tuple[str, str]]:
        """RRN and terminal of what terminals saw approved."""
        records = (till.terminal.record for till in tills)
        return [(sale.rrn, record.tid) for record in records for sale in record.transactions.values() if sale.counts]

    async def run(self, tills: Sequence[Till], on_progress: Callable[[Tally], None]) -> None:
        """Sells with all tills side by side."""
        async with asyncio.TaskGroup() as group:
            for till in tills:
                group.create_task(self._work(till, on_progress))

    async def _pace(self) -> None:
        """After a sale: whether it is over, and a rest when only something rare is still waited for."""
        if self.tally.transactions < self._wanted:
            return
        now_s = asyncio.get_running_loop().time()
        self._give_up_s = self._give_up_s or now_s + PATIENCE_S
        self.over = self.over or now_s > self._give_up_s or self._enough()
        await asyncio.sleep(0 if self.over else REST_S)

    async def _work(self, till: Till, on_progress: Callable[[Tally], None]) -> None:
        since_close = 0
        while not self.over:
            if not await self._sale(till):
                await asyncio.sleep(_TROUBLE_S)  # the gateway is being started again
                continue
            self.tally.transactions += 1
            if self.tally.transactions % PROGRESS == 0:
                on_progress(self.tally)
            since_close += 1
            if since_close >= BATCH:
                since_close = 0
                closed = await till.close_batch()
                self.tally.done["batch closed" if closed.balanced else "batch not closed"] += 1
            await self._pace()

    async def _sale(self, till: Till) -> bool:
        """One sale and what may follow it; False when the terminal could not send it."""
        card, amount, pin = self._mix.draw()
        if self._mix.chance(0.03):
            till.link.drop_answers = 1
            self.tally.done["answer lost on purpose"] += 1
        result = await till.swipe(card, amount, pin)
        if result.reversal is not None and result.reversal.ended:
            self.tally.done["reversed"] += 1
        self.tally.outcomes[_ended(result.refused, result.pending, result.rc)] += 1
        if result.approved and self._mix.chance(0.05):
            await till.resend_last()
            self.tally.done["sent again"] += 1
        if self._mix.chance(0.01):
            await till.sign_on()
            self.tally.done["signed on again"] += 1
        return not result.refused


def _ended(refused: str, pending: bool, code: str) -> str:
    if refused:
        return "not sent"
    return "without an answer" if pending or not code else code


def open_tills(parts: Parts, host: str, port: int, data_dir: Path) -> list[Till]:
    """The run's terminals, of all key schemes, MAC algorithms and PIN formats: two in three dial in, the others publish."""
    facts = [world.built_in().terminal(number) for number in TERMINALS]
    tills = [open_till(t, host=host, port=port, data_dir=data_dir, timeout_s=LINE_TIMEOUT_S) for t in facts if t]
    for till in tills[::3]:
        subject = subjects.terminal_request(till.terminal.tid)
        till.link = IngressLink(parts.asking(subject), subject, LINE_TIMEOUT_S)
    return tills


async def settle_down(tills: Iterable[Till], patience_s: float) -> int:
    """Sends every reversal that is still pending; how many are left when the patience is used up."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patience_s
    left = [till for till in tills if till.pending]
    while left and loop.time() < give_up:
        await asyncio.gather(*(till.recover() for till in left))
        left = [till for till in left if till.pending]
        if left:
            await asyncio.sleep(_TROUBLE_S)
    return len(left)
