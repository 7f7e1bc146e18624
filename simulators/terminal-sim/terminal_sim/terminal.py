"""The terminal as a state machine, without I/O: operations in, answers in, steps out.

A caller does what a step says in its order: save the entries, send the body, tell the outcome. Between the first two lies the rule
that matters most: the reversal is in the memory before the request is on the line.
"""

from __future__ import annotations

from contracts.kinds import Kind
from contracts.money import CNY, MAX_AMOUNT_MINOR
from contracts.pan import Track2
from contracts.response_codes import MAC_ERROR, RESPONSE_CODES, UNKNOWN_TERMINAL
from iso8583 import FormatError, Message, decode, encode, reply_mti
from security_module import SecurityModuleError
from terminal_sim import answers
from terminal_sim.answers import Answer, Verdict
from terminal_sim.messages import SIGN_ON_DOUBLE, SWIPED_WITH_PIN, SWIPED_WITHOUT_PIN, Messages
from terminal_sim.outcomes import Entered, Refused, Step
from terminal_sim.record import (
    BATCH_LIMIT,
    CloseSent,
    CounterUsed,
    Entry,
    OperatorSet,
    PendingClose,
    PendingReversal,
    ReversalTried,
    Sent,
    StanUsed,
    TerminalRecord,
    Transaction,
    apply,
    password_digest,
)
from terminal_sim.seal import Seal
from terminal_sim.state import State, advance

REVERSAL_TRIES = 3
SIGN_ON_AGAIN = "3"
"""The host's push in the header of an answer."""


