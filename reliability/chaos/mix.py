"""What the terminals do beside selling: everything, and much of what is about something earlier."""

from __future__ import annotations

from contracts.kinds import Kind
from terminal_sim.mix import Amounts, Cards, Mix, Shop

_AMOUNTS = [Amounts(share=1, from_minor=100, to_minor=10_000)]

SHOPS = Mix(
    cards=Cards(chip=0.3, contactless=0.2),
    shops=[
        Shop(
            name="shop",
            terminals=1,
            kinds={
                Kind.SALE: 20,
                Kind.VOID: 12,
                Kind.REFUND: 12,
                Kind.PRE_AUTH: 20,
                Kind.COMPLETION: 8,
                Kind.COMPLETION_ADVICE: 6,
                Kind.COMPLETION_VOID: 5,
                Kind.PRE_AUTH_VOID: 6,
                Kind.INSTALMENT: 8,
                Kind.INSTALMENT_VOID: 4,
                Kind.BALANCE: 3,
                Kind.OFFLINE_SALE: 8,
            },
            amounts=_AMOUNTS,
        )
    ],
)
BRANCHES = Mix(
    shops=[
        Shop(
            name="branch",
            terminals=1,
            kinds={Kind.TRANSFER: 8, Kind.BALANCE: 1, Kind.CARD_CHECK: 1},
            amounts=_AMOUNTS,
        )
    ]
)
"""Of the terminals for transfers."""
