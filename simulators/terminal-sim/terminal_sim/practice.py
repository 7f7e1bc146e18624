"""A practice host: answers a terminal well enough to try one without a stack. Sans-I/O: bodies in, bodies out.

It approves every transaction, up to `limit_minor`, keeps what it approved by identity, lets a claim (void, completion, refund) stand
on its original as contracts.kinds.CLAIMS has it, answers repetitions alike, reverses, and closes batches by comparing totals, and when they
differ by their details. It is what the terminal's own tests run against. Cards and PINs it does not look at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

import world
from contracts.authorization import BALANCED, NOT_BALANCED, Totals
from contracts.identity import transaction_id
from contracts.kinds import CLAIMS, KINDS, Kind, most_of
from contracts.money import CNY
from contracts.response_codes import (
    APPROVALS,
    APPROVED,
    FUNCTION_NOT_SUPPORTED,
    INSUFFICIENT_FUNDS,
    INVALID_AMOUNT,
    INVALID_RELATED_TRANSACTION,
    MAC_ERROR,
    ORIGINAL_AMOUNT_MISMATCH,
    ORIGINAL_NOT_FOUND,
    OVER_AMOUNT_LIMIT,
    PARTIAL_APPROVAL,
    RESTRICTED_CARD,
)
from iso8583 import (
    AVAILABLE,
    MAC_SIZE,
    Amount54,
    Balances54,
    DownloadedKey,
    Field59,
    Field60,
    Keys62,
    Message,
    Original61,
    Plan62,
    Terms62,
    Totals48,
    Value,
    decode,
    encode,
    mac_block,
    named_master,
    parse_count,
    parse_details,
    reply_to,
    with_master,
)
from security_module import Algorithm, Direction, DukptKey, Key, MacAlgorithm, Purpose, SecurityModule, WrappedKey
from world import KeyScheme

_TIME, _DATE, _NO_MAC = "120000", "0131", bytes(MAC_SIZE)
_SINGLE = "001"
"""60.3 of a sign-on: single-length keys."""
_TAKES_PART = "1"
"""60.6."""
_KINDS = {(f.mti, f.processing_code, f.condition_code, f.message_type): kind for kind, f in KINDS.items()}


@dataclass(slots=True)
class Held:
    """One identity as the host holds it."""

    amount_minor: int
    """Of a partial approval the part."""
    batch: str
    code: str
    rrn: str
    answer: dict[int, Value] = field(default_factory=dict)
    """What was said to it: a repetition is told the same, under its own keys where the terminal derives them."""
    reversed: bool = False
    kind: Kind = Kind.SALE
    original: str = ""
    """The identity of what it is about."""

    @property
    def counts(self) -> bool:
        return self.code in APPROVALS and not self.reversed


@dataclass(slots=True)
class _Terminal:
    batch: int = 1
    mac_key: WrappedKey | None = None
    masters: list[WrappedKey] = field(default_factory=list)
    algorithm: MacAlgorithm = MacAlgorithm.CUP_ECB
    base: WrappedKey | None = None
    """Of a terminal that derives its keys."""


class _MacKeys(NamedTuple):
    """Of one request and of its answer."""

    request: Key
    answer: Key


@dataclass
class PracticeHost:
    """`held` is what it knows, by identity (terminal:batch:STAN)."""

    limit_minor: int = 10_000_00
    held: dict[str, Held] = field(default_factory=dict)
    closed: dict[tuple[str, str], str] = field(default_factory=dict)
    """(terminal, batch) → the result that its close was answered with."""
    uploaded: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    """(terminal, batch) → STAN → amount, as far as its details were uploaded."""
    _terminals: dict[str, _Terminal] = field(default_factory=dict)
    _module: SecurityModule = field(default_factory=lambda: SecurityModule(world.lmk("acquirer")))

    def __post_init__(self) -> None:
        self._bases = {
            cipher: self._module.import_clear(Purpose.BASE_DERIVATION, world.base_key(cipher), cipher)
            for cipher in Algorithm
        }

    def answer(self, body: bytes) -> bytes:
        """The answer's body; FormatError for what is no message."""
        request = decode(body)
        terminal = self._terminals.setdefault(request.text(41), _Terminal())
        facts = world.built_in().terminal(request.text(41))
        if facts is not None:
            derives = facts.scheme is not KeyScheme.SESSION
            terminal.algorithm = facts.mac_algorithm
            terminal.base = self._bases[facts.scheme.cipher] if derives else None
        match request.mti:
            case "0800":
                return self._sign_on(request, terminal)
            case "0820":
                return encode(reply_to(request, _management(request)))
            case "0500":
                return self._settle(request, terminal)
            case "0320":
                return self._upload(request, terminal)
        keys = _mac_keys(request, terminal)
        if keys is None or not self._module.verify_mac(
            keys.request, mac_block(body), body[-MAC_SIZE:], terminal.algorithm
        ):
            return encode(reply_to(request, {**_repeated(request), 39: MAC_ERROR}, processing="3"))
        return self._trusted(request)

    def _trusted(self, request: Message) -> bytes:
        match request.mti:
            case "0400":
                return self._reverse(request)
            case "0620":
                return self._sealed(request, {37: request.text(37), 39: APPROVED})
            case _:
                return self._transact(request)

    def seal(self, request: Message, reply: Message) -> bytes:
        """The body of an answer to `request`, whose field 64 is a place for the MAC, with the MAC if there are keys for one."""
        terminal, body = self._terminals[request.text(41)], encode(reply)
        keys = _mac_keys(request, terminal)
        if keys is None:
            return body
        return body[:-MAC_SIZE] + self._module.mac(keys.answer, mac_block(body), terminal.algorithm)

    def forget_keys(self) -> None:
        """As after a host's restart: every terminal has to sign on again."""
        for terminal in self._terminals.values():
            terminal.mac_key = None

    def rotate_master(self, tid: str) -> str:
        """A new TMK for the terminal, handed over at its next sign-on; its check value."""
        key = self._module.generate(Purpose.TERMINAL_MASTER)
        self._masters(tid).append(key)
        return key.check_value

    def _masters(self, tid: str) -> list[WrappedKey]:
        """The terminal's master keys, oldest first; the first is the shipped one."""
        masters = self._terminals.setdefault(tid, _Terminal()).masters
        if not masters:
            masters.append(self._module.import_clear(Purpose.TERMINAL_MASTER, world.terminal_master_key(tid)))
        return masters

    def _sign_on(self, request: Message, terminal: _Terminal) -> bytes:
        fields = _management(request)
        sixty = Field60.parse(request.text(60))
        fields[60] = sixty._replace(batch=f"{terminal.batch:06d}").pack()
        if terminal.base is not None:
            return encode(reply_to(request, fields))
        length = 8 if sixty.network_code == _SINGLE else 16
        pin, terminal.mac_key = (self._module.generate(kind, length=length) for kind in (Purpose.PIN, Purpose.MAC))
        masters = self._masters(request.text(41))
        named = named_master(request.data(62)) if 62 in request.fields else masters[0].check_value
        held = next(key for key in masters if key.check_value == named)
        exported = [self._module.export_under(held, key, width=length) for key in (pin, terminal.mac_key)]
        following = None if held is masters[-1] else DownloadedKey(*self._module.export_under(held, masters[-1]))
        fields[62] = with_master(Keys62(*(DownloadedKey(*key) for key in exported)).pack(), following)
        return encode(reply_to(request, fields))

    def _transact(self, request: Message) -> bytes:
        identity, batch = _identity(request)
        held = self.held.get(identity)
        if held is None:
            held = self.held[identity] = self._decided(request, batch)
        if not held.answer:
            held.answer = {37: held.rrn, 39: held.code, **(_approved(held, request) if held.counts else {})}
        return self._sealed(request, held.answer)

    def _decided(self, request: Message, batch: str) -> Held:
        """A new transaction. The first rule that refuses gives the code."""
        rrn, amount = f"{len(self.held) + 1:012d}", int(request.text(4) or 0)
        kind = _KINDS.get(_key(request))
        if kind is None:
            return Held(amount, batch, FUNCTION_NOT_SUPPORTED, rrn)
        original = _original(request) if kind in CLAIMS else ""
        code = self._claimed(kind, original, amount) if kind in CLAIMS else APPROVED
        if code == APPROVED and amount > self.limit_minor and not KINDS[kind].advice:
            code = INSUFFICIENT_FUNDS
            if Field60.parse(request.text(60)).partial_approval == _TAKES_PART and kind is Kind.SALE:
                code, amount = PARTIAL_APPROVAL, self.limit_minor
        return Held(amount, batch, code, rrn, kind=kind, original=original)

    def _claimed(self, kind: Kind, original: str, amount: int) -> str:
        """Whether this may be done to its original, as a response code."""
        claim, found = CLAIMS[kind], self.held.get(original)
        if found is None:
            return ORIGINAL_NOT_FOUND
        standing = [h for h in self.held.values() if h.original == original and h.counts]
        if found.kind not in claim.originals or not found.counts:
            return INVALID_RELATED_TRANSACTION
        if any(CLAIMS[h.kind].exclusive for h in standing) or (claim.exclusive and standing):
            return INVALID_RELATED_TRANSACTION
        if claim.whole and amount != found.amount_minor:
            return ORIGINAL_AMOUNT_MISMATCH
        if claim.exclusive:
            return OVER_AMOUNT_LIMIT if amount > most_of(found.amount_minor, claim.most_percent) else APPROVED
        return INVALID_AMOUNT if amount + sum(h.amount_minor for h in standing) > found.amount_minor else APPROVED

    def _reverse(self, request: Message) -> bytes:
        identity, batch = _identity(request)
        held = self.held.get(identity)
        if held is None:  # a tombstone: the original is refused should it still come
            held = self.held[identity] = Held(
                int(request.text(4)), batch, RESTRICTED_CARD, f"{len(self.held) + 1:012d}"
            )
        held.reversed = True
        return self._sealed(request, {37: held.rrn, 39: APPROVED})

    def _settle(self, request: Message, terminal: _Terminal) -> bytes:
        tid, batch = request.text(41), Field60.parse(request.text(60)).batch
        asked, own = Totals48.parse(request.text(48)), self.totals(tid, batch)
        result = self.closed.get((tid, batch), "")
        if not result:
            result = BALANCED if asked[:4] == msgspec.structs.astuple(own) else NOT_BALANCED
        if result == BALANCED and (tid, batch) not in self.closed:
            self.closed[tid, batch] = result
            terminal.batch += 1
        fields = _management(request)
        del fields[39]
        fields[48] = Totals48(own.debit_minor, own.debit_count, own.credit_minor, own.credit_count, result).pack()
        return encode(reply_to(request, fields))

    def _upload(self, request: Message, terminal: _Terminal) -> bytes:
        """Takes details, and at their end closes the batch: what the terminal has not told of is reversed. 12: some are missing."""
        tid, sixty = request.text(41), Field60.parse(request.text(60))
        fields, place = _management(request), (tid, sixty.batch)
        told = self.uploaded.setdefault(place, {})
        if sixty.network_code in ("201", "203"):
            told.update((d.stan, d.amount_minor) for d in parse_details(request.text(48)))
        elif place not in self.closed and len(told) != parse_count(request.text(48)):
            fields[39] = INVALID_RELATED_TRANSACTION
        elif place not in self.closed:
            for identity, held in self.held.items():
                mine = identity.startswith(f"{tid}:{sixty.batch}:") and KINDS[held.kind].settles
                held.reversed = held.reversed or (mine and identity[-6:] not in told)
            self.closed[place] = NOT_BALANCED
            terminal.batch += 1
        return encode(reply_to(request, fields))

    def totals(self, tid: str, batch: str) -> Totals:
        """What the host counts in a batch."""
        counted = [h for i, h in self.held.items() if i.startswith(f"{tid}:{batch}:") and h.counts]
        debit = [h.amount_minor for h in counted if KINDS[h.kind].debit]
        credit = [h.amount_minor for h in counted if KINDS[h.kind].credit]
        return Totals(
            debit_minor=sum(debit), debit_count=len(debit), credit_minor=sum(credit), credit_count=len(credit)
        )

    def _sealed(self, request: Message, more: dict[int, Value]) -> bytes:
        return self.seal(request, reply_to(request, {**_repeated(request), 12: _TIME, 13: _DATE, **more, 64: _NO_MAC}))


