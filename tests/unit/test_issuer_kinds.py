"""What a bank does with each kind of transaction, and with the limits and terms of its cards."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.authorization import IssuerReply
from contracts.kinds import CLAIMS, KINDS, Kind
from contracts.ledger import Archived, HoldExpired, LedgerRecord, Posting, Refusal, ReversalPosting
from contracts.money import CNY, MAX_AMOUNT_MINOR
from contracts.terms import Balance, InstalmentPlan
from issuer_sim.domain import accounts, expiry
from issuer_sim.domain.accounts import Account
from issuer_sim.domain.billing import Billing
from issuer_sim.domain.decide import decide
from issuer_sim.domain.facts import Asked, Chip, Evidence, Pin
from issuer_sim.domain.kinds import RULES
from issuer_sim.domain.kinds.instalment import terms
from issuer_sim.domain.reverse import decide_reverse
from issuer_sim.domain.terms import DAY_MS, BankTerms, CardTerms

DEBIT, CREDIT = CardTerms(debit=True), CardTerms()
HOLD_MS = 1_000
TERMS = BankTerms(hold_ms=HOLD_MS, instalment_periods=frozenset({3, 12}), instalment_fee_permille=6)
HKD = BankTerms(part=False, billing=Billing(currency=CNY, account_currency="344", rate_millionths=1_085_000))
RIGHT, KEYED_NONE = Evidence(pin=Pin.RIGHT), Evidence()


def tx(number: int, batch: int = 1) -> str:
    return f"10000001:{batch:06d}:{number:06d}"


class Bank:
    """A bank whose records are applied as they are decided."""

    def __init__(self, funds: int = 1_000, limit: int = 500) -> None:
        self.state = accounts.open_accounts(
            [
                Account("D", opening_minor=funds),
                Account("E", opening_minor=funds),
                Account("C", credit_limit_minor=limit),
            ]
        )
        self.records: list[LedgerRecord] = []
        self.now = 1

    def ask(
        self, kind: Kind, number: int, amount: int = 100, *, evidence: Evidence = RIGHT, **other: Any
    ) -> IssuerReply:
        facts: dict[str, Any] = {
            "account": "D",
            "card": DEBIT,
            "bank": TERMS,
            "currency": CNY,
            "at_ms": self.now,
        } | other
        if isinstance(facts.get("original"), int):
            facts["original"] = tx(facts["original"])
        decision = decide(self.state, Asked(transaction=tx(number), kind=kind, amount_minor=amount, **facts), evidence)
        self._apply(decision.records)
        assert decision.reply is not None
        return decision.reply

    def code(self, kind: Kind, number: int, amount: int = 100, **other: Any) -> str:
        return self.ask(kind, number, amount, **other).response_code

    def reverse(self, number: int) -> tuple[LedgerRecord, ...]:
        records = decide_reverse(self.state, tx(number), reason="98", at_ms=self.now).records
        self._apply(records)
        return records

    def _apply(self, records: tuple[LedgerRecord, ...]) -> None:
        for record in records:
            accounts.apply(self.state, record)
        self.records += records

    def money(self, account: str = "D") -> tuple[int, int]:
        """Balance and what may be spent."""
        return self.state.accounts[account].balance_minor, self.state.accounts[account].available_minor


def test_every_kind_has_its_rule_and_what_is_forced_is_what_is_a_notice() -> None:
    assert set(RULES) == set(Kind)
    assert {kind for kind, rule in RULES.items() if rule.forced} == {kind for kind in Kind if KINDS[kind].advice}


# ------------------------------------------------------------------ sales


def test_a_sale_is_approved_in_part_where_terminal_and_bank_agree() -> None:
    bank = Bank(funds=70)
    assert bank.code(Kind.SALE, 1, 100) == "51"
    reply = bank.ask(Kind.SALE, 2, 100, takes_part=True)
    assert (reply.response_code, reply.part_minor, bank.money()) == ("10", 70, (0, 0))
    posting = bank.records[-1]
    assert isinstance(posting, Posting)
    assert (posting.amount_minor, posting.part_of_minor) == (70, 100)
    assert bank.ask(Kind.SALE, 2, 100, takes_part=True) == reply
    assert bank.code(Kind.SALE, 3, 100, takes_part=True) == "51", "of nothing there is no part"
    bank.reverse(2)
    assert bank.money() == (70, 70)
    assert bank.code(Kind.SALE, 4, 100, takes_part=True, bank=BankTerms(part=False)) == "51"


@pytest.mark.parametrize("kind", [Kind.INSTALMENT, Kind.PRE_AUTH, Kind.TRANSFER])
def test_nothing_but_a_sale_is_approved_in_part(kind: Kind) -> None:
    plan = InstalmentPlan(periods=3)
    assert Bank(limit=70).code(kind, 1, 100, account="C", card=CREDIT, instalment=plan, takes_part=True) == "51"


def test_an_offline_sale_is_booked_whatever_the_account_holds() -> None:
    bank = Bank(funds=30)
    assert bank.code(Kind.OFFLINE_SALE, 1, 100, evidence=KEYED_NONE) == "00"
    assert (bank.money(), bank.state.accounts["D"].forced_minor) == ((-70, -70), 100)
    assert bank.code(Kind.SALE, 2, 1) == "51"
    bank.state.accounts["E"].status = "lost"
    assert bank.code(Kind.OFFLINE_SALE, 3, 100, account="E", evidence=KEYED_NONE) == "00", "it has happened already"
    assert bank.code(Kind.OFFLINE_SALE, 4, 100, evidence=Evidence(card_ok=False)) == "59"


def test_what_the_acquirer_has_approved_in_its_stead_is_booked_whatever_became_of_the_card() -> None:
    bank = Bank(funds=30)
    bank.state.accounts["D"].status = "lost"
    told: dict[str, Any] = {"stood_in": True, "authorization_code": "S00007", "evidence": KEYED_NONE}
    scripted = CardTerms(debit=True, response_code="05", most_minor=1)
    reply = bank.ask(Kind.SALE, 1, 100, card=scripted, **told)
    assert (reply.response_code, reply.authorization_code) == ("00", "S00007")
    assert (bank.money(), bank.state.accounts["D"].forced_minor) == ((-70, -70), 100)
    assert bank.ask(Kind.SALE, 1, 100, **told) == reply, "the same advice again"
    assert bank.money() == (-70, -70)
    bank.reverse(1)
    assert bank.money() == (30, 30)
    assert bank.code(Kind.SALE, 1, 100, **told) == "12"
    assert bank.code(Kind.SALE, 2, 100, account="", **told) == "14"
    assert bank.code(Kind.PRE_AUTH, 3, 100, **told) == "40", "it stands in for sales and notices alone"


def test_an_offline_sale_that_it_is_told_of_later_is_booked_once_as_its_chip_counts() -> None:
    bank, told = Bank(funds=30), {"stood_in": True, "authorization_code": "S00007"}
    right, copied = Evidence(chip=Chip.RIGHT, counter=7), Evidence(counter=7)
    reply = bank.ask(Kind.OFFLINE_SALE, 1, 100, evidence=copied, **told)
    assert (reply.response_code, reply.authorization_code, bank.money()) == ("00", "S00007", (-70, -70))
    assert bank.code(Kind.OFFLINE_SALE, 2, 100, evidence=copied, **told) == "59", "told under another number"
    assert bank.code(Kind.OFFLINE_SALE, 3, 100, evidence=right) == "59"
    assert bank.code(Kind.OFFLINE_SALE, 4, 100, evidence=Evidence(counter=6), **told) == "00", (
        "of before, and not seen yet"
    )


def test_a_counter_that_nobody_has_proved_cannot_bar_the_chip() -> None:
    bank, told = Bank(), {"stood_in": True, "authorization_code": "S00007"}
    assert bank.code(Kind.SALE, 1, 1, evidence=Evidence(pin=Pin.RIGHT, chip=Chip.RIGHT, counter=7)) == "00"
    assert bank.code(Kind.OFFLINE_SALE, 2, 1, evidence=Evidence(counter=0xFFFF), **told) == "00"
    assert bank.code(Kind.SALE, 3, 1, evidence=Evidence(pin=Pin.RIGHT, chip=Chip.RIGHT, counter=8)) == "00"
    assert bank.code(Kind.OFFLINE_SALE, 4, 0, evidence=Evidence(counter=9), **told) == "13"
    assert bank.code(Kind.SALE, 5, 1, evidence=Evidence(pin=Pin.RIGHT, chip=Chip.RIGHT, counter=9)) == "00"


def test_a_passing_no_to_a_notice_is_not_kept_to() -> None:
    bank, busy = Bank(), CardTerms(response_code="96")
    assert bank.code(Kind.OFFLINE_SALE, 1, 100, evidence=KEYED_NONE, card=busy) == "96"
    assert not bank.records
    assert bank.code(Kind.OFFLINE_SALE, 1, 100, evidence=KEYED_NONE) == "00"
    assert bank.code(Kind.SALE, 2, 100, card=busy) == "96"
    assert bank.code(Kind.SALE, 2, 100) == "96", "of a sale it has spoken"


@pytest.mark.parametrize("code", ["00", "57"])
def test_what_it_has_answered_and_nobody_heard_is_not_booked_again_when_it_is_told(code: str) -> None:
    bank, card = Bank(), CardTerms(response_code="" if code == "00" else code)
    assert bank.code(Kind.OFFLINE_SALE, 1, 100, evidence=KEYED_NONE, card=card) == code
    money = bank.money()
    again = bank.code(Kind.OFFLINE_SALE, 1, 100, evidence=KEYED_NONE, stood_in=True, authorization_code="S00007")
    assert (again, bank.money()) == (code, money)


def test_a_completion_that_it_is_told_of_later_ends_the_hold() -> None:
    bank, told = Bank(funds=100), {"stood_in": True, "authorization_code": "S00007", "evidence": KEYED_NONE}
    assert bank.code(Kind.PRE_AUTH, 1, 100) == "00"
    bank.state.accounts["D"].status = "lost"
    assert bank.code(Kind.COMPLETION_ADVICE, 2, 115, original=1, **told) == "00"
    assert bank.money() == (-15, -15)
    assert bank.code(Kind.COMPLETION_ADVICE, 3, 115, original=1, **told) == "12", "once"


# ------------------------------------------------------------------ what gives back


@pytest.mark.parametrize(
    ("kind", "of"),
    [
        (Kind.VOID, Kind.SALE),
        (Kind.REFUND, Kind.SALE),
        (Kind.INSTALMENT_VOID, Kind.INSTALMENT),
        (Kind.REFUND, Kind.OFFLINE_SALE),
    ],
)
def test_what_is_given_back_comes_back_and_its_reversal_takes_it_again(kind: Kind, of: Kind) -> None:
    bank, card = Bank(), {"account": "C", "card": CREDIT}
    assert bank.code(of, 1, 300, instalment=InstalmentPlan(periods=3), **card) == "00"
    assert bank.code(kind, 2, 300, original=1, evidence=KEYED_NONE, **card) == "00"
    assert bank.money("C") == (0, 500)
    assert bank.code(Kind.SALE, 3, 500, **card) == "00"
    bank.reverse(2)
    assert bank.money("C") == (-800, -300)
    assert bank.state.accounts["C"].forced_minor == (300 if of is not Kind.OFFLINE_SALE else 600)


@pytest.mark.parametrize("kind", list(CLAIMS))
def test_an_original_must_stand_and_be_the_cards_own(kind: Kind) -> None:
    bank = Bank()
    assert bank.code(kind, 1, original=99) == "25"
    of = Kind.PRE_AUTH if Kind.PRE_AUTH in CLAIMS[kind].originals else Kind.SALE
    assert bank.code(of, 2) == "00"
    assert bank.code(kind, 3, original=2, account="E") == "12", "another's"
    bank.reverse(2)
    assert bank.code(kind, 4, original=2) == "12", "reversed"
    assert bank.code(of, 5, 2_000) == "51"
    assert bank.code(kind, 6, original=5) == "12", "refused"
    assert bank.money() == (1_000, 1_000)


@pytest.mark.parametrize("kind", list(CLAIMS))
def test_about_an_earlier_transaction_a_pin_is_checked_only_if_it_was_keyed(kind: Kind) -> None:
    bank = Bank()
    of = Kind.PRE_AUTH if Kind.PRE_AUTH in CLAIMS[kind].originals else Kind.SALE
    assert bank.code(of, 1) == "00"
    assert bank.code(kind, 2, original=1, evidence=Evidence(pin=Pin.WRONG)) == "55"
    assert bank.code(kind, 3, original=1, evidence=KEYED_NONE) == "00"


@pytest.mark.parametrize("kind", [Kind.SALE, Kind.PRE_AUTH, Kind.BALANCE, Kind.CARD_CHECK, Kind.TRANSFER])
def test_what_is_new_needs_the_pin_of_a_debit_card(kind: Kind) -> None:
    assert Bank().code(kind, 1, evidence=KEYED_NONE) == "55"


def test_a_refund_long_after_finds_its_sale_in_the_archive() -> None:
    bank = Bank()
    assert bank.code(Kind.SALE, 1, 300) == "00"
    assert bank.code(Kind.SALE, 2, 2_000) == "51"
    later = Asked(
        transaction=tx(1, batch=2), account="D", amount_minor=1, currency=CNY, card=DEBIT, at_ms=2, kept_from="000002"
    )
    for record in decide(bank.state, later, RIGHT).records:
        accounts.apply(bank.state, record)
    assert tx(1) not in bank.state.transactions
    for number, original, account, expected in (
        (1, 1, "D", "00"),
        (2, 1, "E", "12"),
        (3, 2, "D", "12"),
        (4, 7, "D", "12"),
    ):
        asked = Asked(
            transaction=tx(number, batch=3),
            kind=Kind.REFUND,
            account=account,
            amount_minor=100,
            currency=CNY,
            card=DEBIT,
            at_ms=3,
            original=tx(original),
        )
        decision = decide(bank.state, asked, RIGHT)
        assert decision.reply is not None
        assert decision.reply.response_code == expected


# ------------------------------------------------------------------ holds


def test_a_pre_authorization_sets_aside_and_its_void_lets_go() -> None:
    bank = Bank()
    assert bank.code(Kind.PRE_AUTH, 1, 600) == "00"
    assert bank.money() == (1_000, 400)
    assert bank.code(Kind.SALE, 2, 401) == "51"
    assert bank.code(Kind.PRE_AUTH_VOID, 3, 600, original=1) == "00"
    assert bank.money() == (1_000, 1_000)
    assert bank.code(Kind.PRE_AUTH_VOID, 4, 600, original=1) == "12", "it has ended"
    assert bank.code(Kind.COMPLETION, 5, 600, original=1) == "12"


@pytest.mark.parametrize(("amount", "left"), [(600, 400), (200, 800), (690, 310)])
@pytest.mark.parametrize("kind", [Kind.COMPLETION, Kind.COMPLETION_ADVICE])
def test_a_completion_takes_its_amount_and_ends_the_whole_hold(kind: Kind, amount: int, left: int) -> None:
    bank = Bank()
    bank.ask(Kind.PRE_AUTH, 1, 600)
    assert bank.code(kind, 2, amount, original=1) == "00"
    assert bank.money() == (left, left)
    assert bank.state.accounts["D"].held_minor == 0


def test_more_than_the_hold_must_be_there_unless_it_is_a_notice() -> None:
    bank = Bank(funds=620)
    bank.ask(Kind.PRE_AUTH, 1, 600)
    assert bank.code(Kind.COMPLETION, 2, 621, original=1) == "51"
    assert bank.money() == (620, 20)
    assert bank.code(Kind.COMPLETION_ADVICE, 3, 690, original=1) == "00"
    assert (bank.money(), bank.state.accounts["D"].forced_minor) == ((-70, -70), 90)


def test_a_hold_completes_even_of_an_account_that_is_overdrawn() -> None:
    bank = Bank()
    bank.ask(Kind.PRE_AUTH, 1, 600)
    bank.ask(Kind.OFFLINE_SALE, 2, 900)
    assert bank.code(Kind.COMPLETION, 3, 600, original=1) == "00"
    assert bank.money() == (-500, -500)


@pytest.mark.parametrize("kind", [Kind.COMPLETION, Kind.PRE_AUTH_VOID])
def test_the_reversal_of_what_ended_a_hold_puts_it_back(kind: Kind) -> None:
    bank = Bank()
    bank.ask(Kind.PRE_AUTH, 1, 600)
    bank.ask(kind, 2, 600, original=1)
    (reversal,) = bank.reverse(2)
    assert isinstance(reversal, ReversalPosting)
    assert (reversal.restores, reversal.restored_minor) == (tx(1), 600)
    assert bank.money() == (1_000, 400)
    assert bank.code(Kind.COMPLETION, 3, 600, original=1) == "00"
    assert bank.money() == (400, 400)


def test_a_hold_that_would_be_put_back_after_its_term_ends_at_once() -> None:
    bank = Bank()
    bank.ask(Kind.PRE_AUTH, 1, 600)
    bank.ask(Kind.COMPLETION, 2, 600, original=1)
    bank.now += HOLD_MS
    assert [type(record) for record in bank.reverse(2)] == [ReversalPosting, HoldExpired]
    assert bank.money() == (1_000, 1_000)
    assert bank.state.holds.open == {}


def test_a_hold_put_back_on_what_has_been_spent_is_counted_as_forced() -> None:
    bank = Bank()
    bank.ask(Kind.PRE_AUTH, 1, 1_000)
    bank.ask(Kind.COMPLETION, 2, 400, original=1)
    bank.ask(Kind.SALE, 3, 600)
    bank.reverse(2)
    assert (bank.money(), bank.state.accounts["D"].forced_minor) == ((400, -600), 600)


def test_the_void_of_a_completion_gives_back_and_holds_nothing_again() -> None:
    bank = Bank()
    bank.ask(Kind.PRE_AUTH, 1, 600)
    bank.ask(Kind.COMPLETION, 2, 600, original=1)
    assert bank.code(Kind.COMPLETION_VOID, 3, 600, original=2) == "00"
    assert bank.money() == (1_000, 1_000)
    assert bank.code(Kind.COMPLETION, 4, 600, original=1) == "12"


def test_a_reversed_pre_authorization_holds_nothing() -> None:
    bank = Bank()
    bank.ask(Kind.PRE_AUTH, 1, 600)
    (reversal,) = bank.reverse(1)
    assert isinstance(reversal, ReversalPosting)
    assert (reversal.amount_minor, reversal.held_minor) == (0, 600)
    assert bank.money() == (1_000, 1_000)
    assert bank.reverse(1) == ()


def test_a_hold_is_over_when_its_term_is_and_whoever_asks_first_finds_the_money() -> None:
    bank = Bank()
    bank.ask(Kind.PRE_AUTH, 1, 600)
    bank.now += HOLD_MS - 1
    assert bank.code(Kind.SALE, 2, 401) == "51"
    bank.now += 1
    assert bank.code(Kind.COMPLETION, 3, 600, original=1) == "12"
    assert [type(record) for record in bank.records[-2:]] == [HoldExpired, Refusal]
    assert bank.code(Kind.SALE, 4, 1_000) == "00"


def test_a_bank_goes_through_its_holds_a_few_at_once() -> None:
    bank = Bank()
    for number in (1, 2, 3):
        bank.ask(Kind.PRE_AUTH, number, 100)
    bank.now += HOLD_MS
    assert expiry.of_bank(bank.state, bank.now - 1, most=9) == ()
    assert [record.id for record in expiry.of_bank(bank.state, bank.now, most=2)] == [tx(1), tx(2)]


def test_an_open_hold_is_not_archived_until_nothing_can_put_it_back() -> None:
    bank = Bank()
    bank.ask(Kind.PRE_AUTH, 1, 100)

    def begin(batch: int, kind: Kind = Kind.SALE, original: str = "", at_ms: int = 2) -> None:
        """The first transaction of a batch, with which the terminal says that it is done with those before."""
        asked = Asked(
            transaction=tx(1, batch=batch),
            kind=kind,
            original=original,
            account="D",
            amount_minor=100,
            currency=CNY,
            card=DEBIT,
            at_ms=at_ms,
            kept_from=f"{batch:06d}",
        )
        for record in decide(bank.state, asked, RIGHT).records:
            accounts.apply(bank.state, record)

    begin(2, Kind.COMPLETION, tx(1))
    assert (tx(1) in bank.state.transactions, bank.money()) == (True, (900, 900))
    for batch in (3, 4):
        begin(batch)
        assert {tx(1), tx(1, batch=2)} <= set(bank.state.transactions), "the completion can be reversed, however late"
    begin(5, at_ms=bank.now + HOLD_MS)
    assert tx(1, batch=2) not in bank.state.transactions
    assert (bank.state.holds.ended, bank.state.holds.releases) == ({}, {})
    begin(6, at_ms=bank.now + HOLD_MS)
    assert tx(1) not in bank.state.transactions


def test_the_late_reversal_of_what_has_ended_a_hold_puts_it_back() -> None:
    """Two closes later its terminal's batch is archived, and the hold must stand again all the same."""
    bank = Bank()
    bank.ask(Kind.PRE_AUTH, 1, 100)
    bank.ask(Kind.PRE_AUTH_VOID, 2, 100, original=1)
    accounts.apply(bank.state, Archived(at_ms=bank.now, terminal="10000001", kept_from="000002"))
    bank.reverse(2)
    assert set(bank.state.holds.of("D")) == {tx(1)}
    assert bank.money() == (1_000, 900)