class Terminal:
    """One terminal. `record` is what it remembered when it was switched on; the terminal alone changes it."""

    def __init__(self, *, tid: str, mid: str, record: TerminalRecord, seal: Seal) -> None:
        self.tid = tid
        self.record = record
        self.state = State.IDLE
        self.operator = ""
        self._messages = Messages(tid, mid)
        self._seal = seal
        self._request: Message | None = None
        self._last: tuple[Message, bytes] | None = None
        """The last sale, to be repeated byte for byte; in memory only, and only while its keys are in use."""

    @property
    def batch_full(self) -> bool:
        """Field 48 cannot count more: close the batch."""
        return self.record.batch_size >= BATCH_LIMIT

    # Operators

    def log_in(self, operator: str, password: str) -> Step:
        """Terminals ship with operator 01 and password 0000."""
        if self.state is not State.IDLE:
            return self._refused(f"operator {self.operator} is logged in")
        if self.record.operators.get(operator) != password_digest(self.tid, operator, password):
            return self._refused(f"operator {operator}: unknown, or the password is wrong")
        self.operator = operator
        self.state = advance(self.state, State.SIGNED_ON if self.record.session else State.LOGGED_IN)
        return Step(outcome=Entered(operator=operator))

    def log_out(self) -> Step:
        """The session is kept for the next operator."""
        if self.state not in (State.LOGGED_IN, State.SIGNED_ON):
            return self._not_now("log out")
        self.state, operator = advance(self.state, State.IDLE), self.operator
        return Step(outcome=Entered(operator=operator))

    def set_password(self, password: str) -> Step:
        """For the operator who is logged in."""
        if self.state is State.IDLE:
            return self._not_now("set a password")
        digest = password_digest(self.tid, self.operator, password)
        saved = self._apply(OperatorSet(operator=self.operator, password_digest=digest))
        return Step(save=saved, outcome=Entered(operator=self.operator))

    # Requests

    def sign_on(self, keys: str = SIGN_ON_DOUBLE) -> Step:
        """Asks for session keys (60.3 `003` double-length, `001` single-length) and the batch number."""
        if self.state not in (State.LOGGED_IN, State.SIGNED_ON):
            return self._not_now("sign on")
        stan = self.record.next_stan()
        master = self._seal.master_check_value(self.record.master)
        message = self._messages.sign_on(
            stan=stan, batch=self.record.batch, operator=self.operator, keys=keys, master=master
        )
        return self._send(State.SIGNING_ON, message, encode(message), StanUsed(stan=stan))

    def sell(self, track: Track2, amount_minor: int, pin: str, *, now_ms: int, currency: str = CNY) -> Step:
        """A sale by swipe; `pin` is empty when none was keyed. Its reversal is in the step's entries."""
        session = self.record.session
        if self.state is not State.SIGNED_ON or session is None:
            return self._not_now("sell")
        hindrance = self._hindrance()
        if hindrance:
            return self._refused(hindrance)
        if not 0 < amount_minor <= MAX_AMOUNT_MINOR:
            return self._refused("amount: must be more than 0 and fit 12 digits")
        sent = Transaction(
            batch=session.batch,
            stan=self.record.next_stan(),
            kind=Kind.SALE,
            amount_minor=amount_minor,
            currency=currency,
            card=str(track.pan),
            entry_mode=SWIPED_WITH_PIN if pin else SWIPED_WITHOUT_PIN,
            at_ms=now_ms,
        )
        try:
            counter = self._seal.next_counter(self.record.counter)
            message = self._messages.request(sent, track, self._seal.fields(session, counter, pin, track))
            body = self._seal.sealed(session, message)
        except (SecurityModuleError, FormatError) as error:
            return self._refused(str(error))
        self._last = message, body
        return self._send(State.SELLING, message, body, *_used(counter), Sent(transaction=sent))

    def reverse(self, *, new_round: bool = False) -> Step:
        """Sends the pending reversal, at most 3 times; `new_round` is the operator's order to begin counting anew."""
        pending, session = self.record.pending, self.record.session
        if self.state is not State.SIGNED_ON or session is None:
            return self._not_now("reverse")
        if pending is None:
            return self._refused("no reversal is pending")
        if pending.tries >= REVERSAL_TRIES and not new_round:
            return self._refused(self._stuck(pending))
        original = self.record.transaction(pending.batch, pending.stan)
        if original is None:
            return self._refused(f"terminal {self.tid}: its memory lacks transaction {pending.batch}/{pending.stan}")
        try:
            counter = self._seal.next_counter(self.record.counter)
            message = self._messages.reversal(original, pending, self._seal.fields(session, counter, "", None))
            body = self._seal.sealed(session, message)
        except SecurityModuleError as error:
            return self._refused(str(error))
        tries = 1 if new_round else pending.tries + 1
        tried = ReversalTried(batch=pending.batch, stan=pending.stan, tries=tries)
        return self._send(State.REVERSING, message, body, *_used(counter), tried)

    def settle(self, *, currency: str = CNY) -> Step:
        """Asks for the batch's close with the terminal's own totals; one that has begun is asked for again, alike."""
        if self.state is not State.SIGNED_ON:
            return self._not_now("settle")
        if self.record.pending is not None:
            return self._refused(self._waits(self.record.pending))
        batch = self.record.batch
        close = self.record.closing or PendingClose(
            batch=batch, stan=self.record.next_stan(), totals=self.record.totals(batch)
        )
        message = self._messages.settle(close, operator=self.operator, currency=currency)
        saved = () if self.record.closing else (CloseSent(close=close),)
        return self._send(State.SETTLING, message, encode(message), *saved)

    def resend_last(self) -> Step:
        """The last sale once more, byte for byte, so that its answer can be compared with the first."""
        if self.state is not State.SIGNED_ON or self._last is None:
            return self._not_now("repeat a transaction")
        message, body = self._last
        transaction = self.record.transaction(self.record.batch, message.text(11))
        code = transaction.response_code if transaction and not transaction.reversed else ""
        # What had no word of the switch might be taken now, behind the terminal's back.
        if code not in RESPONSE_CODES or RESPONSE_CODES[code].retry_can_help or self.record.pending is not None:
            return self._refused("the last transaction has no final answer to compare with")
        return self._send(State.RESENDING, message, body)

    def echo(self) -> Step:
        """Asks whether the host is there."""
        if self.state is not State.SIGNED_ON:
            return self._not_now("echo")
        message = self._messages.echo(batch=self.record.batch)
        return self._send(State.ECHOING, message, encode(message))

    def sign_off(self) -> Step:
        """Ends the session, whatever the host answers."""
        if self.state not in (State.LOGGED_IN, State.SIGNED_ON):
            return self._not_now("sign off")
        stan = self.record.next_stan()
        message = self._messages.sign_off(stan=stan, batch=self.record.batch)
        return self._send(State.SIGNING_OFF, message, encode(message), StanUsed(stan=stan))

    # Answers

    def receive(self, body: bytes, *, now_ms: int) -> Step:
        """What came on the line. An empty step: it was no answer to the request in flight, wait on."""
        request = self._request
        if request is None:
            return Step()
        try:
            message = decode(body)
        except FormatError:
            return self.lose(reason="06")
        if not _answers(message, request):
            return Step()
        session = self.record.session
        sealed = session is not None and self._seal.is_sealed(session, request, body)
        answer = Answer(request=request, message=message, body=body, sealed=sealed, now_ms=now_ms)
        verdict = answers.HANDLERS[self.state](self.record, answer, self._seal, self.operator)
        code = message.text(39)
        over = code in (MAC_ERROR, UNKNOWN_TERMINAL) or message.header.processing == SIGN_ON_AGAIN
        return self._conclude(verdict, over=over or verdict.session_over)

    def lose(self, *, reason: str = "98") -> Step:
        """No answer will come: the time is up (98), the line broke (98), or what came cannot be read (06)."""
        if self._request is None:
            return Step()
        verdict = answers.LOST[self.state](self.record, self._request, reason)
        return self._conclude(verdict, over=verdict.session_over)

    # Inside

    def _conclude(self, verdict: Verdict, *, over: bool) -> Step:
        """Back to rest; without a session when it is over."""
        self._request = None
        entries = list(verdict.entries)
        if over and self.record.session is not None:
            entries.append(answers.SESSION_ENDED)
        saved = self._apply(*entries)
        if over or any(entry.__class__ is answers.SIGNED_ON for entry in entries):
            self._last = None
        self.state = advance(self.state, State.SIGNED_ON if self.record.session else State.LOGGED_IN)
        return Step(save=saved, outcome=verdict.outcome)

    def _send(self, state: State, message: Message, body: bytes, *entries: Entry) -> Step:
        self.state = advance(self.state, state)
        self._request = message
        return Step(save=self._apply(*entries), send=body)

    def _apply(self, *entries: Entry) -> tuple[Entry, ...]:
        for entry in entries:
            apply(self.record, entry)
        return entries

    def _hindrance(self) -> str:
        """Why no new transaction may start, or nothing."""
        record = self.record
        if record.pending is not None:
            return self._waits(record.pending)
        if record.closing is not None:
            return f"terminal {self.tid}: the close of batch {record.closing.batch} has begun; finish it first"
        if self.batch_full:
            return f"terminal {self.tid}: batch {record.batch} is full ({BATCH_LIMIT} transactions); close it first"
        return ""

    def _waits(self, pending: PendingReversal) -> str:
        if pending.tries >= REVERSAL_TRIES:
            return self._stuck(pending)
        return f"terminal {self.tid}: the reversal of {pending.batch}/{pending.stan} goes first"

    def _stuck(self, pending: PendingReversal) -> str:
        return (
            f"terminal {self.tid}: the reversal of {pending.batch}/{pending.stan} has not gone through after "
            f"{pending.tries} tries; recover it before the next transaction"
        )

    def _not_now(self, wish: str) -> Step:
        return self._refused(f"terminal {self.tid} is {self.state}: it cannot {wish}")

    @staticmethod
    def _refused(reason: str) -> Step:
        return Step(outcome=Refused(reason=reason))


def _used(counter: int) -> tuple[CounterUsed, ...]:
    """What is saved of a message's counter, where the scheme has one."""
    return (CounterUsed(counter=counter),) if counter else ()


def _answers(message: Message, request: Message) -> bool:
    """Whether `message` is the answer to `request`: its type, its trace number, its terminal."""
    return (
        message.mti == reply_mti(request.mti)
        and message.text(11) == request.text(11)
        and message.text(41) == request.text(41)
    )
