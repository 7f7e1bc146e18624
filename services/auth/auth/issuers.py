"""The switch's line to the issuers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from contracts import subjects
from contracts.authorization import (
    AdviseRequest,
    IssuerReply,
    IssuerRequest,
    IssuerReverseReply,
    IssuerReverseRequest,
)
from contracts.codec import encode
from contracts.reading import UnreadableError, reader
from contracts.script_results import IssuerScriptResultsReply, IssuerScriptResultsRequest
from runtime.bus import Bus, NoAnswer, NotDelivered
from runtime.tracing import Parent

R = TypeVar("R")

_reply = reader(IssuerReply)
_reverse_reply = reader(IssuerReverseReply)
_results_reply = reader(IssuerScriptResultsReply)

RETRY_S = 0.05


class Issuers:
    """Asks institutions, by id."""

    def __init__(self, bus: Bus, timeout_s: float) -> None:
        self._bus = bus
        self._timeout_s = timeout_s

    def deadline_s(self) -> float:
        """When an issuer that is asked now has had its time (time.monotonic)."""
        return time.monotonic() + self._timeout_s

    async def authorize(
        self, institution: str, request: IssuerRequest, trace: Parent, *, give_up_s: float | None = None
    ) -> IssuerReply:
        """The issuer's word within the time-out, or by `give_up_s`; raises NotDelivered (it never got the request) or NoAnswer (nobody knows).

        While nobody is subscribed (the ledger's owner is being replaced) the request is offered again: no one has seen it.
        It is also offered again after a failure that says so at once, for an issuer recognises a transaction it knows.
        """
        subject, body = subjects.issuer(institution, "authorize"), encode(request)
        give_up = self.deadline_s() if give_up_s is None else give_up_s
        unknown: NoAnswer | None = None
        while True:
            left = give_up - time.monotonic()
            try:
                return _reply(await self._bus.request(subject, body, timeout_s=max(left, 0.001), trace=trace))
            except NoAnswer as error:
                unknown = error
            except UnreadableError as error:  # it has answered, and nobody knows what
                unknown = NoAnswer(f"{subject}: an answer that cannot be read: {error}")
            except NotDelivered:
                if give_up - time.monotonic() <= RETRY_S and unknown is None:
                    raise
            if give_up - time.monotonic() <= RETRY_S:
                raise unknown or NoAnswer(subject)
            await asyncio.sleep(RETRY_S)

    async def advise(self, advice: AdviseRequest, trace: Parent) -> IssuerReply:
        """What a bank says to an advice, through whoever can open the card's number. Raises NotDelivered or NoAnswer; to be repeated until it
        does not."""
        answer = await self._bus.request(subjects.CARDS_ADVISE, encode(advice), timeout_s=5.0, trace=trace)
        return _read(_reply, answer, advice.institution)

    async def reverse(self, institution: str, request: IssuerReverseRequest, trace: Parent) -> IssuerReverseReply:
        """Raises NotDelivered or NoAnswer; to be repeated until it does not."""
        body = encode(request)
        answer = await self._bus.request(subjects.issuer(institution, "reverse"), body, timeout_s=5.0, trace=trace)
        return _read(_reverse_reply, answer, institution)

    async def script_results(
        self, institution: str, request: IssuerScriptResultsRequest, trace: Parent
    ) -> IssuerScriptResultsReply:
        """Raises NotDelivered or NoAnswer; whoever tells it tells it again."""
        subject = subjects.issuer(institution, "script-results")
        answer = await self._bus.request(subject, encode(request), timeout_s=5.0, trace=trace)
        return _read(_results_reply, answer, institution)


def _read(decode: Callable[[bytes], R], answer: bytes, institution: str) -> R:
    """It has answered; NoAnswer where nobody knows what."""
    try:
        return decode(answer)
    except UnreadableError as error:
        raise NoAnswer(f"{institution}: an answer that cannot be read: {error}") from None