# ------------------------------------------------------------------ instalments


def test_an_instalment_sale_takes_all_at_once_and_says_how_it_is_billed() -> None:
    bank, card = Bank(), {"account": "C", "card": CREDIT}
    plan = InstalmentPlan(periods=3)
    reply = bank.ask(Kind.INSTALMENT, 1, 500, instalment=plan, **card)
    assert (reply.response_code, bank.money("C")) == ("00", (-500, 0))
    assert reply.instalment is not None
    assert (reply.instalment.first_minor, reply.instalment.fee_minor, reply.instalment.periods) == (168, 9, 3)
    assert bank.ask(Kind.INSTALMENT, 1, 500, instalment=plan, **card) == reply


@pytest.mark.parametrize(
    ("plan", "card", "expected"),
    [
        (InstalmentPlan(periods=4), CREDIT, "57"),
        (InstalmentPlan(periods=0), CREDIT, "57"),
        (InstalmentPlan(periods=3), DEBIT, "57"),
        (InstalmentPlan(periods=3, fee_mode="7"), CREDIT, "30"),
        (None, CREDIT, "30"),
    ],
)
def test_instalments_that_no_bank_offers(plan: InstalmentPlan | None, card: CardTerms, expected: str) -> None:
    assert Bank().code(Kind.INSTALMENT, 1, 100, account="C", card=card, instalment=plan) == expected


