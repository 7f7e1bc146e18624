"""A shop's day: terminals that do of everything, by the shares of a mix."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple, TypeVar

import world
from contracts.kinds import CLAIMS, KINDS, Effect, Kind
from contracts.pan import Pan
from contracts.terms import InstalmentPlan
from terminal_sim import cards, orders
from terminal_sim.cards import Keyed
from terminal_sim.messages import CONTACTLESS_READER
from terminal_sim.mix import Mix, Shop
from terminal_sim.orders import Order
from terminal_sim.record import Transaction
from terminal_sim.results import SwipeResult
from terminal_sim.till import Till
from terminal_sim.wallet import Wallet
from world import Card

T = TypeVar("T")

PERIODS = (3, 6, 12, 24)
SCRIPTED = range(8_000_00, 8_005_00)
"""Amounts whose answers the simulated banks script (docs/issuer-simulator.md): no customer's doing."""
REMEMBERED = 64
"""Transactions of a terminal that a customer may still come back about."""
ENTRIES = {cards.SWIPED: "swiped", cards.KEYED: "keyed", cards.INSERTED: "chip", cards.CONTACTLESS: "contactless"}
"""Field 22, the first two digits, in words."""
_DRAWS = 100
"""Until another card than the payer's comes up: of two it does but for once in 2 ** 100."""
STORED = "stored"
"""In place of a response code: the terminal has approved it alone."""
NO_ANSWER, NOT_SENT = "no answer", "not sent"


class _Past(NamedTuple):
    """A transaction that was approved, and whose it was."""

    batch: str
    stan: str
    card: Card


