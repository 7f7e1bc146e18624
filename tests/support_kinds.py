"""A request of every kind as a terminal makes it, and what the switch says to it; under session keys that never change."""

from __future__ import annotations

from typing import Any

import msgspec

import iso8583
from contracts import codec, subjects
from contracts.authorization import AuthorizeReply, Original
from contracts.kinds import CLAIMS, KINDS, Effect, Kind
from contracts.terms import Balance, InstalmentPlan, InstalmentTerms
from iso8583 import Message, Original61, Plan62, Value
from security_module import Purpose
from terminal_gw.sessions import Session
from tests.unit.test_gateway_pipeline import AT_MS, CARD, WORLD, FakeSwitch, Gateway, Terminal

BATCH, STAN = "000007", "000042"
PIN_KEY, MAC_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), bytes.fromhex("23456789ABCDEF01DCFEBA9876543210")
TARGET = next(card for card in WORLD.cards if card.name == "credit-2").pan
ORIGINAL = Original(batch=BATCH, stan="000041", date="1231", rrn="000000000007", authorization_code="Z9Y8X7")
PLAN = InstalmentPlan(periods=6, goods="KETTLE 2", fee_mode="1")
TERMS = InstalmentTerms(
    first_minor=209, currency="156", fee_minor=44, points=12, fee_mode="1", first_fee_minor=44, periods=6
)
BALANCE = Balance(available_minor=-1234, currency="156", account_type="10")
_NO_PIN: dict[int, Value | None] = {22: "022", 26: None, 52: None, 53: None}
_NAMED = {
    # which of 37 and 38 a terminal sends beside 61
    Kind.VOID: (37, 38),
    Kind.REFUND: (37,),
    Kind.PRE_AUTH_VOID: (38,),
    Kind.COMPLETION: (38,),
    Kind.COMPLETION_ADVICE: (38,),
    Kind.COMPLETION_VOID: (37, 38),
    Kind.INSTALMENT_VOID: (37, 38),
}


def own_fields(kind: Kind, original: Original = ORIGINAL, plan: InstalmentPlan = PLAN) -> dict[int, Value | None]:
    """What makes a sale's fields those of this kind."""
    facts = KINDS[kind]
    fields: dict[int, Value | None] = {3: facts.processing_code, 25: facts.condition_code}
    fields[60] = f"{facts.message_type}{BATCH}00050" + "1" * (kind is Kind.SALE)
    if facts.effect is Effect.LOOKS:
        fields[4] = None
    if facts.mti == "0220" or facts.effect is Effect.RELEASES:
        fields |= _NO_PIN
    if kind in CLAIMS:
        fields[61] = Original61(original.batch, original.stan, original.date).pack()
        said: dict[int, Value] = {37: original.rrn, 38: original.authorization_code}
        fields |= {number: said[number] for number in _NAMED[kind]}
    if kind is Kind.REFUND:
        fields[63] = "CUP"
    if kind is Kind.INSTALMENT:
        fields[62] = Plan62(plan.periods, plan.goods, plan.fee_mode).pack()
    if kind is Kind.TRANSFER:
        fields[62] = iso8583.with_target(TARGET.clear())
    if kind is Kind.OFFLINE_SALE:
        fields |= {2: CARD.pan.clear(), 14: CARD.expiry, 22: "052", 35: None}
    return fields


def said_of(kind: Kind, original: Original = ORIGINAL) -> Original | None:
    """The original as far as a request of this kind names it."""
    if kind not in CLAIMS:
        return None
    unsaid = {37: "rrn", 38: "authorization_code"}
    return msgspec.structs.replace(original, **{unsaid[number]: "" for number in {37, 38} - set(_NAMED[kind])})


_MORE: dict[Kind, dict[str, Any]] = {
    Kind.SALE: {"response_code": "10", "part_minor": 1000},
    Kind.BALANCE: {"balance": BALANCE},
    Kind.INSTALMENT: {"instalment": TERMS},
}


def approval(kind: Kind) -> AuthorizeReply:
    """Yes, with everything that a yes to this kind can say."""
    base = AuthorizeReply(
        response_code="00", rrn="000000000008", at_ms=AT_MS, authorization_code="A1B2C3", institution=CARD.issuer
    )
    if KINDS[kind].effect is Effect.LOOKS:
        base = msgspec.structs.replace(base, authorization_code="")
    return msgspec.structs.replace(base, **_MORE.get(kind, {}))


class Line:
    """A gateway and a terminal that has signed on to batch 000007, always with the same keys."""

    def __init__(self, tid: str = "10000001") -> None:
        self.switch = FakeSwitch()
        self.gateway = Gateway(self.switch)
        self.terminal = Terminal(tid)
        host, own = self.gateway.desk.module, self.terminal.module
        session = Session(
            pin=host.import_clear(Purpose.PIN, PIN_KEY), mac=host.import_clear(Purpose.MAC, MAC_KEY), batch=BATCH
        )
        self.gateway.bucket.values[subjects.token(tid)] = codec.encode_stored(session)
        self.terminal.pin, self.terminal.mac = (
            own.import_clear(Purpose.PIN, PIN_KEY),
            own.import_clear(Purpose.MAC, MAC_KEY),
        )
        self.terminal.batch = BATCH

    def request(self, kind: Kind, change: dict[int, Value | None] | None = None, **own: Any) -> Message:
        """Its fields in ascending order, as on the line."""
        self.switch.answers["authorize"] = approval(kind)
        return self.terminal.sale({**own_fields(kind, **own), **(change or {})}, mti=KINDS[kind].mti)

    def reversal(self, kind: Kind) -> Message:
        """What a terminal keeps for a request of this kind."""
        kept = (3, 4, 11, 22, 25, 41, 42, 49, 60)
        fields = self.request(kind).fields
        drop: dict[int, Value | None] = dict.fromkeys(number for number in fields if number not in kept)
        changed = {number: fields[number] for number in kept}
        return self.terminal.sale({**drop, **changed, 26: None, 35: None, 39: "98"}, mti="0400")
