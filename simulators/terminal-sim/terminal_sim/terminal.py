"""The terminal as a state machine, without I/O: operations in, answers in, steps out.

A caller does what a step says in its order: save the entries, send the body, tell the outcome. Between the first two lies the rule
that matters most: the reversal is in the memory before the request is on the line.
"""

from __future__ import annotations

from contracts.batch import MOST_WITH, MOST_WITH_SALES
from contracts.identity import transaction_id
from contracts.kinds import KINDS, Kind
from contracts.money import CNY
from contracts.pan import Pan
from contracts.response_codes import MAC_ERROR, RESPONSE_CODES, UNKNOWN_TERMINAL
from iso8583 import FormatError, Message, decode, encode
from security_module import SecurityModuleError
from terminal_sim import answers, download, emv, operators, scripts, upload, waiting
from terminal_sim.answers import Answer, Verdict
from terminal_sim.attended import Attended
from terminal_sim.bounds import out_of_bounds, stopped
from terminal_sim.cards import Card, Keyed, entry_of
from terminal_sim.downloaded import DownloadBegun, Downloading
from terminal_sim.emv import Dialogue
from terminal_sim.entries import AdviceTried, CloseSent, Entry, ReversalTried, Sent, StanUsed, Stored, used
from terminal_sim.kinds import FORMS
from terminal_sim.messages import MAGNETIC_READER, SIGN_ON_DOUBLE, STATUS, WITH_PIN, WITHOUT_PIN, Messages
from terminal_sim.orders import Order, article, wrong
from terminal_sim.outcomes import Refused, Step, TransactionOutcome
from terminal_sim.record import PendingClose, Session, TerminalRecord, Transaction
from terminal_sim.seal import Seal
from terminal_sim.state import State, advance
from terminal_sim.stopped import StopList
from terminal_sim.stored import StoredAdvice
from terminal_sim.waiting import REVERSAL_TRIES

_HANDLERS = answers.HANDLERS | {
    State.UPLOADING: upload.answered,
    State.DOWNLOADING: download.answered,
    State.TELLING: scripts.answered,
}
_LOST = answers.LOST | {
    State.UPLOADING: upload.lost,
    State.DOWNLOADING: download.lost,
    State.TELLING: scripts.lost,
}
SIGN_ON_AGAIN = "3"
"""The host's push in the header of an answer."""


