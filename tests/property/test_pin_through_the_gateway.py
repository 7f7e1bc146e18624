"""A PIN keyed at any terminal reaches any bank: whatever scheme and format the terminal has, and whatever the bank takes, its word is right."""

from __future__ import annotations

import asyncio
from functools import cache

import msgspec
from hypothesis import given
from hypothesis import strategies as st

import world
from contracts import codec
from contracts.authorization import AuthorizeRequest, CardData, IssuerReply, IssuerRequest
from contracts.kinds import Kind
from contracts.money import CNY
from contracts.pan import Pan, Track2, luhn_check_digit
from issuer_sim.cards import CardOnFile
from issuer_sim.checks import CardChecks
from issuer_sim.domain.accounts import Account
from issuer_sim.domain.machine import LedgerMachine
from issuer_sim.domain.terms import CardTerms
from issuer_sim.handlers import Bank, Handlers
from issuer_sim.keys import BankKeys
from issuer_sim.line import Line
from runtime.bus import Request
from runtime.log import GroupLog, Position
from runtime.memory_log import MemoryLog
from runtime.ownership import Term
from runtime.tracing import Tracer
from security_module import PinFormat, SecurityModule
from terminal_sim.record import new_record
from terminal_sim.schemes import seal_of
from terminal_sim.terminal import Terminal
from tests.support_keys import banks_rings
from tests.unit.test_gateway_pipeline import AT_MS, TCP, WORLD, Gateway
from world import Institution, KeyScheme

EXPIRY, SERVICE = "3512", "101"
TERMINALS = [t for t in WORLD.terminals if t.tid < "2" and t.status == world.ACTIVE]

pins = st.text("0123456789", min_size=4, max_size=12)
serials = st.integers(0, 999_999_999).map(lambda n: f"{n:09d}")
banks = st.sampled_from(WORLD.institutions)
terminals = st.sampled_from(TERMINALS)


class House:
    """A gateway, and one simulated terminal of each kind that is signed on to it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.gateway = Gateway()
        self.module = SecurityModule(world.lmk("issuer"))
        self.terminals: dict[str, Terminal] = {}

    def terminal(self, facts: world.Terminal) -> Terminal:
        made = self.terminals.get(facts.tid)
        if made is None:
            seal, record = seal_of(facts), new_record(facts.tid)
            made = Terminal(tid=facts.tid, mid=facts.merchant, record=record, seal=seal)
            made.log_in("01", "0000")
            made.receive(self.answer(made.sign_on().send), now_ms=1)
            self.terminals[facts.tid] = made
        made.record.batch_size = 0
        return made

    def answer(self, body: bytes) -> bytes:
        received = self.loop.run_until_complete(self.gateway.pipeline.receive(body, TCP))
        assert received.answer is not None
        return received.answer

    def at_the_bank(self, facts: world.Terminal, track: Track2, pin: str) -> CardData:
        """What a sale with this PIN becomes on its way to the bank."""
        terminal = self.terminal(facts)
        outcome = terminal.receive(self.answer(terminal.sell(track, 100, pin, now_ms=1).send), now_ms=1).outcome
        assert getattr(outcome, "approved", False), outcome  # by the switch of the test
        card = self.gateway.switch.last(AuthorizeRequest).card
        assert isinstance(card, CardData)
        return card

    def verdict(self, institution: Institution, card: CardData, pvv: str) -> str:
        """The response code of a bank that has this card on file."""
        on_file = CardOnFile(account="A1", expiry=EXPIRY, pvv=pvv, terms=CardTerms(debit=True))
        checks = CardChecks(institution.id, self.module, BankKeys(banks_rings(self.module, institution.id)))
        bank = Bank(
            institution=institution.id,
            cards={card.pan: on_file},
            checks=checks,
            scripted=False,
            line=Line(institution.id),
        )

        async def ask() -> bytes | None:
            machine = LedgerMachine([Account("A1", opening_minor=1000)])
            log = GroupLog(MemoryLog(), 1, Position(), now_ns=lambda: 0)
            handlers = Handlers(
                bank, Term(machine, machine.new_state(), log), Tracer("issuer-sim", "test"), lambda: AT_MS
            )
            asked = IssuerRequest(
                transaction="10000001:000007:000042",
                rrn="000000000001",
                kind=Kind.SALE,
                terminal="10000001",
                merchant="482290058130001",
                amount_minor=100,
                currency=CNY,
                entry_mode="021",
                card=card,
            )
            return await handlers.authorize(Request("issuer.v1.x.authorize", codec.encode(asked), None, 0))

        answer = self.loop.run_until_complete(ask())
        assert answer is not None
        return msgspec.json.decode(answer, type=IssuerReply).response_code


@cache
def house() -> House:
    return House()


def track_of(institution: Institution, serial: str) -> Track2:
    """The stripe of a card of this bank."""
    partial = institution.bins[0] + serial
    pan = Pan(partial + luhn_check_digit(partial))
    module = house().module
    cvv = module.cvv(BankKeys(banks_rings(module, institution.id)).card_verification[0], pan, EXPIRY, SERVICE)
    return Track2(f"{pan.clear()}D{EXPIRY}{SERVICE}{cvv}".ljust(37, "0"))


@given(pins, pins, serials, terminals, banks)
def test_the_bank_knows_the_pin_from_a_wrong_one(
    pin: str, other: str, serial: str, facts: world.Terminal, institution: Institution
) -> None:
    track = track_of(institution, serial)
    module = house().module
    pvk = BankKeys(banks_rings(module, institution.id)).pin_verification[0]
    pvv = module.pvv(pvk, track.pan, pin)
    for keyed in (pin, other):
        card = house().at_the_bank(facts, track, keyed)
        assert (card.pin_format, len(card.pin_block)) == (
            ("iso-4", 16) if institution.pin_format is PinFormat.ISO_4 else ("iso-0", 8)
        )
        # A PVV is of four digits over the PIN's first four: some other PINs have the same.
        right = module.pvv(pvk, track.pan, keyed) == pvv
        assert house().verdict(institution, card, pvv) == ("00" if right else "55")


def test_every_scheme_and_format_is_among_the_terminals() -> None:
    assert len({(t.scheme, t.pin_format) for t in TERMINALS}) == 7
    assert {t.scheme for t in TERMINALS} == set(KeyScheme)
