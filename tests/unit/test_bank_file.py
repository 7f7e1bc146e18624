"""The file of banks: what is wrong with one is said by field, and the one that there is provokes every answer of a bank."""

from __future__ import annotations

from pathlib import Path

import pytest

import world
from contracts.response_codes import RESPONSE_CODES
from issuer_sim.domain.rules import STATUS_CODES
from issuer_sim.domain.scripted import script_for
from world.bank_file import BankFileError, read
from world.banks import FILE

DOCUMENT = Path(__file__).parents[2] / "docs" / "issuer-simulator.md"
W = world.built_in()

GOOD = """
[[banks]]
id = "one"
code = "64910000"
name = "一"
name_en = "ONE"
kind = "credit"
bin = "629101"

[[banks.cards]]
name = "first"
serial = 1
money_minor = 100
"""


def test_a_bank_needs_no_more_than_this() -> None:
    (bank,) = read(GOOD)
    assert (bank.id, bank.hold_days, bank.cards[0].pin) == ("one", 30, "123456")


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("[[banks]]", "[[bank]]", "banks"),
        ('kind = "credit"', 'kind = "prepaid"', r"\$\.banks\[0\]\.kind|Invalid enum value 'prepaid'"),
        ('bin = "629101"', 'bin = "6291"', r"banks\[0\]\.bin"),
        ("serial = 1", "serial = 0", r"banks\[0\]\.cards\[0\]\.serial"),
        ("serial = 1", "serial = 1\ncolour = 1", "colour"),
        ("money_minor = 100", "money_minor = -1", "money_minor"),
        ("money_minor = 100", 'money_minor = 100\nstatus = "odd"', "status|odd"),
        ("money_minor = 100", 'money_minor = 100\nnot_permitted = ["tea"]', "not_permitted|tea"),
        ("money_minor = 100", 'money_minor = 100\nresponse_code = "xx"', r"one\.cards\.first\.response_code"),
        (
            "money_minor = 100",
            'money_minor = 100\n[[banks.cards]]\nname = "first"\nserial = 2\nmoney_minor = 1',
            "first",
        ),
        (
            "money_minor = 100",
            'money_minor = 100\n[[banks.cards]]\nname = "next"\nserial = 1\nmoney_minor = 1',
            "serial",
        ),
        ('bin = "629101"', 'bin = "629101"\ncurrency = "344"', "part = false"),
        ('bin = "629101"', 'bin = "629101"\nrate_millionths = 2', "rate_millionths"),
        ('kind = "credit"', 'kind = "debit"\ninstalment_periods = [3]', "instalment_periods"),
        ('kind = "credit"', 'kind = "debit"\ndue_days = 20', r"one\.due_days"),
        ("[[banks]]", "[[banks", "banks"),
    ],
)
def test_what_is_wrong_is_named(wrong: str, right: str, said: str) -> None:
    assert wrong in GOOD
    with pytest.raises(BankFileError, match=said):
        read(GOOD.replace(wrong, right, 1))


def test_no_two_banks_share_a_number() -> None:
    for field in ("id", "bin", "code"):
        second = GOOD.replace("first", "second")
        for other, changed in (
            ("id", ("one", "two")),
            ("bin", ("629101", "629102")),
            ("code", ("64910000", "64910001")),
        ):
            if other != field:
                second = second.replace(f'{other} = "{changed[0]}"', f'{other} = "{changed[1]}"')
        with pytest.raises(BankFileError, match=rf"banks\.{field}"):
            read(GOOD + second)


def test_the_file_that_is_there_can_be_read() -> None:
    assert [bank.id for bank in read(FILE.read_text(encoding="utf-8"))] == [i.id for i in W.institutions]


def bank_rows() -> list[str]:
    return [
        f"| `{i.id}` | {i.name} | {i.kind} | {i.bins[0]} | {i.pin_format.value} | {i.currency} | {i.decide_after_ms / 1000:g} s "
        f"| {i.hold_days} days | {', '.join(map(str, i.instalment_periods)) or 'none'} | {'yes' if i.part else 'no'} |"
        for i in W.institutions
    ]


def card_rows() -> list[str]:
    return [
        f"| `{c.name}` | `{c.issuer}` | {c.pan} | {c.expiry} | {c.pin} | {c.note} |"
        for c in W.cards
        if not c.name.startswith("load-")
    ]


@pytest.mark.parametrize("row", [*bank_rows(), *card_rows()])
def test_the_document_has_the_tables_that_the_file_makes(row: str) -> None:
    assert row in DOCUMENT.read_text(encoding="utf-8").splitlines()


def test_the_document_has_no_card_that_there_is_not() -> None:
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if "******" in line]
    assert rows == card_rows()


def test_every_answer_of_a_card_is_provoked_by_some_card() -> None:
    assert {c.status for c in W.cards} == {world.ACTIVE, *STATUS_CODES}
    for field in ("chip_only", "captured", "not_permitted", "most_minor", "day_minor", "day_count", "response_code"):
        assert any(getattr(card, field) for card in W.cards), field


def test_every_code_that_is_a_number_is_provoked_by_an_amount() -> None:
    """The others are of what stands before the bank: a MAC is not its business."""
    codes = {code for code in RESPONSE_CODES if code.isdigit() and code != "00"}
    assert {script_for(800_000 + int(code)).response_code for code in codes} == codes
    assert set(RESPONSE_CODES) - codes == {"00", "A0"}