@given(st.integers(1, MAX_AMOUNT_MINOR), st.integers(1, 99), st.sampled_from(["0", "1"]), st.integers(0, 50))
def test_payments_add_up_to_the_amount_and_fees_to_the_fee(amount: int, periods: int, mode: str, permille: int) -> None:
    made = terms(amount, CNY, InstalmentPlan(periods=periods, fee_mode=mode), permille)
    assert made.first_minor + amount // periods * (periods - 1) == amount
    assert made.first_fee_minor + made.period_fee_minor * (periods - 1) == made.fee_minor
    assert made.fee_minor == amount * permille * periods // 1000
    assert (made.period_fee_minor == 0) or mode == "0"


# ------------------------------------------------------------------ questions


def test_a_balance_says_what_may_be_spent_and_moves_nothing() -> None:
    bank = Bank()
    bank.ask(Kind.PRE_AUTH, 1, 300)
    reply = bank.ask(Kind.BALANCE, 2, 0)
    assert reply == IssuerReply(
        response_code="00", balance=Balance(available_minor=700, currency=CNY, account_type="20")
    )
    bank.now += HOLD_MS
    of_credit = bank.ask(Kind.BALANCE, 3, 0, account="C", card=CREDIT)
    assert of_credit.balance == Balance(available_minor=500, currency=CNY, account_type="30")
    over = bank.ask(Kind.BALANCE, 4, 0)
    assert over.balance is not None
    assert over.balance.available_minor == 1_000, "a hold whose term is over is none"
    bank.ask(Kind.OFFLINE_SALE, 5, 1_050)
    owing = bank.ask(Kind.BALANCE, 6, 0)
    assert owing.balance is not None
    assert owing.balance.available_minor == -50
    assert bank.code(Kind.BALANCE, 7, 0, currency="840") == "13"