class Terminal(Attended):
    """One terminal. `record` is what it remembered when it was switched on; the terminal alone changes it."""

    def __init__(
        self, *, tid: str, mid: str, record: TerminalRecord, seal: Seal, reader: str = MAGNETIC_READER
    ) -> None:
        """`reader`: 60.4."""
        super().__init__(tid, record)
        self._messages = Messages(tid, mid, reader)
        self._dialogue: Dialogue | None = None  # with the chip in the reader, while its request is in flight
        self._seal = seal
        self._request: Message | None = None
        self.wanted: str = ""
        """What the host has asked to be downloaded (60.3), as the last answer says."""
        self._stops = StopList(seal)
        self._last: tuple[Message, bytes] | None = None
        """The last transaction, to be repeated byte for byte; in memory only, and only while its keys are in use."""

    @property
    def reader(self) -> str:
        """60.4: what cards it reads."""
        return self._messages.reader

    @property
    def batch_full(self) -> bool:
        """No sale goes into it any more: close the batch."""
        return self.record.batch_size >= MOST_WITH_SALES

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

    def sell(self, card: Card, amount_minor: int, pin: str, *, now_ms: int, currency: str = CNY) -> Step:
        """A sale; `pin` is empty when none was keyed."""
        order = Order(kind=Kind.SALE, card=card, amount_minor=amount_minor, pin=pin, currency=currency)
        return self.request(order, now_ms=now_ms)

    def request(self, order: Order, *, now_ms: int, approval: str = "") -> Step:
        """A transaction of any kind. What undoes it, or repeats it, is in the step's entries.

        `approval`: the supervisor's password, where a parameter of the terminal asks for it. An offline sale is approved here and now, within
        the terminal's limits; every notice (0220) is kept until its host has answered it.
        """
        session = self.record.session
        if self.state is not State.SIGNED_ON or session is None:
            return self._not_now(f"make {article(order.kind)}")
        refusal = (
            self._hindrance(order)
            or wrong(order)
            or operators.may_not_transact(self.record, self.operator, order.kind, approval)
            or out_of_bounds(self.record, self.reader, order)
        )
        barred = Refused(reason=refusal) if refusal else stopped(self.record, self._stops, order)
        if barred is not None:
            return Step(outcome=barred)
        sent = self._transaction(order, session, now_ms)
        read = emv.read(order, sent, self.tid)
        if isinstance(read, str):
            return self._refused(read)
        self._dialogue = read
        if KINDS[order.kind].notice:
            return self._store(order, sent)
        try:
            counter = self._seal.next_counter(self.record.counter)
            protection = self._seal.fields(session, counter, order.pin, order.card.pan)
            message = self._messages.request(sent, order.card, protection, order.target)
            body = self._seal.sealed(session, message)
        except (SecurityModuleError, FormatError) as error:
            return self._refused(str(error))
        self._last = message, body
        return self._send(State.REQUESTING, message, body, *used(counter), Sent(transaction=sent))

    def advise(self, *, new_round: bool = False) -> Step:
        """Sends the notice that has waited longest, at most 3 times; `new_round` is the operator's order to begin counting anew."""
        session = self.record.session
        if self.state is not State.SIGNED_ON or session is None:
            return self._not_now("send a notice")
        if self.record.pending is not None:
            return self._refused(waiting.of_reversal(self.tid, self.record.pending))
        advice = next(iter(self.record.advices.values()), None)
        if advice is None:
            return self._refused("no notice waits")
        if advice.tries >= REVERSAL_TRIES and not new_round:
            return self._refused(waiting.of_advice(self.tid, advice))
        return self._advise(session, advice, 1 if new_round else advice.tries + 1, ())

    def reverse(self, *, new_round: bool = False) -> Step:
        """Sends the pending reversal, at most 3 times; `new_round` is the operator's order to begin counting anew."""
        pending, session = self.record.pending, self.record.session
        if self.state is not State.SIGNED_ON or session is None:
            return self._not_now("reverse")
        if pending is None:
            return self._refused("no reversal is pending")
        if pending.tries >= REVERSAL_TRIES and not new_round:
            return self._refused(waiting.of_reversal(self.tid, pending))
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
        return self._send(State.REVERSING, message, body, *used(counter), tried)

    def settle(self, *, currency: str = CNY) -> Step:
        """Asks for the batch's close with the terminal's own totals; one that has begun is asked for again, alike."""
        if self.state is not State.SIGNED_ON:
            return self._not_now("settle")
        if first := waiting.first(self.record):
            return self._refused(first)
        if self.record.closing is not None and self.record.closing.uploading:
            return self._refused(f"batch {self.record.closing.batch} is being uploaded; finish that first")
        batch = self.record.batch
        close = self.record.closing or PendingClose(
            batch=batch, stan=self.record.next_stan(), totals=self.record.totals(batch)
        )
        message = self._messages.settle(close, operator=self.operator, currency=currency)
        saved = () if self.record.closing else (CloseSent(close=close),)
        return self._send(State.SETTLING, message, encode(message), *saved)

    def upload(self) -> Step:
        """The next message of the upload of an unbalanced batch, of which the last is its end; one without an answer is sent again."""
        if self.state is not State.SIGNED_ON:
            return self._not_now("upload a batch")
        close = self.record.closing
        if close is None or not close.uploading:
            return self._refused("no close has been called unbalanced")
        stan = self.record.next_stan()
        code, content, signed = upload.next_message(self.record, close)
        message = self._messages.upload(close, stan=stan, code=code, content=content, signed=signed)
        return self._send(State.UPLOADING, message, encode(message), StanUsed(stan=stan))

    def download(self, code: str) -> Step:
        """The next message of a download (60.3 of download.SPLITS), of which the last is its end. Another one that had begun is thrown away."""
        if self.state is not State.SIGNED_ON or code not in download.SPLITS:
            return self._not_now(f"download {code}")
        begun: tuple[Entry, ...] = ()
        at = self.record.downloading
        if at is None or at.code != code:
            at, begun = Downloading(code=code), (DownloadBegun(code=code),)
        stan = self.record.next_stan()
        network_code, index = download.next_message(at)
        message = self._messages.download(stan=stan, batch=self.record.batch, code=network_code, index=index)
        return self._send(State.DOWNLOADING, message, encode(message), *begun, StanUsed(stan=stan))

    def tell_results(self) -> Step:
        """Tells the host what the chip has made of its bank's orders that has waited longest."""
        session = self.record.session
        if self.state is not State.SIGNED_ON or session is None or not self.record.results:
            return self._not_now("tell a chip's results")
        try:
            message, entries = scripts.notice(self.record, self._messages, self._seal, session)
            body = self._seal.sealed(session, message)
        except (SecurityModuleError, FormatError) as error:
            return self._refused(str(error))
        return self._send(State.TELLING, message, body, *entries)

    def resend_last(self) -> Step:
        """The last transaction once more, byte for byte, so that its answer can be compared with the first."""
        if self.state is not State.SIGNED_ON or self._last is None:
            return self._not_now("repeat a transaction")
        message, body = self._last
        transaction = self.record.transaction(self.record.batch, message.text(11))
        code = transaction.response_code if transaction and not transaction.reversed else ""
        # What had no word of the switch might be taken now, behind the terminal's back.
        if code not in RESPONSE_CODES or RESPONSE_CODES[code].retry_can_help or self.record.waits:
            return self._refused("the last transaction has no final answer to compare with")
        return self._send(State.RESENDING, message, body)

    def echo(self) -> Step:
        """Asks whether the host is there."""
        return self._ask(self._messages.echo(batch=self.record.batch), "echo")

    def report_status(self) -> Step:
        """Tells the host that the terminal is at work (60.3 362)."""
        return self._ask(self._messages.echo(batch=self.record.batch, code=STATUS), "report its status")

    def look_up(self, pan: Pan) -> Step:
        """Asks whether a card is on the host's stop list (60.3 393)."""
        stan = self.record.next_stan()
        message = self._messages.stop_check(stan=stan, batch=self.record.batch, pan=pan)
        return self._ask(message, "look a card up", StanUsed(stan=stan))

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
        if not answers.belongs(message, request):
            return Step()
        session = self.record.session
        sealed = session is not None and self._seal.is_sealed(session, request, body)
        answer = Answer(
            request=request, message=message, body=body, sealed=sealed, now_ms=now_ms, dialogue=self._dialogue
        )
        verdict = _HANDLERS[self.state](self.record, answer, self._seal, self.operator)
        code = message.text(39)
        self.wanted = download.PUSHES.get(message.header.processing, "")
        # No MAC is asked for: a refusal of this kind has none, and whoever forges one brings about a sign-on, no more.
        over = code in (MAC_ERROR, UNKNOWN_TERMINAL) or message.header.processing == SIGN_ON_AGAIN
        return self._conclude(verdict, over=over or verdict.session_over)

    def lose(self, *, reason: str = "98") -> Step:
        """No answer will come: the time is up (98), the line broke (98), or what came cannot be read (06)."""
        if self._request is None:
            return Step()
        verdict = _LOST[self.state](self.record, self._request, reason)
        return self._conclude(verdict, over=verdict.session_over)

    # Inside

    def _ask(self, message: Message, wish: str, *entries: Entry) -> Step:
        if self.state is not State.SIGNED_ON:
            return self._not_now(wish)
        return self._send(State.ECHOING, message, encode(message), *entries)

    def _conclude(self, verdict: Verdict, *, over: bool) -> Step:
        """Back to rest; without a session when it is over."""
        self._request, self._dialogue = None, None
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

    def _transaction(self, order: Order, session: Session, now_ms: int) -> Transaction:
        """As the memory keeps it."""
        return Transaction(
            batch=session.batch,
            stan=self.record.next_stan(),
            kind=order.kind,
            amount_minor=order.amount_minor,
            currency=order.currency,
            card=str(order.card.pan),
            entry_mode=entry_of(order.card) + (WITH_PIN if order.pin else WITHOUT_PIN),
            at_ms=now_ms,
            takes_part=FORMS[order.kind].partial and (order.takes_part or self.record.parameters.takes_part),
            original=order.original,
            target="" if order.target is None else str(order.target),
            plan=order.plan,
        )

    def _store(self, order: Order, kept: Transaction) -> Step:
        """Keeps a notice; sends it at once unless it is of a sale that the terminal approves alone.

        At once and later alike it goes out with number and expiry: no more of a card may be kept, and that only sealed. A chip's cryptogram
        stands in `kept`.
        """
        card = order.card
        keyed = Keyed(pan=card.pan, expiry=card.expiry)
        sealed = self._seal.keep_card(keyed, transaction_id(self.tid, kept.batch, kept.stan))
        stored = Stored(transaction=kept, card=sealed)
        if FORMS[order.kind].offline:
            outcome = TransactionOutcome(
                kind=kept.kind, batch=kept.batch, stan=kept.stan, amount_minor=kept.amount_minor, stored=True
            )
            return Step(save=self._apply(stored), outcome=outcome)
        session = self.record.session
        if session is None:
            return self._not_now(f"make {article(order.kind)}")
        advice = StoredAdvice(batch=kept.batch, stan=kept.stan, card=sealed)
        return self._advise(session, advice, 1, (stored,), kept)

    def _advise(
        self,
        session: Session,
        advice: StoredAdvice,
        tries: int,
        before: tuple[Entry, ...],
        kept: Transaction | None = None,
    ) -> Step:
        identity = transaction_id(self.tid, advice.batch, advice.stan)
        sent = kept or self.record.transactions.get(identity)
        if sent is None:
            return self._refused(f"terminal {self.tid}: its memory lacks transaction {advice.batch}/{advice.stan}")
        try:
            card = self._seal.kept_card(advice.card, identity)
            counter = self._seal.next_counter(self.record.counter)
            message = self._messages.request(sent, card, self._seal.fields(session, counter, "", None))
            body = self._seal.sealed(session, message)
        except (SecurityModuleError, FormatError) as error:
            return self._refused(str(error))
        self._last = message, body
        tried = AdviceTried(batch=advice.batch, stan=advice.stan, tries=tries)
        return self._send(State.REQUESTING, message, body, *used(counter), *before, tried)

    def _hindrance(self, order: Order) -> str:
        """Why no new transaction may start, or nothing. An offline sale needs no line, so that nothing has to go before it."""
        record = self.record
        if not FORMS[order.kind].offline and (first := waiting.first(self.record)):
            return first
        if record.closing is not None:
            return f"terminal {self.tid}: the close of batch {record.closing.batch} has begun; finish it first"
        # Declined ones count here, too: the host never has less room than this.
        if record.batch_size >= MOST_WITH[order.kind]:
            return (
                f"terminal {self.tid}: batch {record.batch} is full ({record.batch_size} transactions); close it first"
            )
        return ""
