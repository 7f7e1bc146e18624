"""Chips of the world's cards, a terminal's part beside them, and a bank that is asked directly."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import msgspec

import world
from contracts import codec
from contracts.authorization import CardData, IssuerReply, IssuerRequest
from contracts.kinds import Kind
from contracts.ledger import LedgerRecord, record_decoder
from contracts.money import CNY
from contracts.pan import Pan, PinBlock, Track2
from issuer_sim.cards import CardOnFile, bank_terms, card_file, openings
from issuer_sim.checks import CardChecks
from issuer_sim.domain.accounts import Account
from issuer_sim.domain.machine import LedgerMachine
from issuer_sim.handlers import Bank, Handlers
from issuer_sim.keys import BankKeys
from issuer_sim.line import Line
from key_store import names
from runtime.bus import Request
from runtime.log import GroupLog, Position, decode_group
from runtime.memory_log import MemoryLog
from runtime.ownership import Term
from runtime.tracing import Tracer
from security_module import SecurityModule
from terminal_sim import emv
from terminal_sim.cards import Inserted
from terminal_sim.chip import Chip, ChipMemory
from terminal_sim.chip_file import written
from terminal_sim.record import Transaction
from tests.support_keys import banks_rings

AT_MS = 1_767_196_800_000  # 2026-01-01 in UTC+8
WORLD = world.built_in()
module = SecurityModule(world.lmk("issuer"))


class Kept:
    """A chip's memory as it was written last."""

    def __init__(self) -> None:
        self.memory = ChipMemory()
        self.writes = 0

    def write(self, memory: ChipMemory) -> None:
        self.memory = msgspec.structs.replace(memory)
        self.writes += 1


def card_named(name: str) -> world.Card:
    card = WORLD.card(name)
    assert card is not None
    return card


def chip_of(name: str, memory: ChipMemory | None = None) -> Chip:
    return Chip(written(card_named(name)), memory or ChipMemory(), Kept())


def sent(amount_minor: int = 1234, kind: Kind = Kind.SALE, stan: str = "000001") -> Transaction:
    """What a terminal is about to send."""
    return Transaction(
        batch="000001",
        stan=stan,
        kind=kind,
        amount_minor=amount_minor,
        currency=CNY,
        card="",
        entry_mode="052",
        at_ms=AT_MS,
    )


def dialogue(chip: Chip, *, alone: bool = False, pin: bool = False, **what: Any) -> emv.Dialogue:
    begun = emv.begin(Inserted(chip, b"\1\2\3\4"), sent(**what), "10000001", pin=pin, alone=alone)
    assert isinstance(begun, emv.Dialogue), begun
    return begun


@cache
def _file(institution: str) -> dict[Pan, CardOnFile]:
    """A bank's cards; their PVVs take a while."""
    return card_file(WORLD.cards_of(institution), world.pvv)


class BankDesk:
    """A bank of the world with all its cards, on a log in memory."""

    def __init__(self, institution: str) -> None:
        facts = next(i for i in WORLD.institutions if i.id == institution)
        cards = WORLD.cards_of(institution)
        self.institution = institution
        self.log = MemoryLog()
        self.rings = banks_rings(module, institution)
        machine = LedgerMachine(openings(cards, facts.currency))
        self.term = Term(machine, machine.new_state(), GroupLog(self.log, 1, Position(), now_ns=lambda: 0))
        bank = Bank(
            institution=institution,
            cards=_file(institution),
            checks=CardChecks(institution, module, BankKeys(self.rings)),
            scripted=False,
            line=Line(institution),
            terms=bank_terms(facts),
        )
        self.handlers = Handlers(bank, self.term, Tracer("issuer-sim", "test"), lambda: AT_MS)
        self.asked = 0

    def account(self, name: str) -> Account:
        return self.term.state.accounts[card_named(name).account]

    def records(self) -> list[LedgerRecord]:
        return [record_decoder.decode(raw) for payload in self.log.groups for raw in decode_group(payload).records]

    def pin_block(self, name: str) -> PinBlock:
        """The right one."""
        card, zone = card_named(name), self.rings.current(names.ZONE).key
        facts = next(i for i in WORLD.institutions if i.id == self.institution)
        return PinBlock(module.encrypt_pin(zone, card.pin, card.pan, facts.pin_format))

    def ask(
        self,
        name: str,
        chip: bytes = b"",
        *,
        entry: str = "051",
        track: Track2 | None = None,
        pin: bool = True,
        sequence: str = "001",
        **changes: Any,
    ) -> IssuerReply:
        """A sale of 12.34 with another STAN each time, unless `changes` says otherwise."""
        self.asked += 1
        card = card_named(name)
        facts = next(i for i in WORLD.institutions if i.id == self.institution)
        data = CardData(
            pan=card.pan,
            expiry=card.expiry,
            track2=track or world.track2_equivalent(card),
            pin_block=self.pin_block(name) if pin else PinBlock(),
            pin_zone=self.institution if pin else "",
            pin_format=facts.pin_format.value,
            sequence=sequence,
            chip=chip,
        )
        asked: dict[str, Any] = {
            "transaction": f"10000001:000001:{self.asked:06d}",
            "rrn": "010000000001",
            "kind": Kind.SALE,
            "terminal": "10000001",
            "merchant": "482290058130001",
            "amount_minor": 1234,
            "currency": CNY,
            "entry_mode": entry,
            "card": data,
        }
        body = codec.encode(IssuerRequest(**{**asked, **changes}))
        answer = asyncio.run(self.handlers.authorize(Request("issuer.v1.test.authorize", body, None, 0)))
        assert answer is not None
        return msgspec.json.decode(answer, type=IssuerReply)