def test_a_balance_that_field_54_cannot_hold_says_the_most() -> None:
    reply = Bank(funds=MAX_AMOUNT_MINOR * 3).ask(Kind.BALANCE, 1, 0)
    assert reply.balance is not None
    assert reply.balance.available_minor == MAX_AMOUNT_MINOR


def test_a_balance_of_one_card_is_not_told_to_another() -> None:
    bank = Bank()
    bank.ask(Kind.SALE, 1)
    assert bank.ask(Kind.BALANCE, 1, 0, account="E").balance is None


def test_a_cardholder_check_checks_and_moves_nothing() -> None:
    bank = Bank()
    assert bank.ask(Kind.CARD_CHECK, 1, 0) == IssuerReply(response_code="00")
    assert bank.code(Kind.CARD_CHECK, 2, 0, evidence=Evidence(pin=Pin.WRONG)) == "55"
    assert (bank.money(), bank.state.accounts["D"].wrong_pins) == ((1_000, 1_000), 1)


# ------------------------------------------------------------------ transfers


def halves(bank: Bank, first: str = "D", second: str = "E", amount: int = 300) -> tuple[str, str]:
    out = bank.code(Kind.TRANSFER, 1, amount, account=first)
    return out, bank.code(Kind.TRANSFER, 1, amount, account=second, incoming=True, evidence=KEYED_NONE)


