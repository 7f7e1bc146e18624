"""A practice host: answers a terminal well enough to try one without a stack. Sans-I/O: bodies in, bodies out.

It approves every sale, up to `limit_minor`, keeps what it approved by identity, answers repetitions alike, reverses, and closes batches
by comparing totals. It is what the terminal's own tests run against.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import world
from contracts.authorization import BALANCED, NOT_BALANCED, Totals
from contracts.identity import transaction_id
from contracts.response_codes import APPROVED, INSUFFICIENT_FUNDS, MAC_ERROR, RESTRICTED_CARD
from iso8583 import (
    MAC_SIZE,
    DownloadedKey,
    Field59,
    Field60,
    Keys62,
    Message,
    Totals48,
    Value,
    decode,
    encode,
    mac_block,
    named_master,
    reply_to,
    with_master,
)
from security_module import Algorithm, Direction, DukptKey, Key, MacAlgorithm, Purpose, SecurityModule, WrappedKey
from world import KeyScheme

_TIME, _DATE, _NO_MAC = "120000", "0131", bytes(MAC_SIZE)
_SINGLE = "001"
"""60.3 of a sign-on: single-length keys."""


@dataclass(slots=True)
class Held:
    """One identity as the host holds it."""

    amount_minor: int
    batch: str
    code: str
    rrn: str
    answer: bytes = b""
    reversed: bool = False

    @property
    def counts(self) -> bool:
        return self.code == APPROVED and not self.reversed


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
        keys = _mac_keys(request, terminal)
        if keys is None or not self._module.verify_mac(
            keys.request, mac_block(body), body[-MAC_SIZE:], terminal.algorithm
        ):
            return encode(reply_to(request, {**_repeated(request), 39: MAC_ERROR}, processing="3"))
        return self._reverse(request, terminal) if request.mti == "0400" else self._sell(request, terminal)

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

    def _sell(self, request: Message, terminal: _Terminal) -> bytes:
        identity, batch = _identity(request)
        held = self.held.get(identity)
        if held is not None and held.answer:
            return held.answer
        amount = int(request.text(4))
        if held is None:
            code = APPROVED if amount <= self.limit_minor else INSUFFICIENT_FUNDS
            held = self.held[identity] = Held(amount, batch, code, f"{len(self.held) + 1:012d}")
        held.answer = self._sealed(request, {37: held.rrn, 38: "123456", 39: held.code})
        return held.answer

    def _reverse(self, request: Message, terminal: _Terminal) -> bytes:
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
            alike = (asked.debit_minor, asked.debit_count) == (own.debit_minor, own.debit_count)
            result = BALANCED if alike else NOT_BALANCED
        if result == BALANCED and (tid, batch) not in self.closed:
            self.closed[tid, batch] = result
            terminal.batch += 1
        fields = _management(request)
        del fields[39]
        fields[48] = Totals48(own.debit_minor, own.debit_count, 0, 0, result).pack()
        return encode(reply_to(request, fields))

    def totals(self, tid: str, batch: str) -> Totals:
        """What the host counts in a batch."""
        amounts = [h.amount_minor for i, h in self.held.items() if i.startswith(f"{tid}:{batch}:") and h.counts]
        return Totals(debit_minor=sum(amounts), debit_count=len(amounts))

    def _sealed(self, request: Message, more: dict[int, Value]) -> bytes:
        return self.seal(request, reply_to(request, {**_repeated(request), 12: _TIME, 13: _DATE, **more, 64: _NO_MAC}))


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
