"""A terminal at the host: the terminal simulator's messages and seal, without its state machine, so that it may also do what no terminal does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from contracts.authorization import Original, Totals
from contracts.kinds import KINDS, Effect, Kind
from contracts.money import CNY
from contracts.pan import Pan
from contracts.terms import InstalmentPlan
from iso8583 import (
    MAC_SIZE,
    Field60,
    FormatError,
    Message,
    Value,
    carries_mac,
    check_profile,
    decode,
    encode,
    reply_mti,
    tlv,
)
from lianji.certify.line import Line, LineError
from lianji.certify.patience import until
from lianji.certify.profile import CardEntry, TerminalEntry
from lianji.certify.sealed import BALANCED, UNBALANCED, Exchange, Fields, Sealed, changed, plain, result_of, seal_for
from lianji.certify.verdict import Failed, expect, require
from security_module import SecurityModuleError
from terminal_sim import emv
from terminal_sim.cards import KEYED, SWIPED, Inserted, Keyed
from terminal_sim.kinds import FORMS
from terminal_sim.messages import MAGNETIC_READER, SIGN_ON_DOUBLE, WITH_PIN, WITHOUT_PIN, Messages
from terminal_sim.orders import VOIDS
from terminal_sim.record import PendingClose, PendingReversal, Session, Transaction

APPROVED, IN_PART, TRY_LATER = "00", "10", "91"
OPERATOR = "001"
_BARE = frozenset({"A0", "97", "03"})
"""Refusals that may come before the host has found the message's MAC right, and then have none (terminal-protocol, chapter 11)."""
_YES = (APPROVED, IN_PART)


@dataclass(slots=True)
class Done:
    """A transaction and what was answered to it."""

    desk: Desk
    transaction: Transaction
    sent: Sealed
    card: CardEntry
    answer: Message
    body: bytes
    over: bool = False
    """Reversed by its case, or given back: nothing is left to be undone."""
    claims: Done | None = None
    """What it was about."""
    refunded_minor: int = field(default=0)

    @property
    def code(self) -> str:
        return self.answer.text(39)

    @property
    def approved(self) -> bool:
        return self.code in _YES

    @property
    def worth_minor(self) -> int:
        """Of a partial approval the part."""
        return int(self.answer.text(4) or 0)

    @property
    def original(self) -> Original:
        """How fields 61, 37 and 38 name it."""
        return Original(
            batch=self.transaction.batch,
            stan=self.transaction.stan,
            date=self.answer.text(13),
            rrn=self.answer.text(37),
            authorization_code=self.answer.text(38),
        )

    def must_be(self, code: str) -> Done:
        """Failed with another response code."""
        expect("39 (response code)", wanted=code, got=self.code)
        return self