def test_both_halves_of_a_transfer_within_a_bank_go_by_one_id() -> None:
    bank = Bank()
    assert halves(bank) == ("00", "00")
    assert (bank.money("D")[0], bank.money("E")[0]) == (700, 1_300)
    assert halves(bank) == ("00", "00"), "repeated"
    assert bank.money("E")[0] == 1_300
    assert [(r.amount_minor, r.incoming) for r in bank.reverse(1) if isinstance(r, ReversalPosting)] == [
        (300, False),
        (-300, True),
    ]
    assert (bank.money("D")[0], bank.money("E")[0]) == (1_000, 1_000)
    assert bank.reverse(1) == ()
    assert halves(bank) == ("12", "12")


def test_a_reversal_between_the_halves_bars_the_second() -> None:
    bank = Bank()
    assert bank.code(Kind.TRANSFER, 1, 300) == "00"
    bank.reverse(1)
    assert bank.code(Kind.TRANSFER, 1, 300, account="E", incoming=True, evidence=KEYED_NONE) == "12"
    assert bank.money("E")[0] == 1_000


def test_a_reversal_of_nothing_bars_both_halves() -> None:
    bank = Bank()
    bank.reverse(1)
    assert halves(bank) == ("12", "12")


def test_at_the_receivers_bank_a_reversal_takes_back_even_what_has_been_spent() -> None:
    bank = Bank()
    assert bank.code(Kind.TRANSFER, 1, 300, account="E", incoming=True, evidence=KEYED_NONE) == "00"
    assert bank.code(Kind.SALE, 2, 1_300, account="E") == "00"
    bank.reverse(1)
    assert (bank.money("E"), bank.state.accounts["E"].forced_minor) == ((-300, -300), 300)


