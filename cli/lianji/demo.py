"""The demo as a table: what is shown, the command that shows it, and how it must end."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from contracts.kinds import Kind

SHOP, COUNTER_2, TRANSFERS = "10000001", "10000002", "10000015"
"""Three terminals of one merchant; the third is for transfers."""
DECLINED, NO_ANSWER = 3, 1
"""Exit codes of `lianji swipe` and `lianji do`."""

Found = dict[str, str]
"""What later steps need of earlier ones, by the name under which it was remembered."""

RRN = r"RRN (\d{12})"
VOUCHER = r"voucher (\d{6})  batch"
AS_ON_SLIP = r"批次号\(BATCH NO\): (\d{6})\s+凭证号\(VOUCHER NO\): (\d{6})[\s\S]*?\d{4}/(\d\d)/(\d\d) "
"""What a refund at another terminal is keyed with: batch, voucher, month and day."""


class Step(NamedTuple):
    """One thing shown. `arguments` is what a user would type; `exit_code` is what it must end with, or the demo fails."""

    title: str
    arguments: Callable[[Found], list[str]]
    exit_code: int = 0
    must_say: tuple[str, ...] = ()
    remember: Mapping[str, str] = {}
    """Name → pattern: what its groups find in the output, joined with slashes, is kept for later steps."""


def remembered(step: Step, output: str) -> Found:
    """What the step's output holds of what is to be remembered; a name whose pattern is nowhere in it is left out."""
    found = {name: re.search(pattern, output) for name, pattern in step.remember.items()}
    return {name: "/".join(match.groups()) for name, match in found.items() if match}


