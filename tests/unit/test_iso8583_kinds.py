"""The rows of every kind of transaction, and what stands in fields 54 and 62 of some of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import iso8583
from contracts.kinds import KINDS, Effect, Kind
from iso8583 import Amount54, Balances54, FormatError, Message, Plan62, Terms62, Value
from iso8583.profile import FINANCIAL, Rule

LONG = {59: iso8583.Field59(bytes(12), bytes(16)).pack()}


def rule(kind: Kind, mti: str = "") -> Rule:
    facts = KINDS[kind]
    return FINANCIAL[mti or facts.mti, facts.processing_code, facts.condition_code, facts.message_type]


def test_the_profile_has_the_rows_of_the_table_of_kinds_and_no_others() -> None:
    wanted = set()
    for facts in KINDS.values():
        told = facts.processing_code, facts.condition_code, facts.message_type
        mtis = [facts.mti, iso8583.reply_mti(facts.mti), *(("0400", "0410") if facts.reversible else ())]
        wanted |= {(mti, *told) for mti in mtis}
    assert set(FINANCIAL) == wanted
    assert len({row.name for row in FINANCIAL.values()}) == len(FINANCIAL)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (Kind.SALE, set()),
        (Kind.VOID, {37, 61}),
        (Kind.REFUND, {37, 61, 63}),
        (Kind.PRE_AUTH, set()),
        (Kind.PRE_AUTH_VOID, {38, 61}),
        (Kind.COMPLETION, {61}),
        (Kind.COMPLETION_ADVICE, {61}),
        (Kind.COMPLETION_VOID, {37, 61}),
        (Kind.INSTALMENT, {62}),
        (Kind.INSTALMENT_VOID, {37, 61}),
        (Kind.BALANCE, set()),
        (Kind.CARD_CHECK, set()),
        (Kind.TRANSFER, {62}),
        (Kind.OFFLINE_SALE, {2}),
    ],
)
def test_which_fields_a_request_needs(kind: Kind, more: set[int]) -> None:
    """terminal-protocol, Which fields."""
    amount = set() if KINDS[kind].effect is Effect.LOOKS else {4}
    assert set(rule(kind).mandatory) == {3, 11, 22, 25, 41, 42, 49, 60, 64} | amount | more
    assert rule(kind).card


def _filled(needed: Rule, mti: str, kind: Kind) -> Message:
    facts = KINDS[kind]
    fields: dict[int, Value] = {
        number: b"12345678" if number in (62, 64) else "0" * 12 for number in (*needed.mandatory, *(2,) * needed.card)
    }
    telling = {3: facts.processing_code, 22: "022", 25: facts.condition_code, 60: f"{facts.message_type}000001000"}
    answered = {39: "00"} if mti[2] in "13" else {}
    return Message(mti, fields | {n: v for n, v in telling.items() if n in fields} | answered)


@pytest.mark.parametrize("kind", Kind)
def test_each_row_passes_whole_and_names_what_is_missing(kind: Kind) -> None:
    for mti in (KINDS[kind].mti, iso8583.reply_mti(KINDS[kind].mti)):
        needed = rule(kind, mti)
        message = _filled(needed, mti, kind)
        iso8583.check_profile(message)
        for number in set(needed.mandatory) - {2, 39}:  # without 39 no refusal either, and 2 may be a track's
            fields = {n: v for n, v in message.fields.items() if n != number}
            with pytest.raises(FormatError) as caught:
                iso8583.check_profile(Message(mti, fields))
            assert caught.value.field == str(number)


@pytest.mark.parametrize("kind", [kind for kind in Kind if KINDS[kind].effect is Effect.LOOKS])
def test_what_only_looks_has_no_amount(kind: Kind) -> None:
    message = _filled(rule(kind), KINDS[kind].mti, kind)
    with pytest.raises(FormatError, match=r"field 4: .* has no place"):
        iso8583.check_profile(Message(message.mti, message.fields | {4: "000000000000"}))


@pytest.mark.parametrize("kind", [kind for kind in Kind if KINDS[kind].advice])
@pytest.mark.parametrize(("block", "field"), [({52: bytes(8)}, "52"), (LONG, "59.DF02")])
def test_an_advice_has_no_pin(kind: Kind, block: dict[int, Value], field: str) -> None:
    message = _filled(rule(kind), KINDS[kind].mti, kind)
    with pytest.raises(FormatError, match=f"field {field}: .* has no place"):
        iso8583.check_profile(Message(message.mti, message.fields | {22: "021", 53: "26".ljust(16, "0")} | block))


def test_an_approval_of_a_part_is_complete_and_a_refusal_need_not_be() -> None:
    message = _filled(rule(Kind.SALE, "0210"), "0210", Kind.SALE)
    lacking = {number: value for number, value in message.fields.items() if number != 37}
    for code in ("00", "10"):
        with pytest.raises(FormatError, match="field 37"):
            iso8583.check_profile(Message("0210", lacking | {39: code}))
    iso8583.check_profile(Message("0210", lacking | {39: "51"}))


PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
minor = st.integers(0, 10**12 - 1)


@given(st.builds(Plan62, st.integers(0, 99), st.text(PRINTABLE, max_size=30).map(str.rstrip), st.sampled_from("01")))
def test_a_plan_is_read_as_it_was_written(plan: Plan62) -> None:
    assert len(plan.pack()) == 62
    assert Plan62.parse(plan.pack()) == plan


@given(
    st.builds(
        Terms62,
        minor,
        st.just("156"),
        minor,
        minor,
        st.sampled_from("01"),
        first_fee_minor=minor,
        period_fee_minor=minor,
    )
)
def test_terms_are_read_as_they_were_written(terms: Terms62) -> None:
    assert len(terms.pack()) == 77
    assert Terms62.parse(terms.pack()) == terms


@given(st.lists(st.integers(1 - 10**12, 10**12 - 1), min_size=1, max_size=6))
def test_balances_are_read_as_they_were_written(amounts: list[int]) -> None:
    balances = Balances54(tuple(Amount54.of("10", iso8583.AVAILABLE, "156", amount) for amount in amounts))
    assert len(balances.pack()) == 20 * len(amounts)
    assert Balances54.parse(balances.pack()) == balances
    assert [amount.minor for amount in balances.amounts] == amounts


@given(st.text("0123456789", min_size=12, max_size=19))
def test_a_target_is_read_as_it_was_written(pan: str) -> None:
    assert iso8583.target_card(iso8583.with_target(pan)) == pan


PLAN = Plan62(6, "KETTLE").pack()
TERMS = Terms62(1000, "156", 36).pack()


@pytest.mark.parametrize(
    ("read", "data", "field"),
    [
        (Plan62.parse, PLAN[:-1], "62"),
        (Plan62.parse, PLAN + b" ", "62"),
        (Plan62.parse, b"x" + PLAN[1:], "62"),
        (Plan62.parse, PLAN.replace(b"KETTLE", b"K\xc3\xa4SE "), "62"),
        (Plan62.parse, PLAN[:32] + b"2" + PLAN[33:], "62"),
        (Plan62.parse, PLAN[:33] + b"2" + PLAN[34:], "62"),
        (Plan62.parse, PLAN[:-1] + b"0", "62"),
        (Terms62.parse, TERMS[:-1], "62"),
        (Terms62.parse, b"-" + TERMS[1:], "62"),
        (Terms62.parse, TERMS[:39] + b"2" + TERMS[40:], "62"),
        (iso8583.target_card, b"", "62"),
        (iso8583.target_card, b"1111111111111", "62"),
        (iso8583.target_card, b"156291010000000012", "62"),
        (iso8583.target_card, b"166291010000000012 ", "62"),
        (iso8583.target_card, b"16629101000000001D", "62"),
        (iso8583.target_card, b"2062910100000000123456", "62"),
        (Balances54.parse, "", "54"),
        (Balances54.parse, "1002156C00000000123", "54"),
        (Balances54.parse, "1002156E000000001234", "54"),
        (Balances54.parse, "1002156C000000001234" * 7, "54"),
        (Balances54.parse, "1002156C000000001234" + "1002156C0000", "54"),
    ],
)
def test_what_is_damaged_is_refused_by_the_fields_name(read: object, data: object, field: str) -> None:
    assert callable(read)
    with pytest.raises(FormatError) as caught:
        read(data)
    assert caught.value.field == field
    assert "6291" not in f"{caught.value!r}"


@pytest.mark.parametrize(
    ("pack", "value"),
    [
        (Plan62.pack, Plan62(100)),
        (Plan62.pack, Plan62(-1)),
        (Plan62.pack, Plan62(6, "K" * 31)),
        (Plan62.pack, Plan62(6, "KETTLE", "2")),
        (Terms62.pack, Terms62(-1, "156", 0)),
        (Terms62.pack, Terms62(10**12, "156", 0)),
        (Terms62.pack, Terms62(1, "15", 0)),
        (Balances54.pack, Balances54((Amount54.of("1", "02", "156", 1),))),
        (Balances54.pack, Balances54((Amount54.of("10", "02", "156", 10**12),))),
        (iso8583.with_target, "62910100000"),
        (iso8583.with_target, "6" * 20),
        (iso8583.with_target, "６291010000000012"),
    ],
)
def test_what_does_not_fit_is_not_written(pack: object, value: object) -> None:
    assert callable(pack)
    with pytest.raises(FormatError):
        pack(value)
