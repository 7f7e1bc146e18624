"""The bank's rules one by one, in the order in which they win."""

from __future__ import annotations

import pytest

from contracts.authorization import IssuerReply
from contracts.ledger import LedgerEpochStarted, Posting, Refusal, ReversalPosting
from contracts.money import CNY
from issuer_sim.domain import accounts, archive
from issuer_sim.domain.accounts import Account, State
from issuer_sim.domain.decide import Decision, authorization_code, decide
from issuer_sim.domain.facts import Asked, Evidence, Pin, is_expired
from issuer_sim.domain.reverse import decide_reverse
from issuer_sim.domain.scripted import PLAIN, Script, script_for
from issuer_sim.domain.terms import CardTerms

FUNDS = 1_000
TX = "10000001:000001:000001"
DEBIT, CREDIT = CardTerms(debit=True), CardTerms()


def bank() -> State:
    return accounts.open_accounts(
        [
            Account("D1", opening_minor=FUNDS),
            Account("C1", credit_limit_minor=500),
            Account("LOST", opening_minor=FUNDS, status="lost"),
            Account("STOLEN", opening_minor=FUNDS, status="stolen"),
            Account("HELD", opening_minor=FUNDS, status="restricted"),
            Account("ODD", opening_minor=FUNDS, status="not-a-status"),
        ]
    )


def asked(transaction: str = TX, account: str = "D1", amount: int = 100, **other: object) -> Asked:
    facts: dict[str, object] = {"currency": CNY, "card": DEBIT, "at_ms": 7} | other
    return Asked(transaction=transaction, account=account, amount_minor=amount, **facts)  # type: ignore[arg-type]


RIGHT = Evidence(pin=Pin.RIGHT)


def answer(state: State, request: Asked, evidence: Evidence = RIGHT, script: Script = PLAIN) -> Decision:
    """Decides and applies, as an owner does."""
    decision = decide(state, request, evidence, script)
    for record in decision.records:
        accounts.apply(state, record)
    return decision


def reverse(state: State, transaction: str = TX) -> tuple[ReversalPosting, ...]:
    decision = decide_reverse(state, transaction, reason="98", at_ms=8)
    for record in decision.records:
        accounts.apply(state, record)
    assert decision.reply.response_code == "00"
    return decision.records  # type: ignore[return-value]


def guess_wrong(state: State, times: int) -> None:
    for n in range(times):
        assert code(answer(state, asked(f"guess{n}"), Evidence(pin=Pin.WRONG))) == "55"


def code(decision: Decision) -> str:
    assert decision.reply is not None
    return decision.reply.response_code


# Each row: everything that is wrong at once, from the rule named to the last; the rule named must win.
# A row's faults are its own and those of all rows below it.
PRECEDENCE = ["14", "41", "54", "59", "75", "55", "13", "05", "51", "00"]


def request_with_faults(state: State, first: str) -> Decision:
    faults = set(PRECEDENCE[PRECEDENCE.index(first) :]) - {"00"}
    if "75" in faults:
        for n in range(3):
            accounts.apply(
                state,
                Refusal(
                    at_ms=1, id=f"g{n}", response_code="55", account="LOST" if "41" in faults else "D1", wrong_pin=True
                ),
            )
    amount, currency, script = 100, CNY, PLAIN
    if "51" in faults:
        amount = FUNDS + 1
    if "05" in faults:
        amount = 800_005
        script = script_for(amount)
    if "13" in faults:
        currency = "840"
    account = "NOBODY" if "14" in faults else "LOST" if "41" in faults else "D1"
    evidence = Evidence(
        expired="54" in faults, card_ok="59" not in faults, pin=Pin.WRONG if "55" in faults else Pin.RIGHT
    )
    return decide(state, asked(account=account, amount=amount, currency=currency), evidence, script)


@pytest.mark.parametrize("first", PRECEDENCE)
def test_the_first_rule_wins_over_all_that_follow(first: str) -> None:
    assert code(request_with_faults(bank(), first)) == first


@pytest.mark.parametrize(("account", "expected"), [("LOST", "41"), ("STOLEN", "43"), ("HELD", "62"), ("ODD", "62")])
def test_card_status(account: str, expected: str) -> None:
    assert code(answer(bank(), asked(account=account))) == expected


