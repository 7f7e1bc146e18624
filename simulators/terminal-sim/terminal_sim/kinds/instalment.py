"""Instalment sale: field 62 of the request says how it is to be paid, that of the answer what the bank makes of it."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.pan import Pan
from contracts.terms import InstalmentPlan, InstalmentTerms
from iso8583 import FormatError, Message, Plan62, Terms62, Value
from terminal_sim.kinds.form import Extras


def write(plan: InstalmentPlan | None, target: Pan | None) -> Mapping[int, Value]:
    """Field 62 of the request; FormatError when something of the plan does not fit its place, like goods that are not named in ASCII."""
    if plan is None:
        return {}
    return {62: Plan62(plan.periods, plan.goods, plan.fee_mode).pack()}


def read(answer: Message, asked_minor: int) -> Extras:
    """The bank's terms; FormatError when field 62 cannot be read, or the first payment is more than the whole."""
    said = Terms62.parse(answer.data(62))
    if said.first_minor > asked_minor:
        raise FormatError("62", "asks for more at once than the whole amount")
    return Extras(terms=InstalmentTerms(**said._asdict()))
