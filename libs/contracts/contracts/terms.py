"""What a bank says beside yes: balances, and the terms of an instalment sale. None of it is card data."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from contracts import bounds


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What may be spent (field 54, amount type 02), in minor units; below zero where an account is overdrawn."""

    available_minor: bounds.Amount
    currency: bounds.Currency
    account_type: Annotated[str, Meta(pattern=r"^[0-9]{2}$")] = "00"
    """00 unspecified, 10 savings, 20 cheque or debit, 30 credit (ISO 8583, field 3)."""


class InstalmentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What an instalment sale asks for (field 62 of the request)."""

    periods: Annotated[int, Meta(ge=0, le=99)]
    goods: Annotated[str, Meta(max_length=30)] = ""
    fee_mode: Annotated[str, Meta(max_length=1)] = "0"
    """0: the fee is spread over the periods; 1: it is paid with the first one."""


class InstalmentTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank makes of it (field 62 of the answer), in minor units. The bank bills it: the merchant gets the amount at once."""

    first_minor: bounds.Amount
    """The first payment, without the fee."""
    currency: bounds.Currency
    fee_minor: bounds.Amount
    """In all."""
    points: bounds.Amount = 0
    fee_mode: Annotated[str, Meta(max_length=1)] = "0"
    first_fee_minor: bounds.Amount = 0
    period_fee_minor: bounds.Amount = 0
    periods: Annotated[int, Meta(ge=0, le=99)] = 0
    """As asked: a slip prints it, field 62 of the answer does not hold it."""
