"""Terminals do whatever comes to their mind, and after every step every side holds what a small account of it all says (tests/support_model.py).

The services are the real ones, in virtual time (tests/support_stage.py). `make model EXAMPLES=n` goes on for longer, with other days each time.
"""

from __future__ import annotations

import os
import random
from typing import Any

from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.authorization import Original, Totals
from contracts.kinds import Kind
from contracts.terms import InstalmentPlan
from iso8583 import Balances54
from tests.support_model import (
    FINAL,
    LOOKS,
    NOTICES,
    ORIGINALS,
    OWN_BATCH,
    RETURNS,
    WHOLE,
    Account,
    Asked,
    Deed,
    Model,
    Named,
    Shop,
)
from tests.support_stage import BANKS, DATE, WORLD, Answer, Simulated, bank, card, simulated

EXAMPLES = int(os.environ.get("LIANJI_MODEL_EXAMPLES", "0"))
"""0: the few of the suite, always the same."""

CARDS = ("debit-1", "debit-2", "debit-poor", "credit-1", "credit-poor", "foreign-1", "foreign-poor")
TARGETS = (*CARDS, "debit-refer", "debit-lost")
HERE, BESIDE, ELSEWHERE, OF_TRANSFERS = "10000001", "10000002", "10000003", "10000015"
"""Two terminals of a merchant, one of another, and the first one's for transfers."""
TERMINALS = (HERE, BESIDE, ELSEWHERE, OF_TRANSFERS)
HOLD_DAYS = {"huaxing": 30, "nanhai": 30, "jiangling": 30, "meridian": 7}
DAY_NS = 86_400 * 1_000_000_000

MISNAMED = {"stan": "999999", "rrn": "990000000001", "authorization_code": "ZZZZZ8"}
ORDINARY = (1, 10_00, 10_01, 50_00, 100_00, 100_01, 200_00)
BOOKED_UNHEARD = 8_002_00
SCRIPTED = (8_000_05, 8_000_11, 8_000_51, 8_001_00, 8_002_00, 8_003_00, 8_004_00)
MADE_FIRST = {
    "void": "sale",
    "refund": "sale",
    "instalment-void": "instalment",
    "completion-void": "completion",
    "completion": "pre-auth",
    "completion-advice": "pre-auth",
    "pre-auth-void": "pre-auth",
}

WHAT_THERE_IS = (
    *("sale", "pre-auth", "instalment", "offline-sale", "transfer", "balance", "card-check"),
    *ORIGINALS,
    *("refund", "completion", "void"),
)

seeds = st.integers(0, (1 << 32) - 1)
"""From which a step draws all that it needs: evenly, so that the rare refusals stay rare and most steps go through."""


class Chance(random.Random):
    """What a terminal does, drawn."""

    def rarely(self, *values: Any, otherwise: Any = "") -> Any:
        return self.choice(values) if self.random() < 0.1 else otherwise

    def terminal(self) -> str:
        return self.rarely(BESIDE, ELSEWHERE, OF_TRANSFERS, otherwise=self.choice((HERE, HERE, BESIDE)))

    def amount(self) -> int:
        usual = self.choice((self.choice(ORDINARY), self.randint(1, 300_00), self.randint(1, 2_000_00)))
        return self.rarely(*SCRIPTED, 60_000_00, otherwise=usual)

    def card(self) -> str:
        return self.choice(CARDS)

    def pin(self) -> str:
        return self.rarely("wrong", "", otherwise="right")

    def percent(self, kind: str) -> int:
        return (
            self.rarely(99, 101, otherwise=100) if kind in WHOLE else self.choice((100, 100, 50, 30, 1, 101, 115, 116))
        )


def accounts() -> list[Account]:
    """As the file of banks opens them."""
    refuses = {"debit-refer": "01", "debit-lost": "41"}
    return [
        Account(
            c.name,
            c.issuer,
            c.kind == "debit",
            c.opening_minor,
            c.credit_limit_minor,
            refuses=refuses.get(c.name, ""),
        )
        for c in WORLD.cards
        if c.name in TARGETS
    ]


def shops() -> dict[str, Shop]:
    limits = {merchant.mid: merchant.limit_minor for merchant in WORLD.merchants}
    found = {t.tid: t.merchant for t in WORLD.terminals if t.tid in TERMINALS}
    return {tid: Shop(mid, limits[mid], transfers=tid == OF_TRANSFERS) for tid, mid in found.items()}