def _key(request: Message) -> tuple[str, str, str, str]:
    return request.mti, request.text(3), request.text(25), Field60.parse(request.text(60)).message_type


def _original(request: Message) -> str:
    """The identity that field 61 names, at the same terminal."""
    named = Original61.parse(request.text(61))
    return transaction_id(request.text(41), named.batch, named.stan)


def _approved(held: Held, request: Message) -> dict[int, Value]:
    """What an approval brings beside its code."""
    fields: dict[int, Value] = {38: "123456"}
    match held.kind:
        case Kind.BALANCE:
            fields[54] = Balances54((Amount54.of("10", AVAILABLE, CNY, 1_000_00),)).pack()
        case Kind.INSTALMENT:
            periods = max(1, Plan62.parse(request.data(62)).periods)
            first = held.amount_minor // periods + held.amount_minor % periods
            fields[62] = Terms62(first, CNY, 0).pack()
    if 4 in request.fields:
        fields[4] = f"{held.amount_minor:012d}"
    return fields


def _mac_keys(request: Message, terminal: _Terminal) -> _MacKeys | None:
    """The session's, or those that derive from the request's serial number; None when there are none."""
    if terminal.base is None:
        return None if terminal.mac_key is None else _MacKeys(terminal.mac_key, terminal.mac_key)
    ksn = Field59.parse(request.data(59)).ksn
    return _MacKeys(
        DukptKey(base=terminal.base, ksn=ksn), DukptKey(base=terminal.base, ksn=ksn, direction=Direction.RESPONSE)
    )


def _repeated(request: Message) -> dict[int, Value]:
    return {n: request.fields[n] for n in (3, 4, 11, 25, 41, 42, 49, 60) if n in request.fields}


def _management(request: Message) -> dict[int, Value]:
    return {**_repeated(request), 12: _TIME, 13: _DATE, 37: "000000000000", 39: APPROVED}


def _identity(request: Message) -> tuple[str, str]:
    batch = Field60.parse(request.text(60)).batch
    return transaction_id(request.text(41), batch, request.text(11)), batch
