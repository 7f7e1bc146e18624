"""A terminal and whoever stands at it: logging in and out, passwords, cashiers, parameters. Nothing of it goes over the line."""

from __future__ import annotations

from terminal_sim import operators
from terminal_sim.changes import apply
from terminal_sim.entries import Entry, OperatorSet, ParametersSet
from terminal_sim.outcomes import Entered, Refused, Step
from terminal_sim.record import TerminalRecord
from terminal_sim.shipped import Parameters, password_digest
from terminal_sim.state import State, advance


class Attended:
    """What the terminal remembers, where it stands, and who has logged in."""

    def __init__(self, tid: str, record: TerminalRecord) -> None:
        self.tid = tid
        self.record = record
        self.state = State.IDLE
        self.operator = ""
        """Empty: nobody has logged in."""

    def log_in(self, operator: str, password: str) -> Step:
        """Terminals ship with operators 01 (password 0000), 00 and 99 (terminal_sim.shipped.SHIPPED_PASSWORDS)."""
        if self.state is not State.IDLE:
            return self._refused(f"operator {self.operator} is logged in")
        if not operators.is_right(self.record, operator, password):
            return self._refused(f"operator {operator}: unknown, or the password is wrong")
        self.operator = operator
        self.state = advance(self.state, State.SIGNED_ON if self.record.session else State.LOGGED_IN)
        return Step(outcome=Entered(operator=operator))

    def log_out(self) -> Step:
        """The session is kept for the next operator."""
        if self.state not in (State.LOGGED_IN, State.SIGNED_ON):
            return self._not_now("log out")
        self.state, operator = advance(self.state, State.IDLE), self.operator
        self.operator = ""
        return Step(outcome=Entered(operator=operator))

    def set_password(self, password: str) -> Step:
        """For the operator who is logged in."""
        return self._set(operators.wrong_password(password), *self._password_of(self.operator, password))

    def create_cashier(self, cashier: str, password: str) -> Step:
        """By operator 00."""
        why_not = operators.may_not_create(self.record, self.operator, cashier, password)
        return self._set(why_not, *self._password_of(cashier, password))

    def delete_cashier(self, cashier: str) -> Step:
        """By operator 00."""
        why_not = operators.may_not_delete(self.record, self.operator, cashier)
        return self._set(why_not, OperatorSet(operator=cashier, password_digest=""))

    def reset_password(self, operator: str, password: str) -> Step:
        """Of a cashier by operator 00, of anybody by operator 99."""
        why_not = operators.may_not_reset(self.record, self.operator, operator, password)
        return self._set(why_not, *self._password_of(operator, password))

    def set_parameters(self, parameters: Parameters) -> Step:
        """By operator 99."""
        return self._set(operators.may_not_set(self.operator, parameters), ParametersSet(parameters=parameters))

    def _password_of(self, operator: str, password: str) -> tuple[Entry, ...]:
        return (OperatorSet(operator=operator, password_digest=password_digest(self.tid, operator, password)),)

    def _set(self, why_not: str, *entries: Entry) -> Step:
        """Something at the terminal alone, by whoever is logged in."""
        if self.state not in (State.LOGGED_IN, State.SIGNED_ON):
            return self._not_now("be set up")
        if why_not:
            return self._refused(why_not)
        return Step(save=self._apply(*entries), outcome=Entered(operator=self.operator))

    def _apply(self, *entries: Entry) -> tuple[Entry, ...]:
        for entry in entries:
            apply(self.record, entry)
        return entries

    def _not_now(self, wish: str) -> Step:
        return self._refused(f"terminal {self.tid} is {self.state}: it cannot {wish}")

    @staticmethod
    def _refused(reason: str) -> Step:
        return Step(outcome=Refused(reason=reason))
