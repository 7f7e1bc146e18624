"""The demo's table: it shows every kind, and remembers what it needs before it needs it."""

from __future__ import annotations

from collections import defaultdict

from contracts.kinds import Kind
from lianji.demo import AS_ON_SLIP, COUNTER_2, SHOP, TRANSFERS, Found, remembered, steps
from receipts.domain.slip import Copy, SlipFacts, render
from world import built_in

WORLD = built_in()
TABLE = steps({card.name: card.pin for card in WORLD.cards}, "482290058130001")


def test_every_kind_of_transaction_is_shown() -> None:
    commands = [step.arguments(defaultdict(lambda: "000001/000002/11/29")) for step in TABLE]
    shown = {Kind(words[1]) if words[0] == "do" else Kind.SALE for words in commands if words[0] in ("do", "swipe")}
    assert shown == set(Kind)
    assert {words[0] for words in commands} >= {"close", "slip", "journal", "trace", "summary", "verify"}


def test_what_a_step_needs_an_earlier_one_has_remembered() -> None:
    found: Found = {}
    for step in TABLE:
        step.arguments(found)  # a KeyError names what is missing
        found.update(dict.fromkeys(step.remember, "000001/000002/11/29"))


def test_its_terminals_are_one_merchants() -> None:
    merchants = {terminal.merchant for terminal in map(WORLD.terminal, (SHOP, COUNTER_2, TRANSFERS)) if terminal}
    assert len(merchants) == 1


def test_what_a_refund_is_keyed_with_stands_on_the_slip() -> None:
    facts = SlipFacts(
        rrn="010000000003",
        kind=Kind.SALE,
        terminal=SHOP,
        merchant="482290058130001",
        merchant_name="云溪茶馆",
        operator="01",
        issuer_name="南海信用银行",
        acquirer="48210000",
        card="628202******0012",
        entry_mode="021",
        batch="000001",
        stan="000003",
        amount_minor=268_00,
        currency="156",
        at_ms=1_700_000_000_000,
    )
    step = next(step for step in TABLE if AS_ON_SLIP in step.remember.values())
    assert remembered(step, render(facts, Copy.CARDHOLDER)) == {"dinner slip": "000001/000003/11/15"}