class Everything(RuleBasedStateMachine):
    """A day of four terminals."""

    def __init__(self) -> None:
        super().__init__()
        self._entered: Any = None
        self.stack: Simulated
        self.model = Model(accounts(), shops(), HOLD_DAYS)
        self.stan = 0
        self.answers: dict[str, Answer] = {}

    @initialize()
    def opens(self) -> None:
        self._entered = simulated(TERMINALS)
        self.stack = self._entered.__enter__()
        for tid in TERMINALS:
            self.stack.hand(tid)

    def teardown(self) -> None:
        if self._entered is None:
            return
        try:
            self.stack.rest()
            self.stack.pass_time(1)
            found = self.stack.verdict()
            assert found == [], found
        finally:
            self._entered.__exit__(None, None, None)

    # ------------------------------------------------------------------ how a thing is done

    def next_stan(self) -> str:
        self.stan += 1
        return f"{self.stan:06d}"

    def fresh(self, kind: str, terminal: str, by: str, amount: int, **more: Any) -> Asked:
        batch = self.model.shops[terminal].batch
        if kind in NOTICES and amount in (8_001_00, 8_002_00, 8_004_00):
            amount += 1  # a bank's silence to a notice is followed by its being told: the simulated days have that
        return Asked(kind, terminal, batch, self.next_stan(), by, 0 if kind in LOOKS else amount, **more)

    def ask(self, asked: Asked) -> Answer:
        """At the model and at the stack: both say the same."""
        note(f"{asked}")
        pin = {"right": card(asked.card).pin, "wrong": "000000"}.get(asked.pin, "")
        answer = self._ask(asked, "" if asked.kind in NOTICES | {"refund"} else pin)
        expected = self.model.ask(asked)
        assert answer.code == expected, (asked, answer.code, expected)
        return answer

    def _ask(self, asked: Asked, pin: str) -> Answer:
        hand = self.stack.hand(asked.terminal)
        sent = hand.transaction(
            Kind(asked.kind),
            asked.stan,
            asked.amount,
            by=asked.card,
            pin=pin,
            keyed=asked.kind in NOTICES,
            batch=asked.batch,
            original=self._original(asked.original),
            plan=InstalmentPlan(periods=asked.periods) if asked.kind == "instalment" else None,
            takes_part=asked.takes_part,
        )
        target = card(asked.target).pan if asked.target else None
        body = hand.request(sent, by=asked.card, pin=pin, target=target)
        answer = self.stack.run(hand.ask(body))
        assert answer is not None, asked
        return answer

    @staticmethod
    def _original(named: Named | None) -> Original | None:
        if named is None:
            return None
        return Original(
            batch=named.batch,
            stan=named.stan,
            date=DATE,
            rrn=named.rrn,
            authorization_code=named.authorization_code,
        )

    def do(self, asked: Asked) -> None:
        """Something new."""
        answer = self.ask(asked)
        deed = self.model.deeds.get(asked.id)
        if deed is not None and deed.request is asked:
            deed.rrn, deed.authorization_code = answer.rrn, answer.authorization_code
            self.answers[asked.id] = answer
            if deed.code == "10":
                assert int(answer.message.text(4)) == deed.amount
        self.stack.rest()
        if asked.kind == "balance" and answer.code == "00":
            told = Balances54.parse(answer.message.text(54)).amounts[0]
            assert told.minor == self.model.accounts[asked.card].spendable()

    def chance(self, seed: int) -> Chance:
        """Of this step: the same seed at another place draws something else."""
        return Chance(f"{seed} {self.stan}")

    def sell(self, kind: str, terminal: str, by: str, chance: Chance) -> Deed | None:
        more: dict[str, Any] = {}
        if kind == "sale":
            more["takes_part"] = chance.random() < 0.5
        if kind == "instalment":
            more["periods"] = chance.choice((3, 6, 12, 24, chance.rarely(5, otherwise=3)))
            by = chance.rarely(by, otherwise=chance.choice(("credit-1", "credit-poor")))
        asked = self.fresh(kind, terminal, by, chance.amount(), pin="" if kind in NOTICES else chance.pin(), **more)
        self.do(asked)
        return self.model.deeds.get(asked.id)

    def original_for(self, kind: str, chance: Chance) -> Deed | None:
        """One of the transactions so far that may be claimed so, or now and then any; one is made if there is none."""
        deeds = list(self.model.deeds.values())
        if chance.rarely(True, otherwise=False) and deeds:
            return chance.choice(deeds)
        deeds = [deed for deed in deeds if deed.kind in ORIGINALS[kind] and deed.stands]
        deeds = [deed for deed in deeds if kind == "refund" or not deed.claims]
        deeds = [deed for deed in deeds if kind not in OWN_BATCH or deed.state == "approved"]
        if deeds:
            return chance.choice(deeds[-5:])
        first, made = MADE_FIRST[kind], None
        for _ in range(3):
            if first == "completion":
                made = self.claim(first, self.original_for(first, chance), chance)
            else:
                made = self.sell(first, chance.choice((HERE, BESIDE)), chance.card(), chance)
            if made is not None and made.stands:
                break
        return made

    def claim(self, kind: str, original: Deed | None, chance: Chance) -> Deed | None:
        if original is None:
            return None
        named = {
            "batch": original.batch,
            "stan": original.stan,
            "rrn": original.rrn if kind in RETURNS else "",
            "authorization_code": original.authorization_code or ("" if kind in RETURNS else "ZZZZZ9"),
        }
        misnamed = chance.rarely(*MISNAMED)
        if misnamed and named[misnamed]:
            named[misnamed] = MISNAMED[misnamed]
        terminal = original.terminal
        if kind not in OWN_BATCH or terminal == OF_TRANSFERS:
            terminal = chance.rarely(ELSEWHERE, otherwise=chance.choice((HERE, BESIDE)))
        by = chance.rarely(*CARDS, otherwise=original.request.card if original.request is not None else "debit-1")
        pin = "" if kind in NOTICES | {"refund"} else chance.choice(("", chance.pin()))
        amount = max(1, original.amount * chance.percent(kind) // 100)
        asked = self.fresh(kind, terminal, by, amount, pin=pin, original=Named(**named))
        self.do(asked)
        return self.model.deeds.get(asked.id)

    # ------------------------------------------------------------------ what terminals do

    @rule(seed=seeds, times=st.integers(1, 5))
    def does(self, seed: int, times: int) -> None:
        """New transactions, of whatever kind."""
        chance = self.chance(seed)
        for _ in range(times):
            kind = chance.choice(WHAT_THERE_IS)
            if kind in ORIGINALS:
                self.claim(kind, self.original_for(kind, chance), chance)
            elif kind in LOOKS or kind == "transfer":
                self.look_or_transfer(kind, chance)
            else:
                self.sell(kind, chance.terminal(), chance.card(), chance)

    @rule(seed=seeds, kind=st.sampled_from(sorted(ORIGINALS)), times=st.integers(2, 4))
    def claims_more_than_once(self, seed: int, kind: str, times: int) -> None:
        """Of the same transaction, and perhaps undone in between."""
        chance = self.chance(seed)
        original = self.original_for(kind, chance)
        for _ in range(times):
            made = self.claim(kind, original, chance)
            if made is not None and kind not in FINAL and chance.random() < 0.5:
                self.reverse(made, made.asked)
        if original is not None and chance.random() < 0.3:  # and its own reversal comes when all of it is forgotten
            for terminal in (original.terminal,) * 2:
                self.close(terminal, self.model.totals(terminal))
            if not original.recalled and original.kind not in LOOKS:
                self.reverse(original, original.asked)

    @rule(seed=seeds, times=st.integers(2, 6))
    def gives_back_in_parts_abroad(self, seed: int, times: int) -> None:
        """Of amounts that are no whole cents there, all of which together come to the sale. One may be booked and not heard of, and so undone."""
        chance = self.chance(seed)
        parts = [chance.choice((6, 1_00, chance.randint(1, 20), chance.randint(1, 20_00))) for _ in range(times)]
        if chance.random() < 0.3:
            parts.insert(chance.randrange(1, times), BOOKED_UNHEARD)
        by = chance.choice(("foreign-1", "foreign-1", "foreign-poor"))
        asked = self.fresh("sale", chance.choice((HERE, BESIDE)), by, sum(parts), pin="right")
        self.do(asked)
        sale = self.model.deeds[asked.id]
        for part in parts if sale.stands else ():
            self.give_back(sale, part, chance)
        if sale.stands and (rest := self.model.refundable(sale)):
            self.give_back(sale, rest, chance)

    def give_back(self, sale: Deed, amount: int, chance: Chance) -> None:
        assert sale.request is not None
        terminal = chance.choice((HERE, BESIDE))
        if chance.random() < 0.2:
            self.close(terminal, self.model.totals(terminal))
        named = Named(sale.batch, sale.stan, sale.rrn)
        self.do(self.fresh("refund", terminal, sale.request.card, amount, original=named))

    @precondition(lambda self: self.model.deeds)
    @rule(seed=seeds)
    def reverses(self, seed: int) -> None:
        """The last ones first; now and then with an amount or as a kind that is not its own."""
        chance = self.chance(seed)
        deeds = [d for d in self.model.deeds.values() if not d.recalled and d.kind not in LOOKS]
        if deeds:
            deed = chance.choice(deeds[-chance.choice((1, 3, 100)) :])
            if not self.model.remembers(deed):
                self.reverse(deed, deed.asked)
                return
            self.reverse(deed, deed.asked + chance.rarely(1, otherwise=0), chance.rarely("sale"))

    @rule(seed=seeds)
    def reverses_what_only_the_ledger_knows(self, seed: int) -> None:
        """A sale of before the last two closes, of which a part may have been approved: first as what it was not."""
        chance = self.chance(seed)
        terminal, by = chance.choice((HERE, BESIDE)), chance.choice(("debit-poor", "credit-poor", chance.card()))
        sale = self.sell("sale", terminal, by, chance)
        for _ in range(2):
            self.close(terminal, self.model.totals(terminal))
        if sale is not None and sale.stands:
            wrong = {sale.asked + 1, sale.amount + 1, sale.amount} - {sale.asked}
            for amount in sorted(wrong):
                self.reverse(sale, amount)
            self.reverse(sale, sale.asked, "pre-auth")
            self.reverse(sale, sale.asked)

    @precondition(lambda self: self.answers)
    @rule(seed=seeds)
    def repeats(self, seed: int) -> None:
        """The same once more, as if the first answer had been lost: it is answered alike, whatever has happened since."""
        chance = self.chance(seed)
        for id_ in chance.sample(sorted(self.answers), k=min(3, len(self.answers))):
            deed = self.model.deeds[id_]
            if deed.request is None:  # reversed when it had been forgotten
                continue
            answer = self.ask(deed.request)
            if answer.code != "77":
                assert answer.alike(self.answers[id_]), deed.request

    @precondition(lambda self: self.answers)
    @rule(seed=seeds)
    def confuses(self, seed: int) -> None:
        chance = self.chance(seed)
        terminal, by = chance.terminal(), chance.card()
        # The reversal comes first: its original, behind it, is refused for good.
        asked = self.fresh("sale", terminal, by, chance.amount(), pin="right")
        self._reverse("sale", asked, asked.amount)
        assert self.ask(asked).code == "12"
        asked = Asked("sale", terminal, "000777", self.next_stan(), by, 1_00, pin="right")
        assert self.ask(asked).code == "77"
        # Another transaction under a STAN that was used.
        deed = self.model.deeds[chance.choice(sorted(self.answers))]
        kind = "balance" if deed.terminal == OF_TRANSFERS else "sale"
        amount = 0 if kind == "balance" else deed.asked + 1
        self.ask(Asked(kind, deed.terminal, deed.batch, deed.stan, by, amount, pin="right"))

    def look_or_transfer(self, kind: str, chance: Chance) -> None:
        terminal = chance.terminal() if kind == "balance" else chance.rarely(HERE, otherwise=OF_TRANSFERS)
        to = {"target": chance.choice(TARGETS)} if kind == "transfer" else {}
        asked = self.fresh(kind, terminal, chance.card(), chance.amount(), pin=chance.pin(), **to)
        self.do(asked)
        if kind == "transfer" and chance.random() < 0.4:
            self.reverse(self.model.deeds[asked.id], asked.amount)

    def reverse(self, deed: Deed, amount: int, as_kind: str = "") -> None:
        asked = deed.request or Asked(deed.kind, deed.terminal, deed.batch, deed.stan, "debit-1")
        self._reverse(as_kind or deed.kind, asked, amount)

    def _reverse(self, kind: str, asked: Asked, amount: int) -> None:
        note(f"reverse {asked.id} as {kind} of {amount}")
        hand, known = self.stack.hand(asked.terminal), self.model.deeds.get(asked.id)
        unknown = known is None or not self.model.remembers(known)
        sent = hand.transaction(
            Kind(kind), asked.stan, amount, by=asked.card, batch=asked.batch, original=self._original(asked.original)
        )
        answer = self.stack.run(hand.ask(hand.reversal(sent)))
        expected = self.model.reverse(kind, asked.terminal, asked.batch, asked.stan, amount)
        assert answer is not None
        assert answer.code == expected, (kind, asked, answer.code, expected)
        if unknown and answer.code == "00":
            self.model.deeds[asked.id].rrn = answer.rrn
        self.stack.rest()

    @rule(terminal=st.sampled_from(TERMINALS), wrong=st.sampled_from((False, False, True)), times=st.integers(1, 3))
    def closes(self, terminal: str, wrong: bool, times: int) -> None:
        """After two closes the switch remembers nothing of a batch."""
        if wrong:
            debit, *rest = self.model.totals(terminal)
            assert self.close(terminal, (debit + 1, *rest)) == "2"
        for _ in range(times):
            assert self.close(terminal, self.model.totals(terminal)) == "1"

    def close(self, terminal: str, totals: tuple[int, ...]) -> str:
        hand, expected = self.stack.hand(terminal), self.model.totals(terminal)
        debit, debits, credit, credits = totals
        told = Totals(debit_minor=debit, debit_count=debits, credit_minor=credit, credit_count=credits)
        note(f"close {terminal} {told}")
        result, host = self.stack.run(hand.settle(told, self.next_stan()))
        assert host is not None
        assert (host.debit_minor, host.debit_count, host.credit_minor, host.credit_count) == expected
        assert result == self.model.close(terminal, (debit, debits, credit, credits))
        if result == "1":
            assert self.stack.run(hand.sign_on()).batch == self.model.shops[terminal].batch
        return result

    @rule(who=st.sampled_from(("auth-a", "terminal-gw", "settlement", *map(bank, BANKS))))
    def starts_again(self, who: str) -> None:
        """A service is killed between two transactions, and knows afterwards what it knew."""
        self.stack.stage.kill(who)
        self.stack.pass_time(0.2)
        self.stack.stage.processes[who].clock_ahead_ns = self.model.day * DAY_NS
        self.stack.run(self.stack.stage.until_ready())

    @rule(days=st.sampled_from((8, 31)))
    def days_pass(self, days: int) -> None:
        """All clocks are put forward, and every account that has holds is looked at."""
        self.model.day += days
        for name in self.stack.services:
            self.stack.stage.processes[name].clock_ahead_ns += days * DAY_NS
        for account in [a for a in self.model.accounts.values() if a.holds]:
            self.do(self.fresh("balance", HERE, account.card, 0, pin="right"))

    # ------------------------------------------------------------------ what must hold

    @invariant()
    def every_account_holds_what_the_model_says(self) -> None:
        if self._entered is None:
            return
        for institution in BANKS:
            kept = self.stack.ledger(institution).accounts
            for name in (c.name for c in WORLD.cards_of(institution)):
                account, expected = kept[card(name).account], self.model.accounts.get(name)
                seen = (account.balance_minor, account.held_minor, account.wrong_pins)
                if expected is None:
                    assert seen == (account.opening_minor, 0, 0), name
                else:
                    assert seen == (expected.money, expected.held, expected.wrong_pins), name

    @invariant()
    def every_transaction_stands_where_the_model_says(self) -> None:
        if self._entered is None:
            return
        kept = {id_: t for shard in self.stack.shards() for id_, t in shard.transactions.items()}
        expected = self.model.remembered()
        assert set(kept) == set(expected)
        for id_, transaction in kept.items():
            deed, standing = expected[id_], transaction.standing
            assert (transaction.state.value, transaction.amount_minor) == (deed.state, deed.amount), id_
            taken = standing.taken_minor if standing is not None else 0
            assert taken == sum(claim.amount for claim in deed.claims), id_


TestEverything = Everything.TestCase
TestEverything.settings = settings(
    max_examples=EXAMPLES or 25,
    stateful_step_count=30,
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)
