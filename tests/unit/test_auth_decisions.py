"""The switch's decisions, in the order in which their codes win."""

from __future__ import annotations

import pytest

from auth.domain import authorize, reverse, settle, terminals
from auth.domain.register import MerchantEntry, Register, TerminalEntry
from auth.domain.state import Shard, apply
from contracts.authorization import (
    AuthorizeRequest,
    CardData,
    IssuerReply,
    ReverseRequest,
    SettleRequest,
    SignOnRequest,
    Totals,
)
from contracts.journal import BatchClosed, BatchUnbalanced, LateAnswer, Outcome, Reversed, Reversing, Tombstone
from contracts.kinds import Kind
from contracts.pan import MaskedCard, Pan, luhn_check_digit
from contracts.states import State

GOOD, STOPPED, NO_BANK = (p + luhn_check_digit(p) for p in ("629101000000001", "629101000000002", "900000000000000"))
BAD_LUHN = GOOD[:-1] + str((int(GOOD[-1]) + 1) % 10)

REGISTER = Register(
    merchants={"M1": MerchantEntry(True, 100_00), "M2": MerchantEntry(False, 100_00)},
    terminals={
        "T1": TerminalEntry("M1", True),
        "T2": TerminalEntry("M1", False),
        "T3": TerminalEntry("M2", True),
    },
    terminals_of={"M1": ("T1", "T2"), "M2": ("T3",)},
    institution_for=lambda pan: "bank" if pan.clear().startswith("629101") else "",
    stop_reason=lambda pan: "41" if pan.clear() == STOPPED else "",
    institutions=("bank", "other"),
    currency="156",
)


def sale(
    *, terminal: str = "T1", merchant: str = "M1", stan: str = "000001", pan: str = GOOD, **more: object
) -> AuthorizeRequest:
    values: dict[str, object] = {
        "kind": Kind.SALE,
        "terminal": terminal,
        "merchant": merchant,
        "batch": "000001",
        "stan": stan,
        "amount_minor": 10_00,
        "currency": "156",
        "entry_mode": "021",
        "card": CardData(pan=Pan(pan)),
        "masked": MaskedCard(first6=pan[:6], last4=pan[-4:], length=16, digest="d" * 32),
        "fingerprint": f"{hash((pan, more.get('amount_minor', 10_00))) % 2**128:032x}",
    }
    return AuthorizeRequest(**{**values, **more})  # type: ignore[arg-type]


def decide(shard: Shard, request: AuthorizeRequest) -> authorize.Decision:
    decision = authorize.decide(REGISTER, shard, 0, request, at_ms=1, trace="")
    if isinstance(decision, authorize.Decline | authorize.Forward):
        for record in decision.records:
            apply(shard, record)
    return decision


def answer(shard: Shard, id_: str, code: str) -> None:
    apply(
        shard,
        authorize.conclude(
            shard.transactions[id_], IssuerReply(response_code=code, authorization_code="A1"), at_ms=2, trace=""
        ),
    )


def undo(shard: Shard, stan: str = "000001", amount: int = 10_00, batch: str = "000001") -> reverse.Reversal:
    request = ReverseRequest(
        kind=Kind.SALE,
        terminal="T1",
        merchant="M1",
        batch=batch,
        stan=stan,
        amount_minor=amount,
        currency="156",
        reason="98",
    )
    decision = reverse.decide(REGISTER, shard, 0, request, at_ms=3, trace="")
    for record in decision.records:
        apply(shard, record)
    return decision


def close(
    shard: Shard, totals: Totals, batch: str = "000001", currency: str = "156"
) -> settle.Wait | settle.Settlement:
    request = SettleRequest(
        terminal="T1", merchant="M1", batch=batch, stan="000099", operator="01", currency=currency, totals=totals
    )
    decision = settle.decide(REGISTER, shard, 0, request, at_ms=4, trace="")
    if isinstance(decision, settle.Settlement):
        for record in decision.records:
            apply(shard, record)
    return decision


REPETITIONS = [
    # stored                asked                              what becomes of the second request
    ("1:a", "1:a", (), authorize.InFlight),
    ("1:a", "2:x", ("1:a",), authorize.InFlight),
    ("2:x", "1:a", ("2:x",), authorize.InFlight),
    ("1:a", "3:z", ("2:x", "1:a"), authorize.InFlight),
    ("1:a", "1:b", (), authorize.Refuse),
    ("1:a", "2:x", ("1:b",), authorize.Refuse),
    ("2:x", "1:x", ("2:y",), authorize.Refuse),  # the same digits under another version are nothing alike
    ("1:a", "2:x", (), authorize.Incomparable),
    ("1:a", "1x:a", (), authorize.Incomparable),
    ("2:x", "1:x", (), authorize.Incomparable),
    ("a", "1:a", (), authorize.Incomparable),  # a record older than versions
]


