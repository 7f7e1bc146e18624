"""A switch without a broker: the real office and machine over a log in memory, and banks that answer as told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from auth.domain.register import MerchantEntry, Register, TerminalEntry
from auth.domain.state import Shard
from auth.handlers import ShardOffice
from auth.issuers import Issuers
from auth.machine import ShardMachine
from auth.recall import Ledger
from contracts import subjects
from contracts.authorization import (
    AdviseRequest,
    AuthorizeRequest,
    CardData,
    IssuerReply,
    IssuerReverseReply,
    ReverseRequest,
    SettleRequest,
    Totals,
)
from contracts.codec import decoder, encode
from contracts.kinds import Kind
from contracts.pan import MaskedCard, Pan, luhn_check_digit
from contracts.response_codes import APPROVED
from runtime.bus import Request
from runtime.log import GroupLog, LogStore, unheard
from runtime.memory_log import MemoryLog
from runtime.ownership import Term, replay
from runtime.snapshots import NoSnapshots, Snapshot
from runtime.tracing import Tracer

PAN = "629101000000001" + luhn_check_digit("629101000000001")
REGISTER = Register(
    merchants={"M1": MerchantEntry(True, 100_00)},
    terminals={"T1": TerminalEntry("M1", True)},
    terminals_of={"M1": ("T1",)},
    institution_for=lambda _: "bank",
    stop_reason=lambda _: "",
    institutions=("bank",),
    currency="156",
)
NOTHING = Totals()
_advice = decoder(AdviseRequest).decode


class Serving:
    async def stop(self, *, cancel: bool = False) -> None:
        return


class Banks:
    """The bus as the switch uses it; `answer` gives a bank's reply, or raises."""

    def __init__(self, answer: Callable[[str], Any] | None = None) -> None:
        self.answer = answer or approve
        self.asked: list[str] = []

    async def serve(self, subject: str, handler: Any, *, queue: str = "", concurrency: int = 1) -> Serving:
        return Serving()

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Any = None) -> bytes:
        self.asked.append(subject)
        answer = self.answer(subject)
        return await answer if isinstance(answer, Awaitable) else answer


class TellableBank(Banks):
    """One bank, and the gateway that tells it of what was approved in its stead; while `down` is set both raise that."""

    def __init__(self, down: Exception | None = None) -> None:
        super().__init__(self.say)
        self.down = down
        self.code = APPROVED
        """Its answer to what it is told."""
        self.told: list[AdviseRequest] = []

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Any = None) -> bytes:
        answer = await super().request(subject, body, timeout_s=timeout_s, trace=trace)
        if subject == subjects.CARDS_ADVISE:
            self.told.append(_advice(body))
        return answer

    def say(self, subject: str) -> bytes:
        if self.down is not None:
            raise self.down
        return encode(IssuerReply(response_code=self.code)) if subject == subjects.CARDS_ADVISE else approve(subject)


async def until(condition: Callable[[], bool]) -> None:
    """Lets the other tasks run until they have brought about what is waited for."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


def approve(subject: str) -> bytes:
    if subject.endswith("reverse"):
        return encode(IssuerReverseReply(response_code="00"))
    return encode(IssuerReply(response_code="00", authorization_code="000001"))


class GatedLog(MemoryLog):
    """Appends wait at a gate: before they land, or, with `lands`, before their acknowledgement."""

    def __init__(self, *, lands: bool = False) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.waits = asyncio.Event()
        self._lands = lands

    async def append(
        self, payload: bytes, *, expected: int, message_id: str, sent: Callable[[], None] = unheard
    ) -> int:
        sent()
        if self._lands:
            sequence = await super().append(payload, expected=expected, message_id=message_id, sent=sent)
        if not self.gate.is_set():
            self.waits.set()
        await self.gate.wait()
        return (
            sequence
            if self._lands
            else await super().append(payload, expected=expected, message_id=message_id, sent=sent)
        )


class Lease:
    """Always ours."""

    async def take(self) -> bool:
        return True

    async def renew(self) -> bool:
        return True

    async def release(self) -> None:
        return


class Kept:
    """Snapshots in memory."""

    def __init__(self) -> None:
        self.kept: list[Snapshot] = []

    async def save(self, snapshot: Snapshot) -> None:
        self.kept.append(snapshot)

    async def newest(self) -> list[Snapshot]:
        return self.kept[::-1]


def office(banks: Banks, *, issuer_s: float = 2, **more: Any) -> ShardOffice:
    return ShardOffice(
        shard=0,
        register=REGISTER,
        bus=banks,  # type: ignore[arg-type]
        issuers=Issuers(banks, issuer_s),  # type: ignore[arg-type]
        ledger=Ledger(banks, 0.5),  # type: ignore[arg-type]
        tracer=Tracer("test", "test"),
        concurrency=8,
        **{"now_ms": lambda: time.time_ns() // 1_000_000, **more},
    )


async def take_office(store: LogStore, machine: ShardMachine | None = None) -> Term[Shard]:
    """A new term over whatever `store` holds."""
    machine = machine or ShardMachine()
    state, position, epoch, *_ = await replay(store, machine, NoSnapshots())
    term = Term(machine, state, GroupLog(store, epoch + 1, position, now_ns=time.time_ns))
    await term.append([machine.epoch_record(epoch=epoch + 1, owner=f"owner {epoch + 1}", at_ms=1)])
    return term


def request(message: msgspec.Struct) -> Request:
    return Request("test", encode(message), None, 0)


def sale(stan: str = "000001", batch: str = "000001", amount_minor: int = 10_00) -> AuthorizeRequest:
    return AuthorizeRequest(
        kind=Kind.SALE,
        terminal="T1",
        merchant="M1",
        batch=batch,
        stan=stan,
        amount_minor=amount_minor,
        currency="156",
        entry_mode="021",
        card=CardData(pan=Pan(PAN)),
        masked=MaskedCard(first6=PAN[:6], last4=PAN[-4:], length=16, digest="d" * 32),
        fingerprint=f"{amount_minor:032x}",
    )


def reversal(stan: str = "000001", batch: str = "000001", amount_minor: int = 10_00) -> ReverseRequest:
    return ReverseRequest(
        kind=Kind.SALE,
        terminal="T1",
        merchant="M1",
        batch=batch,
        stan=stan,
        amount_minor=amount_minor,
        currency="156",
        reason="98",
    )


def closing(batch: str = "000001", totals: Totals = NOTHING, stan: str = "000009") -> SettleRequest:
    return SettleRequest(
        terminal="T1", merchant="M1", batch=batch, stan=stan, operator="01", currency="156", totals=totals
    )