def test_a_refused_second_half_leaves_the_first_as_it_is() -> None:
    bank = Bank()
    bank.state.accounts["E"].status = "frozen"
    assert halves(bank) == ("00", "62")
    assert halves(bank) == ("00", "62")
    assert bank.money("D")[0] == 700
    assert bank.code(Kind.TRANSFER, 3, 300, account="", incoming=True, evidence=KEYED_NONE) == "14"
    bank.reverse(1)
    assert bank.money("D")[0] == 1_000


def test_only_a_transfer_has_a_second_half() -> None:
    assert Bank().code(Kind.SALE, 1, incoming=True) == "40"


# ------------------------------------------------------------------ cards


@pytest.mark.parametrize(
    ("status", "expected"),
    [("lost", "41"), ("stolen", "43"), ("frozen", "62"), ("inactive", "21"), ("expired", "54"), ("capture", "04")],
)
def test_what_the_bank_thinks_of_a_card(status: str, expected: str) -> None:
    bank = Bank()
    bank.state.accounts["D"].status = status
    assert bank.code(Kind.SALE, 1) == expected
    assert bank.code(Kind.BALANCE, 2, 0) == expected
    assert bank.code(Kind.TRANSFER, 3, incoming=True) == expected


@pytest.mark.parametrize(("entry_mode", "expected"), [("021", "45"), ("051", "00"), ("071", "00"), ("011", "00")])
def test_a_card_with_a_chip_is_not_swiped(entry_mode: str, expected: str) -> None:
    evidence = Evidence(chip=Chip.RIGHT, counter=1) if entry_mode[0:2] in ("05", "07") else Evidence()
    answered = Bank().code(Kind.SALE, 1, card=CardTerms(chip_only=True), entry_mode=entry_mode, evidence=evidence)
    assert answered == expected


