"""消费, a sale: takes its amount, or a part where terminal and bank agree on that (60.6, response code 10)."""

from __future__ import annotations

import msgspec

from contracts import response_codes as rc
from contracts.authorization import IssuerReply
from issuer_sim.domain import rules
from issuer_sim.domain.kinds.rule import Booking, Case, Rule


def _book(case: Case) -> Booking | str:
    asked, available_minor = case.asked, case.available_minor
    if asked.amount_minor <= available_minor:
        return Booking(asked.amount_minor)
    if asked.takes_part and asked.bank.part and available_minor > 0:
        return Booking(available_minor, part_of_minor=asked.amount_minor)
    return rc.INSUFFICIENT_FUNDS


RULE = Rule(rules.TAKING, _book)
STOOD_IN = Rule(rules.STOOD_IN, lambda case: Booking(case.asked.amount_minor), forced=True)
"""Approved by the acquirer while nobody here could be reached: it has happened, and the goods are gone."""


def in_part(reply: IssuerReply, minor: int) -> IssuerReply:
    """The reply to a sale of which `minor` was approved."""
    return msgspec.structs.replace(reply, response_code=rc.PARTIAL_APPROVAL, part_minor=minor)
