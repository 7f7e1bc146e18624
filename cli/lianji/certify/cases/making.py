"""One approved transaction of each kind, with what has to come before it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from contracts.kinds import Kind
from contracts.terms import InstalmentPlan
from lianji.certify.desk import APPROVED, Done
from lianji.certify.rig import Rig

AMOUNT = 12_34
GOODS = "TEA SET"
Make = Callable[[Rig], Awaitable[Done]]


async def sale(rig: Rig) -> Done:
    return (await rig.main.do(Kind.SALE, rig.debit, AMOUNT)).must_be(APPROVED)


async def void(rig: Rig) -> Done:
    return (await rig.main.void(await sale(rig))).must_be(APPROVED)


async def refund(rig: Rig) -> Done:
    return (await rig.main.about(Kind.REFUND, await sale(rig))).must_be(APPROVED)


async def pre_auth(rig: Rig) -> Done:
    return (await rig.main.do(Kind.PRE_AUTH, rig.debit, AMOUNT)).must_be(APPROVED)


async def pre_auth_void(rig: Rig) -> Done:
    return (await rig.main.void(await pre_auth(rig))).must_be(APPROVED)


async def completion(rig: Rig) -> Done:
    return (await rig.main.about(Kind.COMPLETION, await pre_auth(rig))).must_be(APPROVED)


async def completion_advice(rig: Rig) -> Done:
    return (await rig.main.about(Kind.COMPLETION_ADVICE, await pre_auth(rig))).must_be(APPROVED)


async def completion_void(rig: Rig) -> Done:
    return (await rig.main.void(await completion(rig))).must_be(APPROVED)


async def instalment(rig: Rig) -> Done:
    plan = InstalmentPlan(periods=rig.instalments.periods, goods=GOODS)
    return (await rig.main.do(Kind.INSTALMENT, rig.credit, AMOUNT, plan=plan)).must_be(APPROVED)


async def instalment_void(rig: Rig) -> Done:
    return (await rig.main.void(await instalment(rig))).must_be(APPROVED)


async def balance(rig: Rig) -> Done:
    return (await rig.main.do(Kind.BALANCE, rig.debit)).must_be(APPROVED)


async def card_check(rig: Rig) -> Done:
    return (await rig.desk("transfer").do(Kind.CARD_CHECK, rig.debit)).must_be(APPROVED)


async def transfer(rig: Rig) -> Done:
    target = rig.card("other").pan
    return (await rig.desk("transfer").do(Kind.TRANSFER, rig.debit, AMOUNT, target=target)).must_be(APPROVED)


async def offline_sale(rig: Rig) -> Done:
    return (await rig.main.do(Kind.OFFLINE_SALE, rig.debit, AMOUNT)).must_be(APPROVED)


MAKE: dict[Kind, Make] = {
    Kind.SALE: sale,
    Kind.VOID: void,
    Kind.REFUND: refund,
    Kind.PRE_AUTH: pre_auth,
    Kind.PRE_AUTH_VOID: pre_auth_void,
    Kind.COMPLETION: completion,
    Kind.COMPLETION_ADVICE: completion_advice,
    Kind.COMPLETION_VOID: completion_void,
    Kind.INSTALMENT: instalment,
    Kind.INSTALMENT_VOID: instalment_void,
    Kind.BALANCE: balance,
    Kind.CARD_CHECK: card_check,
    Kind.TRANSFER: transfer,
    Kind.OFFLINE_SALE: offline_sale,
}


def in_words(kind: Kind) -> str:
    """`a sale`, `an instalment void`.

    >>> in_words(Kind.INSTALMENT_VOID)
    'an instalment void'
    """
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind.replace('-', ' ')}"