@pytest.mark.parametrize(("stored", "asked", "others", "expected"), REPETITIONS)
def test_like_is_compared_with_like(stored: str, asked: str, others: tuple[str, ...], expected: type) -> None:
    shard = Shard()
    assert isinstance(decide(shard, sale(fingerprint=stored)), authorize.Forward)
    again = decide(shard, sale(fingerprint=asked, other_fingerprints=others))
    assert type(again) is expected
    if isinstance(again, authorize.Refuse):
        assert again.reply.response_code == "94"


# Each row breaks its own rule and every rule below it: the code that wins is the first one's.
PRECEDENCE = [
    ("97", {"terminal": "T9", "merchant": "M2", "batch": "000009", "pan": BAD_LUHN, "amount_minor": 0}),
    ("03", {"terminal": "T1", "merchant": "M2", "batch": "000009", "pan": BAD_LUHN, "amount_minor": 0}),
    ("77", {"terminal": "T3", "merchant": "M2", "batch": "000009", "pan": BAD_LUHN, "amount_minor": 0}),
    ("03", {"terminal": "T3", "merchant": "M2", "pan": BAD_LUHN, "amount_minor": 0}),
    ("58", {"terminal": "T2", "pan": BAD_LUHN, "amount_minor": 0}),
    ("13", {"pan": BAD_LUHN, "amount_minor": 0}),
    ("13", {"pan": BAD_LUHN, "currency": "840"}),
    ("14", {"pan": BAD_LUHN, "amount_minor": 100_01}),
    ("15", {"pan": NO_BANK, "amount_minor": 100_01}),
    ("41", {"pan": STOPPED, "amount_minor": 100_01}),
    ("61", {"amount_minor": 100_01}),
]


@pytest.mark.parametrize(("code", "broken"), PRECEDENCE)
def test_precedence_of_refusals(code: str, broken: dict[str, object]) -> None:
    shard = Shard()
    decision = decide(shard, sale(**broken))  # type: ignore[arg-type]
    if isinstance(decision, authorize.Refuse):
        assert decision.reply.response_code == code
        assert not shard.transactions
    else:
        assert isinstance(decision, authorize.Decline)
        assert authorize.reply_of(shard.transactions[decision.id]).response_code == code


def test_a_good_sale_is_forwarded_with_its_intent() -> None:
    shard = Shard()
    decision = decide(shard, sale())
    assert isinstance(decision, authorize.Forward)
    assert (decision.institution, decision.rrn) == ("bank", "000000000001")
    assert shard.transactions[decision.id].state is State.INTENT


def test_repetition_comes_before_the_rules() -> None:
    shard = Shard()
    decision = decide(shard, sale())
    assert isinstance(decision, authorize.Forward)
    assert isinstance(decide(shard, sale()), authorize.InFlight)
    answer(shard, decision.id, "00")
    first = decide(shard, sale())
    assert isinstance(first, authorize.Repeat)
    assert first.reply.response_code == "00"
    assert decide(shard, sale()) == first
    other = decide(shard, sale(amount_minor=11_00))
    assert isinstance(other, authorize.Refuse)
    assert other.reply.response_code == "94"


def test_reversal_of_an_approval_once_and_again() -> None:
    shard = Shard()
    decide(shard, sale())
    answer(shard, "T1:000001:000001", "00")
    first, again = undo(shard), undo(shard)
    assert isinstance(first.records[0], Reversing)
    assert not first.records[0].after_close
    assert again.records == ()
    assert first.reply == again.reply
    assert first.reply.response_code == "00"


def test_reversal_while_the_issuer_works_wins_over_its_late_word() -> None:
    shard = Shard()
    decide(shard, sale())
    assert undo(shard).reply.response_code == "00"
    late = authorize.conclude(
        shard.transactions["T1:000001:000001"], IssuerReply(response_code="00"), at_ms=9, trace=""
    )
    assert isinstance(late, LateAnswer)
    apply(shard, late)
    assert shard.transactions["T1:000001:000001"].state is State.REVERSING
    repeat = decide(shard, sale())
    assert isinstance(repeat, authorize.Repeat)
    assert repeat.reply.response_code == "68"


def test_reversal_of_a_decline_has_nothing_to_do() -> None:
    shard = Shard()
    decide(shard, sale())
    answer(shard, "T1:000001:000001", "51")
    assert undo(shard).reply.response_code == "12"


def test_reversal_with_another_amount_is_refused() -> None:
    shard = Shard()
    decide(shard, sale())
    answer(shard, "T1:000001:000001", "00")
    assert undo(shard, amount=9_99).reply.response_code == "64"


