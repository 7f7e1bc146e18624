"""What the switch checks of each kind, what it keeps of it and what it asks: a row of the table at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from auth.app import register_of
from auth.domain import authorize, reverse, settle
from auth.domain.claims import Recollection
from auth.domain.kinds import RULES
from auth.domain.register import MerchantEntry, Register, TerminalEntry
from auth.domain.state import Shard, apply
from auth.machine import ShardMachine
from contracts import slices
from contracts.authorization import (
    AuthorizeRequest,
    CardData,
    IssuerReply,
    Original,
    ReverseRequest,
    SettleRequest,
    Target,
    Totals,
)
from contracts.identity import identity_of
from contracts.journal import Intent, Recalled, Reversed, Reversing, Tombstone
from contracts.kinds import CLAIMS, Kind
from contracts.pan import MaskedCard, Pan, luhn_check_digit
from contracts.questions import FoundTransaction
from contracts.states import State
from contracts.terms import Balance, InstalmentPlan, InstalmentTerms
from world import built_in

PAN, PAYEE, STOPPED, NO_BANK = (
    p + luhn_check_digit(p) for p in ("629101000000001", "629102000000001", "629102000000002", "900000000000000")
)
REGISTER = Register(
    merchants={"M1": MerchantEntry(True, 100_00, completion_percent=110)},
    terminals={"T1": TerminalEntry("M1", True), "T2": TerminalEntry("M1", True)},
    terminals_of={"M1": ("T1", "T2")},
    institution_for=lambda pan: {"629101": "bank", "629102": "other"}.get(pan.clear()[:6], ""),
    stop_reason=lambda pan: "41" if pan.clear() == STOPPED else "",
    institutions=("bank", "other"),
    currency="156",
)
MASKED = MaskedCard(first6=PAN[:6], last4=PAN[-4:], length=16, digest="d" * 32)
PAYEE_MASKED = MaskedCard(first6=PAYEE[:6], last4=PAYEE[-4:], length=16, digest="e" * 32)
LOOKS = (Kind.BALANCE, Kind.CARD_CHECK)


class Desk:
    """A shard, asked as the office asks; each request has the next trace number."""

    def __init__(self) -> None:
        self.shard = Shard()
        self.stan = 0

    def request(
        self, kind: Kind, amount_minor: int | None = None, *, terminal: str = "T1", **more: Any
    ) -> AuthorizeRequest:
        self.stan += 1
        values: dict[str, Any] = {
            "kind": kind,
            "terminal": terminal,
            "merchant": "M1",
            "batch": self.shard.terminal(terminal).batch,
            "stan": f"{self.stan:06d}",
            "amount_minor": (0 if kind in LOOKS else 10_00) if amount_minor is None else amount_minor,
            "currency": "156",
            "entry_mode": "021",
            "card": CardData(pan=Pan(PAN)),
            "masked": MASKED,
            "fingerprint": "f" * 32,
        }
        if kind is Kind.TRANSFER:
            values["target"] = Target(pan=Pan(PAYEE), masked=PAYEE_MASKED)
        if kind is Kind.INSTALMENT:
            values["instalment"] = InstalmentPlan(periods=12)
        return AuthorizeRequest(**{**values, **more})

    def decide(self, request: AuthorizeRequest, recollection: Recollection | None = None) -> Any:
        decision = authorize.decide(REGISTER, self.shard, 0, request, at_ms=1, trace="", recollection=recollection)
        for record in getattr(decision, "records", ()):
            apply(self.shard, record)
        return decision

    def answer(self, id_: str, code: str = "00", *, takes_part: bool = False, **more: Any) -> None:
        said = IssuerReply(response_code=code, authorization_code="A00001", **more)
        apply(
            self.shard,
            authorize.conclude(self.shard.transactions[id_], said, takes_part=takes_part, at_ms=2, trace=""),
        )

    def do(self, kind: Kind, amount_minor: int | None = None, code: str = "00", **more: Any) -> str:
        """Asked and answered; gives its id."""
        decision = self.decide(self.request(kind, amount_minor, **more))
        assert isinstance(decision, authorize.Forward), decision
        if code:
            self.answer(decision.id, code)
        return decision.id

    def named(self, id_: str, **more: Any) -> Original:
        known = self.shard.transactions[id_]
        return Original(batch=known.batch, stan=known.stan, date="0101", **more)

    def code(self, kind: Kind, amount_minor: int | None = None, **more: Any) -> str:
        """The code with which the switch declines by itself; empty: it does not."""
        decision = self.decide(self.request(kind, amount_minor, **more))
        if isinstance(decision, authorize.Refuse):
            return decision.reply.response_code
        if isinstance(decision, authorize.Decline):
            intent = decision.records[0]
            assert isinstance(intent, Intent)
            assert not intent.original, "what is declined claims nothing"
            return self.shard.transactions[decision.id].response_code
        assert isinstance(decision, authorize.Forward), decision
        return ""

    def undo(self, id_: str, amount_minor: int = 10_00, kind: Kind | None = None) -> str:
        known = self.shard.transactions[id_]
        request = ReverseRequest(
            kind=kind or known.kind,
            terminal=known.terminal,
            merchant="M1",
            batch=known.batch,
            stan=known.stan,
            amount_minor=amount_minor,
            currency="156",
            reason="98",
        )
        decision = reverse.decide(REGISTER, self.shard, 0, request, at_ms=3, trace="")
        for record in decision.records:
            apply(self.shard, record)
        return decision.reply.response_code

    def acknowledge(self, id_: str) -> None:
        for institution in self.shard.transactions[id_].undelivered:
            apply(self.shard, Reversed(id=id_, institution=institution, at_ms=4))

    def close(self, terminal: str = "T1") -> Totals:
        request = SettleRequest(
            terminal=terminal,
            merchant="M1",
            batch=self.shard.terminal(terminal).batch,
            stan="000999",
            operator="01",
            currency="156",
            totals=Totals(),
        )
        told = settle.decide(REGISTER, self.shard, 0, request, at_ms=5, trace="")
        assert isinstance(told, settle.Settlement)
        agreed = msgspec.structs.replace(request, totals=told.reply.totals)
        closed = settle.decide(REGISTER, self.shard, 0, agreed, at_ms=5, trace="")
        assert isinstance(closed, settle.Settlement)
        for record in closed.records:
            apply(self.shard, record)
        return closed.reply.totals


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_every_kind_has_its_row_and_claims_what_the_contract_says() -> None:
    assert set(RULES) == set(Kind)
    assert {kind: rules.claiming.claim for kind, rules in RULES.items() if rules.claiming} == CLAIMS


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in CLAIMS])
def test_what_claims_nothing_is_asked_of_the_cards_bank(desk: Desk, kind: Kind) -> None:
    decision = desk.decide(desk.request(kind))
    assert isinstance(decision, authorize.Forward)
    assert decision.institution == "bank"
    assert decision.target_institution == ("other" if kind is Kind.TRANSFER else "")
    assert (desk.code(kind, 1) if kind in LOOKS else desk.code(kind, 0)) == "13"


MADE_OF = [
    # claim                  its original            another amount   the same again
    (Kind.VOID, Kind.SALE, "64", "12"),
    (Kind.INSTALMENT_VOID, Kind.INSTALMENT, "64", "12"),
    (Kind.PRE_AUTH_VOID, Kind.PRE_AUTH, "64", "12"),
    (Kind.COMPLETION, Kind.PRE_AUTH, "", "12"),
    (Kind.COMPLETION_ADVICE, Kind.PRE_AUTH, "", "12"),
    (Kind.REFUND, Kind.SALE, "", "13"),
    (Kind.REFUND, Kind.OFFLINE_SALE, "", "13"),
]


@pytest.mark.parametrize(("kind", "original", "another", "again"), MADE_OF)
def test_a_claim_is_made_once(desk: Desk, kind: Kind, original: Kind, another: str, again: str) -> None:
    first = desk.do(original)
    assert desk.code(kind, 9_99, original=desk.named(first)) == another
    if not another:  # it stands, then: start again
        first = desk.do(original)
    decision = desk.decide(desk.request(kind, original=desk.named(first, authorization_code="A00001")))
    assert isinstance(decision, authorize.Forward)
    assert decision.original == first
    assert isinstance(decision.records[0], Intent)
    assert decision.records[0].original_rrn == desk.shard.transactions[first].rrn
    assert desk.code(kind, original=desk.named(first)) == again
    assert desk.undo(first) == ("40" if original is Kind.OFFLINE_SALE else "12"), "what is claimed is not reversed"
    desk.answer(decision.id, "51")
    assert desk.code(kind, original=desk.named(first)) == "", "a declined claim stands no longer"


@pytest.mark.parametrize("kind", list(CLAIMS))
def test_precedence_of_a_claims_refusals(desk: Desk, kind: Kind) -> None:
    """Not found, of another kind, not standing, spent, another amount."""
    nothing = Original(batch="000001", stan="009999", date="0101")
    assert desk.code(kind, 9_99, original=nothing) == "25"
    looked = desk.do(Kind.BALANCE)
    assert desk.code(kind, 9_99, original=desk.named(looked)) == "12"
    fit = next(k for k in (Kind.SALE, Kind.INSTALMENT, Kind.PRE_AUTH, Kind.COMPLETION) if k in CLAIMS[kind].originals)
    more = {"original": desk.named(desk.do(Kind.PRE_AUTH))} if fit is Kind.COMPLETION else {}
    declined = desk.do(fit, code="51", **more)
    assert desk.code(kind, original=desk.named(declined)) == "12"
    open_ = desk.do(fit, code="", **more)
    assert desk.code(kind, original=desk.named(open_)) == "12"
    desk.answer(open_)
    assert desk.code(kind, original=desk.named(open_, rrn="000000009999")) == "25"
    assert desk.code(kind, original=desk.named(open_, authorization_code="B00000")) == "25"
    other_bank = {"card": CardData(pan=Pan(PAYEE))}
    assert desk.code(kind, original=desk.named(open_), **other_bank) == "12"
    assert desk.code(kind, original=desk.named(open_)) == ""


@pytest.mark.parametrize("kind", [kind for kind, asked in CLAIMS.items() if asked.same_batch])
def test_a_void_is_of_the_same_terminal_and_batch(desk: Desk, kind: Kind) -> None:
    fit = next(iter(CLAIMS[kind].originals - {Kind.COMPLETION_ADVICE}))
    more = {"original": desk.named(desk.do(Kind.PRE_AUTH))} if fit is Kind.COMPLETION else {}
    first = desk.do(fit, **more)
    assert desk.code(kind, original=desk.named(first), terminal="T2") == "25"
    named = desk.named(first)
    desk.close()
    assert desk.code(kind, original=named) == "25"


def test_a_hold_is_completed_at_another_terminal_and_up_to_what_the_merchant_may(desk: Desk) -> None:
    hold = desk.do(Kind.PRE_AUTH)
    named = desk.named(hold, authorization_code="A00001")
    assert desk.code(Kind.COMPLETION, 11_01, original=named, terminal="T2") == "61"
    assert desk.code(Kind.COMPLETION_ADVICE, 11_01, original=named, terminal="T2") == "61"
    assert desk.code(Kind.COMPLETION, 11_00, original=named, terminal="T2") == ""
    assert desk.code(Kind.PRE_AUTH_VOID, original=named) == "12"


def test_refunds_never_come_to_more_than_the_sale(desk: Desk) -> None:
    sale = desk.do(Kind.SALE)
    desk.close()
    named = Original(batch="000001", stan="000001", date="0101", rrn=desk.shard.transactions[sale].rrn)
    assert desk.code(Kind.REFUND, 4_00, original=named) == ""
    assert desk.code(Kind.REFUND, 6_01, original=named) == "13"
    assert desk.code(Kind.REFUND, 6_00, original=named, terminal="T2") == ""
    assert desk.code(Kind.REFUND, 1, original=named) == "13"


def test_a_sale_that_is_partly_given_back_is_not_voided_and_a_voided_one_is_not_given_back(desk: Desk) -> None:
    sale, other = desk.do(Kind.SALE), desk.do(Kind.SALE)
    desk.do(Kind.REFUND, 1_00, original=desk.named(sale))
    assert desk.code(Kind.VOID, original=desk.named(sale)) == "12"
    desk.do(Kind.VOID, original=desk.named(other))
    assert desk.code(Kind.REFUND, 1_00, original=desk.named(other)) == "12"


def test_the_reversal_of_a_void_frees_the_sale_once_the_bank_knows(desk: Desk) -> None:
    sale = desk.do(Kind.SALE)
    void = desk.do(Kind.VOID, original=desk.named(sale))
    assert desk.undo(void) == "00"
    assert desk.code(Kind.VOID, original=desk.named(sale)) == "91"
    assert desk.undo(sale) == "12"
    desk.acknowledge(void)
    assert desk.code(Kind.VOID, original=desk.named(sale)) == ""


def test_a_refund_that_is_being_reversed_is_waited_for(desk: Desk) -> None:
    sale = desk.do(Kind.SALE)
    silent = desk.do(Kind.REFUND, 4_00, code="", original=desk.named(sale))
    record = authorize.no_word(desk.shard.transactions[silent], at_ms=1, trace="")
    assert record is not None
    apply(desk.shard, record)
    assert desk.code(Kind.REFUND, 10_00, original=desk.named(sale)) == "91"
    assert desk.code(Kind.REFUND, 10_01, original=desk.named(sale)) == "13"
    desk.acknowledge(silent)
    assert desk.code(Kind.REFUND, 10_00, original=desk.named(sale)) == ""


def test_a_void_frees_no_hold_and_may_be_of_more_than_the_limit_is_by_now(desk: Desk) -> None:
    hold = desk.do(Kind.PRE_AUTH)
    completion = desk.do(Kind.COMPLETION, original=desk.named(hold))
    desk.shard.transactions[completion].amount_minor = 200_00
    assert desk.code(Kind.COMPLETION_VOID, 200_00, original=desk.named(completion)) == ""
    assert desk.code(Kind.PRE_AUTH_VOID, original=desk.named(hold)) == "12"
    assert desk.code(Kind.SALE, 200_00) == "61"


PARTS = [
    # takes a part   part   state, code, amount from there on
    (True, 4_00, (State.APPROVED, "10", 4_00)),
    (False, 4_00, (State.REVERSING, "68", 10_00)),
    (True, 0, (State.REVERSING, "68", 10_00)),
    (True, 10_00, (State.REVERSING, "68", 10_00)),
]


@pytest.mark.parametrize(("takes", "part", "becomes"), PARTS)
def test_a_partial_approval(desk: Desk, takes: bool, part: int, becomes: tuple[State, str, int]) -> None:
    sale = desk.do(Kind.SALE, code="")
    desk.answer(sale, "10", takes_part=takes, part_minor=part)
    known = desk.shard.transactions[sale]
    assert (known.state, known.response_code, known.amount_minor) == becomes
    assert authorize.reply_of(known).part_minor == (part if known.state is State.APPROVED else 0)


def test_from_a_partial_approval_on_the_part_is_the_amount_and_its_reversal_repeats_what_was_asked(desk: Desk) -> None:
    sale = desk.do(Kind.SALE, code="")
    desk.answer(sale, "10", takes_part=True, part_minor=4_00)
    assert desk.code(Kind.VOID, 10_00, original=desk.named(sale)) == "64"
    assert desk.code(Kind.REFUND, 4_01, original=desk.named(sale)) == "13"
    assert desk.undo(sale, 4_00) == "64"
    assert desk.undo(sale, 10_00) == "00"


def test_terms_and_balances_are_told_again_as_they_were(desk: Desk) -> None:
    balance, terms = (
        Balance(available_minor=5, currency="156"),
        InstalmentTerms(first_minor=1, currency="156", fee_minor=2),
    )
    for kind, more in ((Kind.BALANCE, {"balance": balance}), (Kind.INSTALMENT, {"instalment": terms})):
        request = desk.request(kind)
        decision = desk.decide(request)
        desk.answer(decision.id, **more)
        told = authorize.reply_of(desk.shard.transactions[decision.id])
        assert (told.balance or told.instalment) in (balance, terms)
        assert desk.decide(request) == authorize.Repeat(told)


def test_the_same_number_for_another_kind_or_another_original_is_no_repetition(desk: Desk) -> None:
    """Amount, card and processing code are the same, and so are the fingerprints."""
    first, second = desk.do(Kind.SALE), desk.do(Kind.SALE)
    request = desk.request(Kind.REFUND, original=desk.named(first))
    desk.decide(request)
    for more in ({"kind": Kind.VOID}, {"original": desk.named(second)}):
        decision = desk.decide(msgspec.structs.replace(request, **more))
        assert isinstance(decision, authorize.Refuse)
        assert decision.reply.response_code == "94"
    assert isinstance(desk.decide(request), authorize.InFlight)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_part_that_is_missing_or_too_much_is_a_format_error(desk: Desk, kind: Kind) -> None:
    given = {
        "original": Original(batch="000001", stan="000001", date="0101"),
        "target": Target(pan=Pan(PAYEE), masked=PAYEE_MASKED),
        "instalment": InstalmentPlan(periods=3),
    }
    needs = "original" if kind in CLAIMS else {Kind.TRANSFER: "target", Kind.INSTALMENT: "instalment"}.get(kind, "")
    for name, part in given.items():
        assert (
            desk.code(kind, **{**({needs: given[needs]} if needs else {}), name: None if name == needs else part})
            == "30"
        )
    assert not desk.shard.transactions


TARGETS = [
    (PAYEE, ""),
    (PAYEE[:-1] + str((int(PAYEE[-1]) + 1) % 10), "14"),
    (PAN, "14"),
    (NO_BANK, "15"),
    (STOPPED, "62"),
]


@pytest.mark.parametrize(("pan", "code"), TARGETS)
def test_where_a_transfer_may_go(desk: Desk, pan: str, code: str) -> None:
    assert desk.code(Kind.TRANSFER, target=Target(pan=Pan(pan), masked=PAYEE_MASKED)) == code


def test_a_transfer_is_reversed_at_both_banks_and_within_one_bank_at_that_one(desk: Desk) -> None:
    both = desk.do(Kind.TRANSFER)
    assert desk.undo(both) == "00"
    assert desk.shard.transactions[both].undelivered == ("bank", "other")
    apply(desk.shard, Reversed(id=both, institution="bank", at_ms=4))
    assert desk.shard.transactions[both].state is State.REVERSING
    apply(desk.shard, Reversed(id=both, institution="other", at_ms=4))
    assert desk.shard.transactions[both].state is State.REVERSED
    own = PAN[:-2] + "9"
    within = desk.do(Kind.TRANSFER, code="", target=Target(pan=Pan(own + luhn_check_digit(own)), masked=PAYEE_MASKED))
    left = reverse.abandoned(desk.shard, at_ms=5)
    assert [record.id for record in left if isinstance(record, Reversing)] == [within]
    apply(desk.shard, left[0])
    assert desk.shard.transactions[within].undelivered == ("bank",)


@pytest.mark.parametrize("kind", [Kind.BALANCE, Kind.CARD_CHECK, Kind.OFFLINE_SALE])
def test_what_is_not_reversible_is_not_reversed(desk: Desk, kind: Kind) -> None:
    id_ = desk.do(kind)
    assert desk.undo(id_, 0 if kind in LOOKS else 10_00) == "40"
    assert desk.undo(id_, 0 if kind in LOOKS else 10_00, kind=Kind.SALE) == "12", "and not under another name"


def test_only_what_takes_or_returns_is_counted_and_settled(desk: Desk) -> None:
    ids = {kind: desk.do(kind) for kind in Kind if kind not in CLAIMS}
    ids[Kind.VOID] = desk.do(Kind.VOID, original=desk.named(ids[Kind.SALE]))
    ids[Kind.PRE_AUTH_VOID] = desk.do(Kind.PRE_AUTH_VOID, original=desk.named(ids[Kind.PRE_AUTH]))
    assert desk.close() == Totals(debit_minor=30_00, debit_count=3, credit_minor=10_00, credit_count=1)
    settled = {kind for kind, id_ in ids.items() if desk.shard.transactions[id_].state is State.SETTLED}
    assert settled == {Kind.SALE, Kind.INSTALMENT, Kind.OFFLINE_SALE, Kind.VOID}


# ------------------------------------------------------------------ what has been forgotten


def found(id_: str, **more: Any) -> FoundTransaction:
    terminal, batch, stan = id_.split(":")
    values: dict[str, Any] = {
        "id": id_,
        "rrn": "000000000001",
        "kind": Kind.SALE,
        "terminal": terminal,
        "merchant": "M1",
        "batch": batch,
        "stan": stan,
        "amount_minor": 10_00,
        "currency": "156",
        "institution": "bank",
        "authorization_code": "A00001",
        "state": State.SETTLED,
        "decided_ms": 1,
        "taken_minor": 0,
        "spent": False,
    }
    return FoundTransaction(**{**values, **more})


def forgotten(desk: Desk) -> tuple[str, Original]:
    """A sale three batches ago, and how a terminal names it."""
    id_ = desk.do(Kind.SALE)
    named = desk.named(id_, rrn=desk.shard.transactions[id_].rrn)
    for _ in range(2):
        desk.close()
    assert id_ not in desk.shard.transactions
    return id_, named


def test_the_ledger_is_asked_for_what_is_forgotten_and_what_it_says_is_journalled_first(desk: Desk) -> None:
    id_, named = forgotten(desk)
    request = desk.request(Kind.REFUND, 4_00, original=named)
    recall = desk.decide(request)
    assert recall == authorize.Recall(request_id(request), (id_,), named.rrn, "")
    decision = desk.decide(request, Recollection((id_,), found(id_, taken_minor=5_00)))
    assert isinstance(decision, authorize.Forward)
    recalled, intent = decision.records
    assert isinstance(recalled, Recalled)
    assert isinstance(intent, Intent)
    assert (recalled.id, intent.original) == (id_, id_)
    assert desk.code(Kind.REFUND, 1_01, original=named) == "13", (
        "it is known again, and what had been given back with it"
    )
    assert desk.code(Kind.REFUND, 1_00, original=named) == ""


def request_id(request: AuthorizeRequest) -> str:
    return f"{request.terminal}:{request.batch}:{request.stan}"


def test_a_ledger_that_knows_nothing_or_says_nothing(desk: Desk) -> None:
    id_, named = forgotten(desk)
    for recollection, code in ((Recollection((id_,)), "25"), (Recollection((id_,), silent=True), "96")):
        request = desk.request(Kind.REFUND, original=named)
        decision = desk.decide(request, recollection)
        assert isinstance(decision, authorize.Decline)
        told = authorize.reply_of(desk.shard.transactions[decision.id])
        assert told.response_code == code
        assert desk.decide(request) == authorize.Repeat(told), "whatever could be looked up by now"
    assert id_ not in desk.shard.transactions


def test_an_answer_about_something_else_is_asked_for_again(desk: Desk) -> None:
    id_, named = forgotten(desk)
    request = desk.request(Kind.REFUND, original=named)
    assert isinstance(desk.decide(request, Recollection(("T2:000001:000001",))), authorize.Recall)
    wrong = found(id_, merchant="M2")
    decision = desk.decide(request, Recollection((id_,), wrong))
    assert isinstance(decision, authorize.Decline)
    assert desk.shard.transactions[decision.id].response_code == "25"


def test_nothing_is_asked_that_memory_knows_or_that_cannot_have_been(desk: Desk) -> None:
    assert desk.code(Kind.REFUND, original=Original(batch="000009", stan="000001", date="0101")) == "25", (
        "no batch closed yet"
    )
    sale = desk.do(Kind.SALE)
    named = desk.named(sale)
    desk.close()
    assert desk.code(Kind.REFUND, original=named) == "", "the last batch is in memory"
    absent = Original(batch="000001", stan="009999", date="0101")
    assert desk.code(Kind.REFUND, original=absent) == "25"


@pytest.mark.parametrize("code", ["", "A00001"])
def test_without_a_reference_number_the_own_forgotten_one_comes_before_anothers_in_memory(
    desk: Desk, code: str
) -> None:
    """An authorization code does not tell them apart: two banks may have given the same."""
    id_, named = forgotten(desk)
    unnamed = msgspec.structs.replace(named, rrn="", authorization_code=code)
    desk.stan = 0
    twin = desk.do(Kind.SALE, terminal="T2")
    assert twin.partition(":")[2] == id_.partition(":")[2]
    desk.stan = 50
    request = desk.request(Kind.REFUND, 1_00, original=unnamed)
    assert isinstance(desk.decide(request), authorize.Recall)
    decision = desk.decide(request, Recollection((id_,)))
    assert isinstance(decision, authorize.Forward)
    assert decision.original == twin, "when there is no such own one"
    told = msgspec.structs.replace(named, rrn=desk.shard.transactions[twin].rrn)
    assert desk.code(Kind.REFUND, 1_00, original=told) == "", "a reference number leaves nothing open"


@pytest.mark.parametrize(
    ("recollection", "code"),
    [
        (lambda id_: Recollection((id_,), found(id_, taken_minor=1_00)), "12"),
        (lambda id_: Recollection((id_,), found(id_, taken_minor=10_00, spent=True)), "12"),
        (lambda id_: Recollection((id_,), silent=True), "96"),
        (lambda id_: Recollection((id_,), found(id_)), "00"),
        (lambda id_: Recollection((id_,)), "00"),
    ],
)
def test_what_a_claim_stands_on_is_not_reversed_though_it_is_forgotten(
    desk: Desk, recollection: Callable[[str], Recollection], code: str
) -> None:
    """Its bank would give back a second time what was given back."""
    id_, _ = forgotten(desk)
    terminal, batch, stan = identity_of(id_)
    request = ReverseRequest(
        kind=Kind.SALE,
        terminal=terminal,
        merchant="M1",
        batch=batch,
        stan=stan,
        amount_minor=10_00,
        currency="156",
        reason="98",
    )
    asked = reverse.decide(REGISTER, desk.shard, 0, request, at_ms=3, trace="")
    assert asked == authorize.Recall(id_, (id_,), "", "")
    told = reverse.decide(REGISTER, desk.shard, 0, request, at_ms=3, trace="", recollection=recollection(id_))
    assert isinstance(told, reverse.Reversal)
    assert told.reply.response_code == code
    assert len(told.records) == (code == "00")


def test_the_late_reversal_of_a_forgotten_claim_frees_its_original(desk: Desk) -> None:
    hold = desk.do(Kind.PRE_AUTH)
    id_ = desk.do(Kind.COMPLETION, original=desk.named(hold))
    for _ in range(2):
        desk.close()
    terminal, batch, stan = identity_of(id_)
    request = ReverseRequest(
        kind=Kind.COMPLETION,
        terminal=terminal,
        merchant="M1",
        batch=batch,
        stan=stan,
        amount_minor=10_00,
        currency="156",
        reason="98",
    )
    said = Recollection((id_,), found(id_, kind=Kind.COMPLETION, original=hold))
    undone = reverse.decide(REGISTER, desk.shard, 0, request, at_ms=3, trace="", recollection=said)
    assert isinstance(undone, reverse.Reversal)
    (tombstone,) = undone.records
    assert isinstance(tombstone, Tombstone)
    assert tombstone.original == hold


def test_a_recalled_sale_is_reversed_like_any_and_its_request_is_of_an_old_batch(desk: Desk) -> None:
    id_, named = forgotten(desk)
    refund = desk.decide(desk.request(Kind.REFUND, original=named), Recollection((id_,), found(id_)))
    assert desk.undo(id_) == "12"
    old = msgspec.structs.replace(desk.request(Kind.SALE), batch="000001", stan=named.stan)
    decision = desk.decide(old)
    assert isinstance(decision, authorize.Refuse)
    assert decision.reply.response_code == "77"
    desk.answer(refund.id, "05")
    assert desk.undo(id_) == "00"
    assert desk.code(Kind.REFUND, original=named) == "12"


def test_what_changes_about_something_forgotten_makes_an_answer_of_before_untrue(desk: Desk) -> None:
    """A refund of before the sale was forgotten falls while the ledger is being asked."""
    sale = desk.do(Kind.SALE)
    named = desk.named(sale)
    desk.close()
    refund = desk.do(Kind.REFUND, 4_00, original=named, code="")
    record = authorize.no_word(desk.shard.transactions[refund], at_ms=1, trace="")
    assert record is not None
    apply(desk.shard, record)
    before = desk.shard.unseen
    desk.close()  # the sale leaves memory with the refund on it
    assert desk.shard.unseen > before
    before = desk.shard.unseen
    desk.acknowledge(refund)
    assert desk.shard.unseen > before


def test_a_snapshot_of_the_former_layout_is_none(desk: Desk) -> None:
    desk.do(Kind.SALE)
    machine = ShardMachine()
    dumped = machine.dump(desk.shard)
    assert machine.load(dumped) == desk.shard
    former = slices.join([bytes(part) for part in list(slices.split(dumped))[1:]])
    for damaged in (former, b""):
        with pytest.raises(msgspec.MsgspecError):
            machine.load(damaged)


def test_what_may_be_done_at_the_terminals_of_the_world() -> None:
    register = register_of(built_in())
    consumption, transfer, books = (register.terminals[tid].kinds for tid in ("10000001", "10000015", "10000004"))
    assert transfer == {Kind.TRANSFER, Kind.CARD_CHECK, Kind.BALANCE}
    assert consumption == set(Kind) - {Kind.TRANSFER, Kind.CARD_CHECK}
    assert consumption - books == {Kind.INSTALMENT, Kind.INSTALMENT_VOID}
    assert "10000015" in register.terminals_of[register.terminals["10000001"].merchant]


def test_a_kind_that_its_terminal_may_not_do_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    only = REGISTER._replace(terminals={"T1": TerminalEntry("M1", True, frozenset({Kind.BALANCE}))})
    monkeypatch.setattr("tests.unit.test_auth_kinds.REGISTER", only)
    assert desk.code(Kind.SALE, 0) == "58"
    assert desk.code(Kind.BALANCE) == ""
