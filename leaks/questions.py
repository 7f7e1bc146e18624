"""Damaged questions straight to each service's subjects, past whoever would have checked them."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from typing import Any

import msgspec

import iso8583
import world
from contracts import subjects
from contracts.authorization import (
    AuthorizeRequest,
    CardData,
    IssuerRequest,
    IssuerReverseRequest,
    ReverseRequest,
    SettleRequest,
    SignOffRequest,
    SignOnRequest,
    Totals,
)
from contracts.codec import encode
from contracts.identity import shard_of
from contracts.kinds import Kind
from contracts.pan import MaskedCard
from contracts.questions import BatchQuestion, DaySummaryQuestion, SlipQuestion
from leaks.damage import damaged
from leaks.frames import TERMINAL
from leaks.parts import Parts
from runtime.bus import BusError

AT_ONCE, PAUSE_S = 8, 0.2
_CARD = next(card for card in world.built_in().cards if card.name == "debit-lost")
"""Whose card is refused whatever else is right: nothing may come of a question to a bank that no switch has asked."""


def valid_questions() -> dict[str, msgspec.Struct]:
    """Subject → a question that could be asked there."""
    facts = world.built_in().terminal(TERMINAL)
    assert facts is not None  # noqa: S101 - of the built-in world
    shard = shard_of(facts.merchant, world.built_in().shards)
    base: dict[str, Any] = {"terminal": TERMINAL, "merchant": facts.merchant}
    place: dict[str, Any] = {**base, "batch": "000001", "stan": "000001", "currency": "156"}
    data = CardData(pan=_CARD.pan, expiry=_CARD.expiry, track2=world.track2(_CARD))
    masked = MaskedCard(first6=_CARD.pan.first6, last4=_CARD.pan.last4, length=16, digest="d" * 32)
    sale: dict[str, Any] = {"kind": Kind.SALE, "amount_minor": 100}
    transaction = f"{TERMINAL}:000001:000001"
    return {
        subjects.auth(shard, "authorize"): AuthorizeRequest(
            **place, **sale, entry_mode="021", card=data, masked=masked, fingerprint="f" * 32
        ),
        subjects.auth(shard, "reverse"): ReverseRequest(**place, **sale, reason="98"),
        subjects.auth(shard, "sign-on"): SignOnRequest(**base, stan="000001", operator="001"),
        subjects.auth(shard, "sign-off"): SignOffRequest(**base, stan="000001"),
        subjects.auth(shard, "settle"): SettleRequest(**place, operator="001", totals=Totals()),
        subjects.issuer(_CARD.issuer, "authorize"): IssuerRequest(
            **base,
            **sale,
            transaction=transaction,
            rrn="000000000001",
            currency="156",
            entry_mode="021",
            card=data,
        ),
        subjects.issuer(_CARD.issuer, "reverse"): IssuerReverseRequest(transaction=transaction, reason="98"),
        subjects.RECEIPTS_SLIP: SlipQuestion(rrn="000000000001"),
        subjects.SETTLEMENT_DAY_SUMMARY: DaySummaryQuestion(merchant=facts.merchant, day="2026-01-31"),
        subjects.SETTLEMENT_BATCH: BatchQuestion(terminal=TERMINAL, batch="000001"),
    }


def _swipe() -> dict[str, Any]:
    """A swipe in its JSON form, without a MAC that anybody could have made."""
    facts = world.built_in().terminal(TERMINAL)
    assert facts is not None  # noqa: S101 - of the built-in world
    fields = {3: "000000", 4: "000000000100", 11: "000001", 22: "022", 25: "00", 35: world.track2(_CARD).clear()}
    fields |= {41: TERMINAL, 42: facts.merchant, 49: "156", 60: "22000001"}
    form: dict[str, Any] = json.loads(iso8583.to_json(iso8583.Message("0200", {**fields, 64: bytes(8)})))
    return form


def every_damage(seed: int, share: float) -> list[tuple[str, bytes]]:
    """Subject and body of all damaged questions and swipes, or a share of them, in the seed's order."""
    number, track = _CARD.pan.clear(), world.track2(_CARD).clear()
    asked = [(subject, json.loads(encode(question))) for subject, question in valid_questions().items()]
    asked.append((subjects.terminal_request(TERMINAL), _swipe()))
    every = [(subject, one.body) for subject, valid in asked for one in damaged(valid, number, track, _CARD.pin)]
    chance = random.Random(seed)
    chance.shuffle(every)
    return every[: max(1, round(len(every) * share))]


async def ask_all(parts: Parts, seed: int, share: float, asked: Counter[str], answers: Counter[str]) -> None:
    """Asks, a few at a time; counts by subject what was asked, and how it was answered."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(subject: str, body: bytes) -> None:
        async with gate:
            try:
                await parts.asking(subject).request(subject, body, timeout_s=15)
                answers["answered"] += 1
            except BusError as error:
                answers[type(error).__name__] += 1
                await asyncio.sleep(PAUSE_S)  # it is being started again, or has failed on purpose
        asked[".".join(subject.split(".")[:2] + subject.split(".")[-1:])] += 1

    await asyncio.gather(*(ask(subject, body) for subject, body in every_damage(seed, share)))
