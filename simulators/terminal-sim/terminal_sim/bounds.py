"""What a terminal's parameters, its reader and its stop list allow."""

from __future__ import annotations

from contracts.kinds import CLAIMS
from contracts.money import Money
from contracts.response_codes import describe
from terminal_sim.cards import Inserted
from terminal_sim.kinds import FORMS
from terminal_sim.messages import CHIP_READER, CONTACTLESS_READER
from terminal_sim.orders import Order, article
from terminal_sim.outcomes import Refused
from terminal_sim.record import TerminalRecord
from terminal_sim.stopped import STOP_LIST, StopList

_CONTACTLESS, _ANY = (CONTACTLESS_READER,), (CHIP_READER, CONTACTLESS_READER)


def out_of_bounds(record: TerminalRecord, reader: str, order: Order) -> str:
    """What of an order they do not, or nothing. `reader`: 60.4."""
    parameters = record.parameters
    if FORMS[order.kind].offline:
        if order.amount_minor > parameters.offline_limit_minor:
            return f"amount: alone the terminal approves at most {Money(parameters.offline_limit_minor)}"
        if len(record.advices) >= parameters.offline_most:
            return f"terminal {record.tid}: {len(record.advices)} notices wait; send them first"
    if isinstance(order.card, Inserted):
        contactless, limit_minor = order.card.contactless, parameters.contactless_limit_minor
        if reader not in (_CONTACTLESS if contactless else _ANY):
            return f"card: terminal {record.tid} has no reader for {'contactless ' if contactless else ''}chips"
        if contactless and not order.pin and order.amount_minor > limit_minor:
            return f"pin: a contactless card needs it above {Money(limit_minor)}"
    if parameters.pin_for_voids and not order.pin and order.kind in CLAIMS and CLAIMS[order.kind].whole:
        return f"pin: {article(order.kind)} needs it at this terminal"
    return ""


def stopped(record: TerminalRecord, stops: StopList, order: Order) -> Refused | None:
    """The refusal of a card that is on the downloaded stop list."""
    if not FORMS[order.kind].stoppable:
        return None
    code = stops.code(record.downloads.get(STOP_LIST), order.card.pan)
    return Refused(reason=f"card: on the stop list: {describe(code)}", response_code=code) if code else None