@pytest.mark.parametrize(("captured", "expected"), [(False, "75"), (True, "38")])
def test_three_wrong_pins_cost_the_pin_or_the_card(captured: bool, expected: str) -> None:
    bank, card = Bank(), CardTerms(captured=captured)
    for number in (1, 2, 3):
        assert bank.code(Kind.SALE, number, card=card, evidence=Evidence(pin=Pin.WRONG)) == "55"
    assert bank.code(Kind.SALE, 4, card=card) == expected


def test_what_a_card_is_not_for() -> None:
    card = CardTerms(not_permitted=frozenset({Kind.PRE_AUTH}))
    assert (Bank().code(Kind.PRE_AUTH, 1, card=card), Bank().code(Kind.SALE, 1, card=card)) == ("57", "00")


def test_a_card_whose_answer_is_scripted() -> None:
    bank, card = Bank(), CardTerms(response_code="34")
    assert bank.code(Kind.SALE, 1, card=card) == "34"
    assert bank.code(Kind.TRANSFER, 2, card=card, incoming=True) == "34"
    assert bank.code(Kind.SALE, 3, card=CardTerms(response_code="34", debit=True), evidence=KEYED_NONE) == "55"


def test_limits_of_one_transaction_and_of_a_day() -> None:
    bank, card = Bank(), CardTerms(most_minor=500, day_minor=800)
    assert bank.code(Kind.SALE, 1, 501, card=card) == "61"
    assert bank.code(Kind.SALE, 2, 500, card=card) == "00"
    assert bank.code(Kind.PRE_AUTH, 3, 301, card=card) == "61"
    assert bank.code(Kind.PRE_AUTH, 4, 300, card=card) == "00"
    assert bank.code(Kind.COMPLETION, 5, 300, card=card, original=4) == "00", "it was counted when it was held"
    assert bank.code(Kind.SALE, 6, 1, card=card) == "61"
    assert bank.code(Kind.VOID, 7, 500, card=card, original=2) == "00"
    bank.now += DAY_MS
    assert bank.code(Kind.SALE, 8, 500, card=card) == "00"


