"""A bank with another currency gives back what it took, to the minor unit, however it is split, and never more on the way."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.kinds import KINDS, Kind
from contracts.ledger import Archived, LedgerRecord, Posting, ReversalPosting, record_decoder
from contracts.money import CNY
from issuer_sim.domain import accounts
from issuer_sim.domain.accounts import Account
from issuer_sim.domain.billing import Billing
from issuer_sim.domain.decide import decide
from issuer_sim.domain.facts import Asked, Evidence, Pin
from issuer_sim.domain.machine import LedgerMachine
from issuer_sim.domain.reverse import decide_reverse
from issuer_sim.domain.terms import BankTerms, CardTerms
from lianji.recovery.charges import Charges
from lianji.verify.facts import Facts
from lianji.verify.ledgers import Ledgers

HKD, BANK = "344", "meridian"
RATE = 1_085_000
TERMINAL = "10000001"
rates = st.integers(500_000, 3_000_000) | st.sampled_from([RATE, 666_667, 1_000_000, 10**8])
"""Below that the smallest amount comes to nothing, which is refused."""


class Abroad:
    """The bank, and those who reckon the same by themselves from its log."""

    def __init__(self, rate: int) -> None:
        self.billing = Billing(currency=CNY, account_currency=HKD, rate_millionths=rate)
        self.terms = BankTerms(part=False, billing=self.billing)
        self.opened = [Account("C", currency=HKD, credit_limit_minor=10**18)]
        self.state = accounts.open_accounts(self.opened)
        self.log: list[LedgerRecord] = []
        self.ledgers, self.charges = Ledgers(Facts(), (), {BANK: rate}), Charges(BANK)
        self.number = 0

    @property
    def taken_minor(self) -> int:
        return -self.state.accounts["C"].balance_minor

    def ask(self, kind: Kind, minor: int, original: str = "", *, kept_from: str = "", batch: int = 1) -> str:
        self.number += 1
        id_ = f"{TERMINAL}:{batch:06d}:{self.number:06d}"
        amount_minor, currency = self.terms.booked(minor, CNY)
        facts: dict[str, Any] = {"card": CardTerms(), "at_ms": 1, "bank": self.terms, "original": original}
        asked = Asked(
            transaction=id_,
            kind=kind,
            account="C",
            amount_minor=amount_minor,
            currency=currency,
            billed_minor=minor,
            kept_from=kept_from,
            **facts,
        )
        decision = decide(self.state, asked, Evidence(pin=Pin.RIGHT))
        assert decision.reply is not None
        assert decision.reply.response_code == "00"
        (posting,) = (record for record in decision.records if isinstance(record, Posting))
        if KINDS[kind].credit:
            share_minor = self.charges.share(original, minor, self.billing.rate_millionths)
            assert -posting.amount_minor == share_minor, "a restore would book the same"
        self.write(decision.records)
        return id_

    def undo(self, id_: str) -> None:
        self.write(decide_reverse(self.state, id_, reason="98", at_ms=2).records)

    def write(self, records: tuple[LedgerRecord, ...]) -> None:
        for record in records:
            accounts.apply(self.state, record)
            self.log.append(record)
            self.ledgers.read(BANK, record)
            assert self.charges.take(record)
            if isinstance(record, Posting) and record.asked_minor:
                assert self.verified(record), "verify reckons the same"
        assert not self.ledgers.illegal.broken

    def verified(self, posting: Posting) -> bool:
        charge = self.ledgers._charges.get(posting.id, BANK, 0)
        return charge is not None and charge.share_minor == -posting.amount_minor

    def restart(self, how: str) -> None:
        """From a snapshot, or from the log alone."""
        machine = LedgerMachine(self.opened)
        replayed = machine.new_state()
        for record in self.log:
            machine.apply(replayed, record_decoder.decode(machine.encode(record)))
        assert replayed == self.state
        if how == "snapshot":
            self.state = machine.load(machine.dump(self.state))
        elif how == "log":
            self.state = replayed
        assert self.state == replayed


splits = st.lists(st.integers(1, 10**6) | st.integers(1, 20), min_size=1, max_size=12)


@settings(deadline=None)
@given(splits, rates, st.data())
def test_a_refund_in_parts_gives_back_what_was_taken_and_never_more(
    parts: list[int], rate: int, data: st.DataObject
) -> None:
    bank, total = Abroad(rate), sum(parts)
    original = bank.ask(Kind.SALE, total)
    taken = bank.taken_minor
    assert taken == bank.billing.billed(total)
    for place, part in enumerate(parts):
        bank.restart(data.draw(st.sampled_from(["", "snapshot", "log"])))
        if data.draw(st.booleans()):  # what came before is final, the sale with it, and kept as a row at most
            batch = place + 2
            bank.ask(Kind.REFUND, part, original, kept_from=f"{batch:06d}", batch=batch)
            assert original not in bank.state.transactions
        else:
            bank.ask(Kind.REFUND, part, original, batch=place + 2)
        so_far = sum(parts[: place + 1])
        assert bank.taken_minor == taken - bank.billing.billed(so_far)
        assert 0 <= bank.taken_minor <= taken
    assert bank.taken_minor == 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 3)), min_size=1, max_size=20), rates, st.integers(0, 50))
def test_parts_that_are_reversed_can_be_given_back_again(steps: list[tuple[int, int]], rate: int, more: int) -> None:
    bank, total = Abroad(rate), sum(part for part, _ in steps) + more
    original = bank.ask(Kind.SALE, total)
    taken, standing = bank.taken_minor, dict[str, int]()
    for place, (part, undone) in enumerate(steps):
        batch = place + 2
        kept_from = f"{batch - 1:06d}" if place % 3 else ""
        standing[bank.ask(Kind.REFUND, part, original, kept_from=kept_from, batch=batch)] = part
        for id_ in list(standing)[: undone if place % 2 else 0]:
            bank.undo(id_)
            del standing[id_]
        bank.restart("snapshot")
        assert 0 <= bank.taken_minor <= taken, "never more than was taken, and nothing taken twice"
    if left := total - sum(standing.values()):
        bank.ask(Kind.REFUND, left, original, batch=90)
    assert bank.taken_minor == 0


def test_ten_parts_of_a_small_sale() -> None:
    """6 fen are 6.51 cents: rounded each by itself ten of them were 70 of the 65 that had been taken."""
    bank = Abroad(RATE)
    original = bank.ask(Kind.SALE, 60)
    assert bank.taken_minor == 65
    for batch in range(2, 12):
        bank.ask(Kind.REFUND, 6, original, batch=batch)
    shares = [-record.amount_minor for record in bank.log[1:] if isinstance(record, Posting)]
    assert shares == [7, 6, 7, 6, 7, 6, 7, 6, 7, 6]
    assert {record.asked_minor for record in bank.log[1:] if isinstance(record, Posting)} == {6}


def test_a_part_takes_nothing_though_those_that_were_undone_had_come_to_less() -> None:
    """Of twenty parts of 0.06 ten stand that were 7 cents each: 70, and 66 are due for them and one fen more."""
    bank = Abroad(RATE)
    original = bank.ask(Kind.SALE, 300)
    parts = [bank.ask(Kind.REFUND, 6, original, batch=batch) for batch in range(2, 22)]
    for id_ in parts[1::2]:
        bank.undo(id_)
    left = bank.taken_minor
    assert (left, bank.billing.billed(61)) == (326 - 70, 66)
    bank.ask(Kind.REFUND, 1, original, batch=22)
    assert bank.taken_minor == left
    bank.ask(Kind.REFUND, 239, original, batch=23)
    assert bank.taken_minor == 0


def test_a_void_gives_back_the_whole_and_its_reversal_takes_it_again() -> None:
    bank = Abroad(RATE)
    original = bank.ask(Kind.SALE, 60)
    void = bank.ask(Kind.VOID, 60, original)
    assert (bank.taken_minor, bank.state.returns.of[original].booked_minor) == (0, 65)
    bank.undo(void)
    assert (bank.taken_minor, bank.state.returns.of, bank.state.returns.parts) == (65, {}, {})


def test_of_a_ledger_that_did_not_say_what_was_asked_for_never_more_is_given_than_is_left() -> None:
    bank = Abroad(RATE)
    original = bank.ask(Kind.SALE, 60)
    old = bank.ask(Kind.REFUND, 6, original)
    said = bank.log[-1]
    assert isinstance(said, Posting)
    unsaid: LedgerRecord = msgspec.structs.replace(said, asked_minor=0)
    again = Abroad(RATE)
    again.write((bank.log[0], unsaid))
    again.number = bank.number
    for batch in range(2, 11):
        again.ask(Kind.REFUND, 6, original, batch=batch)
    assert bank.billing.billed(54) > 65 - 7, "what is left is less than what the rest comes to"
    assert again.taken_minor == 0
    again.undo(old)
    assert again.taken_minor == 7


def test_what_is_archived_is_a_row_and_still_known_to_be_given_back() -> None:
    bank = Abroad(RATE)
    original = bank.ask(Kind.SALE, 60)
    first = bank.ask(Kind.REFUND, 6, original)
    bank.write((Archived(at_ms=3, terminal=TERMINAL, kept_from="000002"),))
    assert not {original, first} & set(bank.state.transactions)
    bank.ask(Kind.REFUND, 54, original, batch=2)
    assert bank.taken_minor == 0
    bank.undo(first)
    assert isinstance(bank.log[-1], ReversalPosting)
    assert bank.taken_minor == 7
    bank.ask(Kind.REFUND, 6, original, batch=2)
    assert bank.taken_minor == 0


def test_verify_notices_what_is_rounded_part_by_part_also_where_the_ledger_does_not_say_of_what() -> None:
    bank = Abroad(RATE)
    original = bank.ask(Kind.SALE, 60)
    bank.ask(Kind.REFUND, 6, original)
    said = bank.log[-1]
    assert isinstance(said, Posting)
    ledgers = Ledgers(Facts(), (), {BANK: RATE})
    ledgers.read(BANK, bank.log[0])
    for number in range(2, 11):
        ledgers.read(BANK, msgspec.structs.replace(said, id=f"{TERMINAL}:000002:{number:06d}", asked_minor=0))
    assert not ledgers.illegal.broken, "63 of 65"
    ledgers.read(BANK, msgspec.structs.replace(said, id=f"{TERMINAL}:000002:000011", asked_minor=0))
    assert ledgers.illegal.broken == 1