def test_an_unknown_original_is_remembered_and_refused_when_it_comes() -> None:
    shard = Shard()
    first = undo(shard)
    assert isinstance(first.records[0], Tombstone)
    assert first.records[0].institutions == ("bank", "other")
    assert undo(shard).reply == first.reply
    late = decide(shard, sale())
    assert isinstance(late, authorize.Repeat)
    assert late.reply.response_code == "12"
    for institution in ("bank", "other"):
        assert shard.transactions["T1:000001:000001"].state is State.REVERSING
        apply(shard, Reversed(id="T1:000001:000001", institution=institution, at_ms=5))
    assert shard.transactions["T1:000001:000001"].state is State.REVERSED


def test_a_new_owner_reverses_open_intents() -> None:
    shard = Shard()
    decide(shard, sale(stan="000001"))
    decide(shard, sale(stan="000002"))
    answer(shard, "T1:000001:000001", "00")
    records = reverse.abandoned(shard, at_ms=5)
    assert [r.id for r in records if isinstance(r, Reversing)] == ["T1:000001:000002"]
    for record in records:
        apply(shard, record)
    assert not shard.intents
    assert list(shard.reversals["bank"]) == ["T1:000001:000002"]


def test_no_word_reverses_and_not_reached_declines() -> None:
    shard = Shard()
    decide(shard, sale())
    transaction = shard.transactions["T1:000001:000001"]
    assert isinstance(authorize.no_word(transaction, at_ms=1, trace=""), Reversing)
    declined = authorize.not_reached(transaction, at_ms=1, trace="")
    assert isinstance(declined, Outcome)
    assert declined.response_code == "91"
    undo(shard)
    assert authorize.no_word(transaction, at_ms=1, trace="") is None
    assert authorize.not_reached(transaction, at_ms=1, trace="") is None


def test_batch_close_waits_compares_and_is_repeatable() -> None:
    shard = Shard()
    decide(shard, sale(stan="000001"))
    decide(shard, sale(stan="000002"))
    answer(shard, "T1:000001:000001", "00")
    waiting = close(shard, Totals(debit_minor=10_00, debit_count=1))
    assert waiting == settle.Wait(("T1:000001:000002",))
    answer(shard, "T1:000001:000002", "51")
    unbalanced = close(shard, Totals(debit_minor=20_00, debit_count=2))
    assert isinstance(unbalanced, settle.Settlement)
    assert unbalanced.reply.result == "2"
    assert isinstance(unbalanced.records[0], BatchUnbalanced)
    assert unbalanced.reply.totals == Totals(debit_minor=10_00, debit_count=1)
    balanced = close(shard, Totals(debit_minor=10_00, debit_count=1))
    assert isinstance(balanced, settle.Settlement)
    assert balanced.reply.result == "1"
    assert isinstance(balanced.records[0], BatchClosed)
    again = close(shard, Totals(debit_minor=10_00, debit_count=1))
    assert isinstance(again, settle.Settlement)
    assert again.records == ()
    assert again.reply == balanced.reply
    assert shard.transactions["T1:000001:000001"].state is State.SETTLED
    assert shard.terminal("T1").batch == "000002"


def test_a_reversed_sale_is_not_in_the_totals_and_a_late_reversal_is_marked() -> None:
    shard = Shard()
    for stan in ("000001", "000002"):
        decide(shard, sale(stan=stan))
        answer(shard, f"T1:000001:{stan}", "00")
    undo(shard, "000001")
    closed = close(shard, Totals(debit_minor=10_00, debit_count=1))
    assert isinstance(closed, settle.Settlement)
    assert closed.reply.result == "1"
    late = undo(shard, "000002")
    assert isinstance(late.records[0], Reversing)
    assert late.records[0].after_close


def test_what_is_two_batches_old_leaves_memory() -> None:
    shard = Shard()
    decide(shard, sale())
    answer(shard, "T1:000001:000001", "00")
    close(shard, Totals(debit_minor=10_00, debit_count=1))
    assert "T1:000001:000001" in shard.transactions
    close(shard, Totals(), batch="000002")
    assert not shard.transactions


def test_sign_on_gives_the_open_batch() -> None:
    shard = Shard()
    for terminal, merchant, code in (("T1", "M1", "00"), ("T2", "M1", "58"), ("T3", "M2", "03"), ("T9", "M1", "97")):
        request = SignOnRequest(terminal=terminal, merchant=merchant, stan="000001", operator="01")
        decision = terminals.sign_on(REGISTER, shard, 0, request, at_ms=1, trace="")
        assert decision.reply.response_code == code
        assert decision.reply.batch == ("000001" if code == "00" else "")


def test_a_close_in_another_currency_or_batch_is_an_error() -> None:
    shard = Shard()
    for more in ({"currency": "840"}, {"batch": "000002"}):
        refused = close(shard, Totals(), **more)
        assert isinstance(refused, settle.Settlement)
        assert (refused.reply.result, refused.records) == ("3", ())