def test_a_known_id_is_answered_before_any_rule_and_without_a_record() -> None:
    state = bank()
    first = answer(state, asked())
    again = decide(
        state, asked(account="NOBODY", amount=FUNDS * 9), Evidence(expired=True, card_ok=False, pin=Pin.WRONG)
    )
    assert (again.records, again.reply) == ((), first.reply)


def test_a_refusal_is_repeated_even_when_it_would_now_be_approved() -> None:
    state = bank()
    assert code(answer(state, asked(), Evidence(pin=Pin.WRONG))) == "55"
    again = decide(state, asked(), RIGHT)
    assert (again.records, code(again)) == ((), "55")


def test_an_approval_takes_the_money_and_gives_a_code_of_its_own() -> None:
    state = bank()
    first, second = answer(state, asked("a")), answer(state, asked("b"))
    assert first.reply == IssuerReply(response_code="00", authorization_code="000001")
    assert second.reply == IssuerReply(response_code="00", authorization_code="000002")
    assert state.accounts["D1"].balance_minor == FUNDS - 200


def test_funds_to_the_last_fen_and_not_one_more() -> None:
    state = bank()
    assert code(answer(state, asked("over", amount=FUNDS + 1))) == "51"
    assert code(answer(state, asked("all", amount=FUNDS))) == "00"
    assert code(answer(state, asked("more", amount=1))) == "51"


def test_a_credit_line_needs_no_pin_and_ends_at_its_limit() -> None:
    state, no_pin = bank(), Evidence()
    assert code(answer(state, asked("a", "C1", 500, card=CREDIT), no_pin)) == "00"
    assert state.accounts["C1"].balance_minor == -500
    assert code(answer(state, asked("b", "C1", 1, card=CREDIT), no_pin)) == "51"


def test_a_pin_on_a_credit_card_is_still_checked() -> None:
    assert code(answer(bank(), asked(account="C1", card=CREDIT), Evidence(pin=Pin.WRONG))) == "55"


@pytest.mark.parametrize(("pin", "expected"), [(Pin.ABSENT, "55"), (Pin.UNREADABLE, "99")])
def test_what_is_no_guess_is_not_counted(pin: Pin, expected: str) -> None:
    state = bank()
    assert code(answer(state, asked(), Evidence(pin=pin))) == expected
    assert state.accounts["D1"].wrong_pins == 0


def test_the_fourth_try_is_75_even_with_the_right_pin() -> None:
    state = bank()
    guess_wrong(state, 3)
    assert code(answer(state, asked("right"))) == "75"
    assert code(answer(state, asked("none"), Evidence(pin=Pin.ABSENT))) == "75"


def test_a_right_pin_starts_the_count_again_but_a_sale_without_pin_does_not() -> None:
    state = bank()
    guess_wrong(state, 2)
    answer(state, asked("no-pin", card=CREDIT), Evidence())
    assert state.accounts["D1"].wrong_pins == 2
    answer(state, asked("pin"))
    assert state.accounts["D1"].wrong_pins == 0


@pytest.mark.parametrize("amount", [0, -1, 1_000_000_000_000])
def test_amounts_that_are_none(amount: int) -> None:
    state = bank()
    assert code(answer(state, asked(amount=amount))) == "13"
    assert state.accounts["D1"].balance_minor == FUNDS


def test_a_reversal_gives_back_once() -> None:
    state = bank()
    answer(state, asked())
    assert [r.amount_minor for r in reverse(state)] == [100]
    assert reverse(state) == ()
    assert state.accounts["D1"].balance_minor == FUNDS
    assert code(decide(state, asked(), RIGHT)) == "12"


def test_a_reversed_refusal_gives_back_nothing() -> None:
    state = bank()
    answer(state, asked(account="LOST"))
    assert [(r.amount_minor, r.account) for r in reverse(state)] == [(0, "LOST")]
    assert state.accounts["LOST"].balance_minor == FUNDS


def test_a_tombstone_refuses_the_late_original() -> None:
    state = bank()
    assert [(r.amount_minor, r.account) for r in reverse(state)] == [(0, "")]
    late = decide(state, asked(), RIGHT)
    assert (late.records, code(late)) == ((), "12")
    assert reverse(state) == ()


def test_scripted_codes_need_no_funds_and_move_none() -> None:
    state = bank()
    decision = answer(state, asked(amount=800_005), script=script_for(800_005))
    assert code(decision) == "05"
    assert isinstance(decision.records[0], Refusal)
    assert state.accounts["D1"].balance_minor == FUNDS


