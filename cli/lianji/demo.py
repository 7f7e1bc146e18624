"""The demo as a table: what is shown, the command that shows it, and how it must end."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

DECLINED, NO_ANSWER = 3, 1
"""Exit codes of `lianji swipe`."""

Found = dict[str, str]
"""What later steps need of earlier ones: `rrn` of the sale to look at."""


class Step(NamedTuple):
    """One thing shown. `arguments` is what a user would type; `exit_code` is what it must end with, or the demo fails."""

    title: str
    arguments: Callable[[Found], list[str]]
    exit_code: int = 0
    must_say: tuple[str, ...] = ()
    remember_rrn: str = ""


def _swipe(card: str, amount: str, pin: str, *more: str) -> Callable[[Found], list[str]]:
    return lambda _: ["swipe", "--terminal", "10000001", "--card", card, "--amount", amount, "--pin", pin, *more]


def steps(pins: dict[str, str], merchant: str) -> tuple[Step, ...]:
    """The demo's steps, in order; `pins` by card name, `merchant` is terminal 10000001's."""
    wrong = "".join(str((int(digit) + 1) % 10) for digit in pins["debit-1"])
    return (
        Step(
            "The terminal signs on, keys come down under its master key; it sells to a debit card of Huaxing Bank",
            _swipe("debit-1", "12.34", pins["debit-1"]),
            must_say=("signed on", "00 approved"),
            remember_rrn="rrn",
        ),
        Step("A credit card of Nanhai Bank", _swipe("credit-1", "268.00", pins["credit-1"]), must_say=("00 approved",)),
        Step("And another debit card", _swipe("debit-2", "8.80", pins["debit-2"]), must_say=("00 approved",)),
        Step("A wrong PIN", _swipe("debit-1", "20.00", wrong), DECLINED, ("55 wrong PIN",)),
        Step(
            "More than the account holds",
            _swipe("debit-poor", "500.00", pins["debit-poor"]),
            DECLINED,
            ("51 insufficient funds",),
        ),
        Step(
            "A card on the stop list: refused by the switch, the bank is not asked",
            _swipe("debit-stopped", "20.00", pins["debit-stopped"]),
            DECLINED,
            ("04 capture card",),
        ),
        Step(
            "The answer is lost on the line: the terminal does not know, and keeps the reversal it saved before it sent",
            _swipe("debit-2", "66.00", pins["debit-2"], "--lose-answer"),
            NO_ANSWER,
        ),
        Step(
            "At the next sale the reversal goes first",
            _swipe("credit-2", "15.00", pins["credit-2"]),
            must_say=("reversed", "00 approved"),
        ),
        Step("The batch is closed: terminal and host compare totals", lambda _: ["close", "--terminal", "10000001"]),
        Step("The slip the customer signs", lambda found: ["slip", found["rrn"]], must_say=("签购单", "商户存根")),
        Step(
            "The slip the customer keeps",
            lambda found: ["slip", found["rrn"], "--copy", "cardholder"],
            must_say=("持卡人存根",),
        ),
        Step(
            "What the journal says of that sale",
            lambda found: ["journal", found["rrn"]],
            must_say=("intent", "outcome"),
        ),
        Step(
            "Its trace, from the gateway's frame to the settlement posting",
            lambda found: ["trace", found["rrn"]],
            must_say=("receive frame", "process auth.v1.", "send issuer.v1.", "post to ledger"),
        ),
        Step("The merchant's day", lambda _: ["summary", merchant], must_say=("payable",)),
        Step("The invariants", lambda _: ["verify"], must_say=tuple(f"I{n}" for n in range(1, 15))),
    )
