"""Who may do what at a terminal (terminal-protocol, Rules): 99 sets it up, 00 supervises, 01 to 98 are cashiers. Pure rules over the record."""

from __future__ import annotations

import re

from contracts.kinds import CLAIMS, Kind
from terminal_sim.record import TerminalRecord
from terminal_sim.shipped import SUPERVISOR, SYSTEM, Parameters, password_digest

_CASHIER = re.compile(r"[0-9]{2}", re.ASCII)
_PASSWORD = re.compile(r"[0-9]{4,8}", re.ASCII)


def is_right(record: TerminalRecord, operator: str, password: str) -> bool:
    digest = record.password(operator)
    return digest != "" and digest == password_digest(record.tid, operator, password)


def may_not_create(record: TerminalRecord, by: str, cashier: str, password: str) -> str:
    """Why not, or nothing; so with all that follow."""
    if by != SUPERVISOR:
        return f"operator {by or '(none)'}: only {SUPERVISOR} creates cashiers"
    if not _is_cashier(cashier):
        return f"operator: {cashier!r} is no cashier's number; they are 01 to 98"
    if record.password(cashier):
        return f"operator: {cashier} is there already"
    return wrong_password(password)


def may_not_delete(record: TerminalRecord, by: str, cashier: str) -> str:
    if by != SUPERVISOR:
        return f"operator {by or '(none)'}: only {SUPERVISOR} deletes cashiers"
    if not _is_cashier(cashier):
        return f"operator: {cashier!r} is no cashier's number; they are 01 to 98"
    return "" if record.password(cashier) else f"operator: there is no {cashier}"


def may_not_reset(record: TerminalRecord, by: str, operator: str, password: str) -> str:
    """The supervisor resets a cashier's password, the system operator anybody's."""
    if by not in (SUPERVISOR, SYSTEM) or (by == SUPERVISOR and not _is_cashier(operator)):
        return f"operator {by or '(none)'}: may not reset the password of {operator}"
    return wrong_password(password) if record.password(operator) else f"operator: there is no {operator}"


def may_not_set(by: str, parameters: Parameters) -> str:
    if by != SYSTEM:
        return f"operator {by or '(none)'}: only {SYSTEM} sets parameters"
    if parameters.offline_limit_minor < 0:
        return "offline_limit_minor: must not be below 0"
    return "" if parameters.offline_most >= 0 else "offline_most: must not be below 0"


def may_not_transact(record: TerminalRecord, by: str, kind: Kind, approval: str) -> str:
    """`approval`: the supervisor's password, keyed where a parameter asks for it."""
    if by == SYSTEM:
        return f"operator {SYSTEM} sets the terminal up and takes no cards"
    parameters = record.parameters
    if not (parameters.supervisor_for_voids or parameters.supervisor_for_refunds) or kind not in CLAIMS:
        return ""
    refund, void = kind is Kind.REFUND, CLAIMS[kind].whole
    asked = (refund and parameters.supervisor_for_refunds) or (void and parameters.supervisor_for_voids)
    if not asked or by == SUPERVISOR or is_right(record, SUPERVISOR, approval):
        return ""
    return f"operator {by}: a {kind} asks for the password of the supervisor ({SUPERVISOR})"


def wrong_password(password: str) -> str:
    return "" if _PASSWORD.fullmatch(password) else "password: 4 to 8 digits"


def _is_cashier(number: str) -> bool:
    return _CASHIER.fullmatch(number) is not None and number not in (SUPERVISOR, SYSTEM)