def steps(pins: dict[str, str], merchant: str) -> tuple[Step, ...]:
    """The demo's steps, in order; `pins` by card name, `merchant` is the three terminals'."""

    def swipe(card: str, amount: str, *more: str, pin: str = "") -> Callable[[Found], list[str]]:
        keyed = ["--card", card, "--amount", amount, "--pin", pin or pins[card]]
        return lambda _: ["swipe", "--terminal", SHOP, *keyed, *more]

    def do(
        kind: Kind, card: str, *more: str, pin: bool = True, of: str = "", terminal: str = SHOP
    ) -> Callable[[Found], list[str]]:
        """`of`: the name under which the voucher of the original was remembered."""
        keyed = ["--terminal", terminal, "--card", card, *(("--pin", pins[card]) if pin else ())]
        return lambda found: ["do", kind.value, *keyed, *(("--voucher", found[of]) if of else ()), *more]

    wrong = "".join(str((int(digit) + 1) % 10) for digit in pins["debit-1"])
    approved = ("00 approved",)
    return (
        Step(
            "消费 Sale. The terminal signs on, keys come down under its master key; it sells to a debit card of Huaxing Bank",
            swipe("debit-1", "12.34"),
            must_say=("signed on", *approved),
            remember={"sale rrn": RRN},
        ),
        Step(
            "A credit card of Nanhai Bank",
            swipe("credit-1", "268.00"),
            must_say=approved,
            remember={"dinner rrn": RRN},
        ),
        Step(
            "Another debit card, and a wrong amount",
            swipe("debit-2", "880.00"),
            must_say=approved,
            remember={"mistake": VOUCHER},
        ),
        Step(
            "消费撤销 Void: same terminal, same batch, all of it",
            do(Kind.VOID, "debit-2", of="mistake"),
            must_say=("VOID", *approved),
        ),
        Step("A wrong PIN", swipe("debit-1", "20.00", pin=wrong), DECLINED, ("55 wrong PIN",)),
        Step("More than the account holds", swipe("debit-poor", "500.00"), DECLINED, ("51 insufficient funds",)),
        Step(
            "The same, at a terminal that takes what there is (60.6): the customer pays the rest in cash",
            do(Kind.SALE, "debit-poor", "--amount", "16.00", "--part"),
            must_say=("10 partial approval", "approved RMB 10.00 of 16.00"),
        ),
        Step(
            "A card on the stop list: refused by the switch, the bank is not asked",
            swipe("debit-stopped", "20.00"),
            DECLINED,
            ("04 capture card",),
        ),
        Step("余额查询 Balance: field 54", do(Kind.BALANCE, "credit-1"), must_say=("available RMB", *approved)),
        Step(
            "预授权 Pre-authorization: the tea room's deposit is held, not taken",
            do(Kind.PRE_AUTH, "credit-1", "--amount", "1000.00"),
            must_say=approved,
            remember={"deposit": VOUCHER},
        ),
        Step(
            "预授权完成(请求) Completion: the bill is less, and the whole hold ends",
            do(Kind.COMPLETION, "credit-1", "--amount", "860.00", of="deposit"),
            must_say=approved,
        ),
        Step(
            "Another deposit",
            do(Kind.PRE_AUTH, "debit-2", "--amount", "300.00"),
            must_say=approved,
            remember={"second deposit": VOUCHER},
        ),
        Step(
            "预授权完成(通知) Completion as a notice (0220): the bank takes it, 115 % of the hold at most",
            do(Kind.COMPLETION_ADVICE, "debit-2", "--amount", "330.00", pin=False, of="second deposit"),
            must_say=approved,
            remember={"second bill": VOUCHER},
        ),
        Step(
            "预授权完成撤销 Completion void: that was the wrong room's bill",
            do(Kind.COMPLETION_VOID, "debit-2", of="second bill"),
            must_say=approved,
        ),
        Step(
            "A third deposit",
            do(Kind.PRE_AUTH, "debit-1", "--amount", "500.00"),
            must_say=approved,
            remember={"third deposit": VOUCHER},
        ),
        Step(
            "预授权撤销 Pre-authorization void: the guest does not come",
            do(Kind.PRE_AUTH_VOID, "debit-1", of="third deposit"),
            must_say=approved,
        ),
        Step(
            "分期消费 Instalment sale: a tea set in twelve parts",
            do(Kind.INSTALMENT, "credit-2", "--amount", "3600.00", "--periods", "12", "--goods", "TEA SET"),
            must_say=("first payment", *approved),
        ),
        Step(
            "And one in three parts, for somebody who thinks again",
            do(Kind.INSTALMENT, "credit-2", "--amount", "900.00", "--periods", "3"),
            must_say=approved,
            remember={"second set": VOUCHER},
        ),
        Step(
            "分期消费撤销 Instalment void",
            do(Kind.INSTALMENT_VOID, "credit-2", of="second set"),
            must_say=approved,
        ),
        Step(
            "The answer is lost on the line: the terminal does not know, and keeps the reversal it saved before it sent",
            swipe("debit-2", "66.00", "--lose-answer"),
            NO_ANSWER,
            ("its reversal is kept",),
        ),
        Step(
            "离线消费 Offline sale: meanwhile the terminal approves a small amount alone",
            do(Kind.OFFLINE_SALE, "debit-1", "--amount", "25.00", pin=False),
            must_say=("approved by the terminal",),
        ),
        Step(
            "冲正 Reversal: at the next sale it goes first, then the notice of the offline sale, then the sale",
            swipe("credit-2", "15.00"),
            must_say=("first reversed", "first told: the offline-sale", *approved),
        ),
        Step(
            "持卡人验证 Cardholder check: at the terminal for transfers, whose first sign-on this is",
            do(Kind.CARD_CHECK, "debit-1", terminal=TRANSFERS),
            must_say=("signed on", *approved),
        ),
        Step(
            "转账 Transfer: from a card of one bank to a card of another, both halves or none",
            do(Kind.TRANSFER, "debit-1", "--to", "credit-1", "--amount", "200.00", terminal=TRANSFERS),
            must_say=("TRANSFER", *approved),
        ),
        Step(
            "结算 The batch is closed: terminal and host compare totals",
            lambda _: ["close", "--terminal", SHOP],
            must_say=("balanced, closed",),
        ),
        Step(
            "The slip that the customer of the dinner signed",
            lambda found: ["slip", found["dinner rrn"]],
            must_say=("签购单", "商户存根"),
        ),
        Step(
            "And the one that he kept",
            lambda found: ["slip", found["dinner rrn"], "--copy", "cardholder"],
            must_say=("持卡人存根",),
            remember={"dinner slip": AS_ON_SLIP},
        ),
        Step(
            "退货 Refund: he comes back with it after the close, to another terminal, for a part",
            lambda found: do(
                Kind.REFUND,
                "credit-1",
                "--amount",
                "68.00",
                "--original",
                _original(found["dinner slip"]),
                "--rrn",
                found["dinner rrn"],
                pin=False,
                terminal=COUNTER_2,
            )(found),
            must_say=("REFUND", *approved),
            remember={"refund rrn": RRN},
        ),
        Step(
            "Its slip names what it gives back",
            lambda found: ["slip", found["refund rrn"], "--copy", "cardholder"],
            must_say=("退货", "原参考号"),
        ),
        Step(
            "That terminal's batch is closed, too: it owes",
            lambda _: ["close", "--terminal", COUNTER_2],
            must_say=("balanced, closed",),
        ),
        Step(
            "What the journal says of the first sale",
            lambda found: ["journal", found["sale rrn"]],
            must_say=("intent", "outcome"),
        ),
        Step(
            "Its trace, from the gateway's frame to the settlement posting",
            lambda found: ["trace", found["sale rrn"]],
            must_say=("receive frame", "process auth.v1.", "send issuer.v1.", "post to ledger"),
        ),
        Step("The merchant's day", lambda _: ["summary", merchant], must_say=("payable",)),
        Step(
            "The books: fourteen invariants",
            lambda _: ["verify"],
            must_say=(*(f"I{n}" for n in range(1, 15)), "all held"),
        ),
    )


def _original(slip: str) -> str:
    """BATCH/VOUCHER/MMDD, of what AS_ON_SLIP finds.

    >>> _original("000001/000002/11/29")
    '000001/000002/1129'
    """
    batch, voucher, month, day = slip.split("/")
    return f"{batch}/{voucher}/{month}{day}"