class Desk:
    """One terminal. Every answer is held to what all answers have: its MTI, its MAC, the fields of its kind."""

    def __init__(self, entry: TerminalEntry, host: str, port: int, kept: Callable[[Exchange], None]) -> None:
        self.entry = entry
        self.seal = seal_for(entry)
        self.messages = Messages(entry.tid, entry.mid, entry.reader)
        self.session: Session | None = None
        self.batch = ""
        self.done: list[Done] = []
        """Transactions of the case that runs, in their order."""
        self.dialogue: emv.Dialogue | None = None
        """What the chip in the reader has begun last."""
        self._address = host, port
        self._keep = kept
        self._line: Line | None = None
        self._stan = 0
        self._counter = 0

    # ------------------------------------------------------------------ the line

    async def line(self) -> Line:
        """The one that stands, or a new one."""
        if self._line is None or not self._line.open:
            self._line = await self.dial()
        return self._line

    async def dial(self) -> Line:
        """A line of its own, beside the usual one; the caller closes it."""
        return await Line.dial(*self._address)

    def hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    async def raw(self, sealed: Sealed, *, line: Line | None = None) -> tuple[Message, bytes]:
        """Sends a message and reads its answer; nothing of it is looked at but its MTI. Failed when none comes."""
        line = line or await self.line()
        line.send(sealed.body)
        return await self.hear(sealed, line)

    async def hear(self, sealed: Sealed, line: Line) -> tuple[Message, bytes]:
        """The answer to what was sent on this line."""
        try:
            body = await line.read()
            answer = None if body is None else decode(body)
        except (LineError, FormatError) as error:
            self._keep(Exchange(sealed.message, None))
            raise Failed(f"answer: {error}") from None
        self._keep(Exchange(sealed.message, answer))
        if body is None or answer is None:
            raise Failed("answer: none came, the host closed the connection")
        expect("MTI of the answer", wanted=reply_mti(sealed.message.mti), got=answer.mti)
        return answer, body

    async def ask(self, sealed: Sealed, *, line: Line | None = None) -> Message:
        """As `raw`, and the answer is held to its MAC and to the fields of its kind."""
        answer, body = await self.raw(sealed, line=line)
        self.judge(sealed, answer, body)
        return answer

    def judge(self, sealed: Sealed, answer: Message, body: bytes) -> None:
        """Failed when an approval lacks something, or the MAC of any answer is wrong. A refusal says what it can (chapter 11)."""
        if answer.text(39) in ("", *_YES):
            try:
                check_profile(answer)
            except FormatError as error:
                raise Failed(f"answer: {error}") from None
        bare = 64 not in answer.fields and answer.text(39) in _BARE
        if carries_mac(answer.mti) and self.session is not None and not bare:
            right = self.seal.is_sealed(self.session, sealed.message, body)
            require(right, "64: the MAC of the answer is wrong" if 64 in answer.fields else "64: the answer has no MAC")

    # ------------------------------------------------------------------ sessions and batches

    def next_stan(self) -> str:
        self._stan += 1
        return f"{self._stan:06d}"

    async def ready(self) -> None:
        """A session; the first one of a run begins in a batch of its own, so that no STAN of it was used before."""
        if self.session is None:
            first = not self.batch
            await self.sign_on()
            if first:
                await self.renew()

    def sign_on_message(self, keys: str = SIGN_ON_DOUBLE, *, master: str = "", change: Fields | None = None) -> Sealed:
        message = self.messages.sign_on(
            stan=self.next_stan(), batch=self.batch, operator=OPERATOR, keys=keys, master=master
        )
        return plain(message, change)

    async def sign_on(self, keys: str = SIGN_ON_DOUBLE) -> Message:
        """New keys, which are checked by their check values; Failed when they are wrong or there are none."""
        sealed = self.sign_on_message(keys)
        answer = await self.ask(sealed)
        expect("39 (response code) of the sign-on", wanted=APPROVED, got=answer.text(39))
        self.take_session(answer, 16 if keys == SIGN_ON_DOUBLE else 8)
        return answer

    def take_session(self, answer: Message, length: int) -> None:
        """The batch and the keys of a sign-on's answer."""
        try:
            keys = self.seal.open_keys(answer.data(62), None, session_bytes=2 * (length + 4))
            self.batch = Field60.parse(answer.text(60)).batch
        except FormatError as error:
            raise Failed(f"sign-on: {error}") from None
        except SecurityModuleError as error:
            raise Failed(f"62: {error}") from None
        self.session = Session(batch=self.batch, operator=OPERATOR, pin_key=keys.pin, mac_key=keys.mac)

    async def sign_off(self) -> Message:
        sealed = plain(self.messages.sign_off(stan=self.next_stan(), batch=self.batch))
        answer = await self.ask(sealed)
        self.session = None
        return answer

    async def settle(self, totals: Totals, *, batch: str = "", change: Fields | None = None) -> Message:
        """A 0500; what it says stands in the answer's 48."""
        close = PendingClose(batch=batch or self.batch, stan=self.next_stan(), totals=totals)
        sealed = plain(self.messages.settle(close, operator=OPERATOR, currency=CNY), change)
        return await self.ask(sealed)

    async def close_batch(self, totals: Totals) -> Message:
        """Settles, and must find the host of the same mind; then signs on to the next batch."""
        answer = await self.settle(totals)
        result = result_of(answer)
        require(
            result.result == BALANCED,
            f"48: the host does not call the batch balanced ({result.result}): "
            f"debits {result.debit_count} of {result.debit_minor}, credits {result.credit_count} of {result.credit_minor}; "
            f"expected {totals.debit_count} of {totals.debit_minor}, {totals.credit_count} of {totals.credit_minor}",
        )
        self._stan = 0
        await self.sign_on()
        return answer

    async def renew(self) -> None:
        """Closes the open batch with the totals that the host has of it, whatever they are, and signs on to the next one."""
        answer = await self.settle(Totals())
        result = result_of(answer)
        if result.result == UNBALANCED:
            await self.close_batch(
                Totals(
                    debit_minor=result.debit_minor,
                    debit_count=result.debit_count,
                    credit_minor=result.credit_minor,
                    credit_count=result.credit_count,
                )
            )
            return
        expect("48 (result) of an empty batch", wanted=BALANCED, got=result.result)
        self._stan = 0
        await self.sign_on()

    # ------------------------------------------------------------------ transactions

    def prepare(
        self,
        kind: Kind,
        card: CardEntry,
        amount_minor: int = 0,
        *,
        pin: str | None = None,
        keyed: bool = False,
        original: Original | None = None,
        plan: InstalmentPlan | None = None,
        target: Pan | None = None,
        takes_part: bool = False,
        stan: str = "",
        batch: str = "",
        change: Fields | None = None,
        chip: Inserted | None = None,
        tags: Mapping[str, bytes | None] | None = None,
    ) -> Sealed:
        """A request, sealed. `pin`: None is the card's own where the kind takes one. `tags`: what is changed of a chip's field 55."""
        session = self._session()
        if pin is None:
            pin = "" if KINDS[kind].notice else card.pin
        sent = Transaction(
            batch=batch or self.batch,
            stan=stan or self.next_stan(),
            kind=kind,
            amount_minor=amount_minor,
            currency=CNY,
            card=str(card.pan),
            entry_mode=(chip.entry if chip else KEYED if keyed else SWIPED) + (WITH_PIN if pin else WITHOUT_PIN),
            at_ms=time.time_ns() // 1_000_000,
            takes_part=takes_part,
            original=original,
            target=str(target or ""),
            plan=plan,
        )
        if chip is not None:
            self._begin(chip, sent, pin=bool(pin), tags=tags or {})
        number = Keyed(pan=card.pan, expiry=card.track.expiry)
        shown = number if keyed or kind is Kind.OFFLINE_SALE else chip or card.track
        message = self.messages.request(sent, shown, self.protection(pin, card.pan), target)
        return Sealed(*self.sealed(session, message, change), sent)

    def _begin(self, chip: Inserted, sent: Transaction, *, pin: bool, tags: Mapping[str, bytes | None]) -> None:
        """The chip's part in what is about to be sent; Failed when it takes none."""
        begun = emv.begin(chip, sent, self.entry.tid, pin=pin, alone=FORMS[sent.kind].offline)
        if isinstance(begun, str):
            raise Failed(begun)
        self.dialogue = begun
        changed_tags = {tag: value for tag, value in {**begun.tags, **tags}.items() if value is not None}
        sent.sequence, sent.chip = f"{chip.chip.written.sequence:0>3}", tlv.pack(changed_tags).hex()

    def protection(self, pin: str, pan: Pan | None) -> dict[int, Value]:
        """Fields 52, 53 and 59, with a counter of its own."""
        self._counter = self.seal.next_counter(self._counter)
        return self.seal.fields(self._session(), self._counter, pin, pan)

    def sealed(self, session: Session, message: Message, change: Fields | None = None) -> tuple[Message, bytes]:
        """With a MAC where it has a place for one."""
        message = changed(message, change)
        if 64 not in message.fields:
            return message, encode(message)
        body = self.seal.sealed(session, message)
        return changed(message, {64: body[-MAC_SIZE:]}), body

    async def do(self, kind: Kind, card: CardEntry, amount_minor: int = 0, **more: object) -> Done:
        """A transaction, whatever is answered to it. What is approved is undone after its case."""
        await self.ready()
        return await self.send(self.prepare(kind, card, amount_minor, **more), card)  # type: ignore[arg-type]

    async def send(self, sealed: Sealed, card: CardEntry, *, line: Line | None = None) -> Done:
        """A request that was prepared, or sends one again."""
        if sealed.of is None:
            raise ValueError("a sign-on, or the like, is no transaction")
        answer, body = await self.raw(sealed, line=line)
        done = Done(self, sealed.of, sealed, card, answer, body)
        if not any(d.transaction is sealed.of for d in self.done):
            self.done.append(done)
        self.judge(sealed, answer, body)
        return done

    async def about(self, kind: Kind, of: Done, amount_minor: int | None = None, **more: object) -> Done:
        """A void, a refund or a completion; asked again while a reversal that it depends on is on its way (91)."""
        amount = of.worth_minor if amount_minor is None else amount_minor
        more.setdefault("original", of.original)
        card = more.pop("card", of.card)
        if not isinstance(card, CardEntry):
            raise TypeError("card is no card")

        async def once() -> Done:
            return await self.do(kind, card, amount, **more)

        done = await until(once, lambda d: d.code != TRY_LATER)
        done.claims = of
        if done.approved and kind is Kind.REFUND:
            of.refunded_minor += amount
        return done

    async def void(self, of: Done, amount_minor: int | None = None, **more: object) -> Done:
        """By the kind of void that the original's kind has."""
        return await self.about(VOIDS[of.transaction.kind], of, amount_minor, **more)

    def reversal(self, of: Sealed, *, reason: str = "98", change: Fields | None = None) -> Sealed:
        """The 0400 of a request."""
        sent = of.of
        if sent is None:
            raise ValueError("a sign-on, or the like, is not reversed")
        pending = PendingReversal(batch=sent.batch, stan=sent.stan, reason=reason)
        message = self.messages.reversal(sent, pending, self.protection("", None))
        return Sealed(*self.sealed(self._session(), message, change), sent)

    async def reverse(self, done: Done, *, reason: str = "98", change: Fields | None = None) -> Message:
        """Reverses, whatever is answered."""
        await self.ready()
        answer = await self.ask(self.reversal(done.sent, reason=reason, change=change))
        if answer.text(39) == APPROVED:
            done.over = True
        return answer

    async def undo(self, done: Done) -> None:
        """Takes back what a case has left standing: by a reversal, or where there is none by a refund. Failed when the host will not."""
        facts = KINDS[done.transaction.kind]
        if done.over or not done.approved or facts.effect is Effect.LOOKS:
            return
        reversible = facts.reversible and not done.refunded_minor
        if done.claims is not None and not reversible and facts.debit:
            done.claims.over = (
                True  # a pre-authorization that is spent: only the reversal of its completion makes it good again
            )
        if reversible:

            async def once() -> str:
                return (await self.reverse(done)).text(39)

            code = await until(once, lambda said: said == APPROVED)
            expect("39 (response code) of the reversal afterwards", wanted=APPROVED, got=code)
        elif facts.debit and (left := done.worth_minor - done.refunded_minor) > 0:
            # A swipe around a chip is refused; a number says as well which card it is.
            keyed = self.entry.reader != MAGNETIC_READER
            (await self.about(Kind.REFUND, done, left, keyed=keyed)).must_be(APPROVED)
        done.over = True

    def _session(self) -> Session:
        if self.session is None:
            raise ValueError("not signed on")
        return self.session