def test_a_lost_request_leaves_no_trace() -> None:
    assert decide(bank(), asked(amount=800_100), RIGHT, script_for(800_100)) == Decision((), None)


@pytest.mark.parametrize(
    ("amount", "answered", "after_s"), [(800_200, True, 12.0), (800_300, True, 0.0), (800_400, False, 0.0)]
)
def test_scripts_that_post_need_funds(amount: int, answered: bool, after_s: float) -> None:
    state = bank()
    state.accounts["D1"].balance_minor = 1_000_000
    poor = decide(bank(), asked(amount=amount), RIGHT, script_for(amount))
    assert (code(poor), poor.answer_after_s) == ("51", 0.0)
    rich = decide(state, asked(amount=amount), RIGHT, script_for(amount))
    assert isinstance(rich.records[0], Posting)
    assert (rich.reply is not None, rich.answer_after_s) == (answered, after_s)


@pytest.mark.parametrize("amount", [800_000, 800_101, 800_199, 800_500])
def test_neighbours_of_scripted_amounts_are_ordinary(amount: int) -> None:
    assert script_for(amount) is PLAIN


@pytest.mark.parametrize(
    ("on_file", "presented", "today", "expired"),
    [
        ("3012", "3012", "3012", False),
        ("3012", "", "3012", False),
        ("3012", "3012", "3101", True),
        ("3012", "", "3101", True),
        ("3012", "3011", "2601", True),
    ],
)
def test_expiry(on_file: str, presented: str, today: str, expired: bool) -> None:
    assert is_expired(on_file=on_file, presented=presented, today_yymm=today) is expired


def test_authorization_codes_have_six_characters_for_ever() -> None:
    assert [authorization_code(n) for n in (1, 36, 36**6 - 1, 36**6 + 1)] == ["000001", "000010", "ZZZZZZ", "000001"]


def test_what_is_final_is_kept_in_a_few_bytes_and_can_still_be_given_back_once() -> None:
    state = accounts.open_accounts([Account("D1", opening_minor=100_000), Account("D2", opening_minor=100_000)])
    ids = [f"10000001:00000{batch}:{stan:06d}" for batch in (1, 2, 3) for stan in range(1, 4)]

    def sell(id_: str, kept_from: str = "") -> Decision:
        asked = Asked(
            transaction=id_,
            account="D2",
            amount_minor=100,
            currency="156",
            card=CREDIT,
            at_ms=1,
            kept_from=kept_from,
        )
        decision = decide(state, asked, Evidence())
        for record in decision.records:
            accounts.apply(state, record)
        return decision

    def give_back(id_: str) -> int:
        before = state.accounts["D2"].balance_minor
        for record in decide_reverse(state, id_, reason="98", at_ms=2).records:
            accounts.apply(state, record)
        return state.accounts["D2"].balance_minor - before

    for id_ in ids[:-1]:
        sell(id_)
    assert give_back(ids[1]) == 100
    sell(ids[-1], kept_from="000003")
    assert set(state.transactions) == {ids[1], *ids[6:]}, "what was given back stays, so that it is so only once"
    assert sum(len(block.rows) for block in state.archive.blocks("10000001")) == 5 * archive.ROW
    for id_ in ids[:6]:
        assert sell(id_, "000003") == Decision((), None) if id_ != ids[1] else sell(id_).reply is not None
    state = accounts.load(accounts.dump(state))
    assert [give_back(ids[0]), give_back(ids[0]), give_back(ids[1]), give_back(ids[4])] == [100, 0, 0, 100]
    assert state.accounts["D2"].balance_minor == 100_000 - 6 * 100


def test_apply_takes_any_record() -> None:
    state = State()
    for record in (
        LedgerEpochStarted(at_ms=1, epoch=4, owner="a"),
        Posting(at_ms=1, id="x", account="NEW", amount_minor=5, currency=CNY, authorization_code="000001"),
        Refusal(at_ms=1, id="y", response_code="55", account="OTHER", wrong_pin=True),
        ReversalPosting(at_ms=1, id="z", account="", amount_minor=0, currency=CNY, reason="98"),
    ):
        accounts.apply(state, record)
    assert state.epoch == 4
    assert state.accounts["NEW"].balance_minor == -5
    assert accounts.load(accounts.dump(state)) == state