def test_so_many_a_day() -> None:
    bank, card = Bank(), CardTerms(day_count=2)
    assert [bank.code(Kind.SALE, number, card=card) for number in (1, 2, 3)] == ["00", "00", "65"]
    assert bank.code(Kind.BALANCE, 4, 0, card=card) == "00", "a question is not counted"
    bank.now += DAY_MS
    assert bank.code(Kind.SALE, 5, card=card) == "00"


# ------------------------------------------------------------------ another currency


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**8))
def test_what_can_be_spent_is_the_most_that_is_billed_for_no_more(available: int, rate: int) -> None:
    billing = Billing(currency=CNY, account_currency="344", rate_millionths=rate)
    most = billing.spendable(available)
    assert billing.billed(most) <= available < billing.billed(most + 1)


def test_a_foreign_account_tells_its_balance_in_the_currency_that_was_asked_in() -> None:
    bank = Bank()
    bank.state.accounts["C"] = Account("C", currency="344", credit_limit_minor=10_850)
    assert HKD.booked(10_000, CNY) == (10_850, "344")
    assert HKD.booked(10_000, "840") == (10_000, "840"), "refused as what it is"
    foreign = {"account": "C", "card": CREDIT, "bank": HKD, "currency": "344"}
    balance = bank.ask(Kind.BALANCE, 1, 0, **foreign).balance
    assert balance == Balance(available_minor=10_000, currency=CNY, account_type="30")
    assert bank.code(Kind.SALE, 2, HKD.booked(10_001, CNY)[0], takes_part=True, **foreign) == "51"
    assert bank.code(Kind.SALE, 3, HKD.booked(10_000, CNY)[0], **foreign) == "00"
    assert bank.code(Kind.SALE, 4, 1, **(foreign | {"currency": "840"})) == "13"
    posting = bank.records[2]
    assert isinstance(posting, Posting)
    assert (posting.amount_minor, posting.currency) == (10_850, "344")