class Day:
    """Draws what each terminal does next, and counts what came of it by kind and response code."""

    def __init__(self, mix: Mix, tills: Sequence[Till], cards: Sequence[Card], wallet: Wallet | None = None) -> None:
        """`cards` are swiped or keyed, those of the `wallet` have chips; without one no chip is read."""
        self._mix = mix
        self._wallet = wallet
        self._chance = random.Random(mix.seed)  # noqa: S311 - to be repeated, not to be secret
        by_kind = {world.DEBIT: mix.cards.debit, world.CREDIT: mix.cards.credit}
        self._cards = _by_kind(cards)
        self._chips = _by_kind(wallet.cards if wallet is not None else ())
        self._card_shares = {kind: share for kind, share in by_kind.items() if self._cards[kind]}
        self._shops = {
            till.terminal.tid: shop
            for transfers in (False, True)
            for till, shop in self._assigned([t for t in tills if _is_for_transfers(t) is transfers], transfers)
        }
        self._past: dict[str, deque[_Past]] = {till.terminal.tid: deque(maxlen=REMEMBERED) for till in tills}
        self._counts: Counter[tuple[Kind, str]] = Counter()
        self._entries: Counter[str] = Counter()

    @property
    def kinds(self) -> dict[str, dict[str, int]]:
        """How often each kind came to which response code, or to STORED, NO_ANSWER or NOT_SENT."""
        found: dict[str, dict[str, int]] = {}
        for (kind, code), count in sorted(self._counts.items()):
            found.setdefault(kind.value, {})[code] = count
        return found

    @property
    def entries(self) -> dict[str, int]:
        """How often cards came in which way (ENTRIES)."""
        return {name: self._entries[digits] for digits, name in ENTRIES.items()}

    async def next(self, till: Till) -> SwipeResult:
        """One transaction at this terminal."""
        tid = till.terminal.tid
        with ExitStack() as reader:
            card, order = self._draw(till, self._shops[tid], reader)
            self._entries[cards.entry_of(order.card)] += 1
            offline = order.kind is Kind.OFFLINE_SALE
            result = await (till.sell_offline(order.card, order.amount_minor) if offline else till.do(order))
        self._count(result, order.kind)
        if result.approved and KINDS[result.kind].slip:
            self._past[tid].append(_Past(result.batch, result.stan, card))
        return result

    def _count(self, result: SwipeResult, kind: Kind) -> None:
        for notice in result.notices:
            self._counts[notice.kind, notice.response_code or NO_ANSWER] += 1
        if result.refused:
            code = NOT_SENT
        elif result.stored and not result.reason:
            code = STORED
        else:
            code = result.rc or NO_ANSWER
        self._counts[kind, code] += 1

    def _draw(self, till: Till, shop: Shop, reader: ExitStack) -> tuple[Card, Order]:
        kind = self._weighted(shop.kinds)
        if kind in CLAIMS:
            if (claim := self._claim(till, kind)) is not None:
                return claim
            kind = Kind.SALE
        amount_minor = 0 if KINDS[kind].effect is Effect.LOOKS else self._amount(shop)
        if kind is Kind.OFFLINE_SALE and amount_minor > till.terminal.record.parameters.offline_limit_minor:
            kind = Kind.SALE  # too much for the terminal alone
        card, read = self._read(till, kind, reader)
        order = Order(
            kind=kind,
            card=read,
            amount_minor=amount_minor,
            pin="" if KINDS[kind].notice or _small(till, read, amount_minor) else self._pin(card),
            plan=InstalmentPlan(periods=self._chance.choice(PERIODS)) if kind is Kind.INSTALMENT else None,
            target=self._payee(card) if kind is Kind.TRANSFER else None,
        )
        return card, order

    def _claim(self, till: Till, kind: Kind) -> tuple[Card, Order] | None:
        """A customer who comes back; None when this terminal has nobody who could."""
        record, claim = till.terminal.record, CLAIMS[kind]
        for past in self._past[till.terminal.tid]:
            found = record.transaction(past.batch, past.stan)
            if found is None or found.kind not in claim.originals or not found.counts or found.claimed_by is not None:
                continue
            if claim.same_batch and found.batch != record.batch:
                continue
            left = found.worth_minor - found.refunded_minor
            if left <= 0 or (claim.exclusive and found.refunded_minor):
                continue
            order = Order(
                kind=kind,
                # A swipe around a chip is refused; a number says as well which card it is.
                card=_keyed(past.card) if past.card.chip else world.track2(past.card),
                amount_minor=self._part(kind, found, left),
                original=orders.reference(found),
            )
            return past.card, order
        return None

    def _part(self, kind: Kind, original: Transaction, left: int) -> int:
        """How much of it: a void all, a refund a part or the rest, a completion what the stay has come to."""
        if CLAIMS[kind].whole:
            return original.worth_minor
        if kind is Kind.REFUND:
            return left if self._chance.random() < 0.5 else self._chance.randint(1, left)
        return max(1, original.worth_minor * self._chance.randint(50, 110) // 100)

    def _card(self, kind: str | None) -> Card:
        return self._chance.choice(self._cards[kind or self._weighted(self._card_shares)])

    def _payee(self, payer: Card) -> Pan:
        """Another card than the one that pays, for that is refused (14); the same where there is no other."""
        for _ in range(_DRAWS):
            if (payee := self._card(None).pan) != payer.pan:
                return payee
        return payer.pan

    def _read(self, till: Till, kind: Kind, reader: ExitStack) -> tuple[Card, cards.Card]:
        """A card, and how it comes to the terminal. A chip stays in its `reader` until that is closed; where it is in another one, the
        customer pays with a card that has none."""
        wanted = world.CREDIT if kind is Kind.INSTALMENT and self._cards[world.CREDIT] else None
        card = self._card(wanted)
        way, shares = self._chance.random() - self._mix.cards.keyed, self._mix.cards
        if way < 0:
            return card, _keyed(card)
        chips = self._chips[wanted or card.kind]
        if self._wallet is not None and chips and way < shares.chips and _reads_chips(till):
            other = self._chance.choice(chips)
            contactless = way >= shares.chip and kind is Kind.SALE
            read = reader.enter_context(self._wallet.taken(other, contactless=contactless))
            if read is not None:
                return other, read
        return card, world.track2(card)

    def _pin(self, card: Card) -> str:
        return "000000" if self._chance.random() < self._mix.cards.wrong_pin else card.pin

    def _amount(self, shop: Shop) -> int:
        band = self._chance.choices(shop.amounts, [one.share for one in shop.amounts])[0]
        amount = self._chance.randint(band.from_minor, band.to_minor)
        return amount - len(SCRIPTED) if amount in SCRIPTED else amount

    def _weighted(self, shares: Mapping[T, float]) -> T:
        return self._chance.choices(list(shares), list(shares.values()))[0]

    def _assigned(self, tills: Sequence[Till], transfers: bool) -> Iterator[tuple[Till, Shop]]:
        """A shop for each terminal: every share gets its part of them, as evenly among the others as can be."""
        shops = [shop for shop in self._mix.shops if shop.transfers is transfers and shop.terminals] or self._mix.shops
        total = sum(shop.terminals for shop in shops)
        given = [0] * len(shops)
        for place, till in enumerate(tills, 1):
            due = [shop.terminals * place / total - had for shop, had in zip(shops, given, strict=True)]
            index = due.index(max(due))
            given[index] += 1
            yield till, shops[index]


def _by_kind(cards: Sequence[Card]) -> dict[str, list[Card]]:
    return {kind: [card for card in cards if card.kind == kind] for kind in (world.DEBIT, world.CREDIT)}


def _keyed(card: Card) -> Keyed:
    return Keyed(pan=card.pan, expiry=card.expiry)


def _reads_chips(till: Till) -> bool:
    """Contactless ones, too."""
    return till.terminal.reader == CONTACTLESS_READER


def _small(till: Till, read: cards.Card, amount_minor: int) -> bool:
    """Whether it goes without a PIN."""
    if not isinstance(read, cards.Inserted) or not read.contactless:
        return False
    return amount_minor <= till.terminal.record.parameters.contactless_limit_minor


def _is_for_transfers(till: Till) -> bool:
    facts = world.built_in().terminal(till.terminal.tid)
    return facts is not None and facts.role == world.TRANSFER
