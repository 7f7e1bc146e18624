"""Questions that cannot be read: answered as that, at once, for nothing has been done about them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from auth.domain.authorize import NO_RRN
from contracts.authorization import (
    SETTLE_ERROR,
    AuthorizeReply,
    CutOverReply,
    ReverseReply,
    SettleReply,
    SignOffReply,
    SignOnReply,
    Totals,
    UploadReply,
)
from contracts.codec import encode
from contracts.reading import UnreadableError
from contracts.response_codes import FORMAT_ERROR
from contracts.script_results import ScriptResultsReply
from contracts.stop_list import StopCheckReply, StopListPage, StopReply
from runtime import logs
from runtime.bus import Request

log = logs.get("auth")

Handler = Callable[[Request], Awaitable[bytes]]

_ANSWERS: dict[str, Callable[[int], msgspec.Struct]] = {
    "authorize": lambda at_ms: AuthorizeReply(response_code=FORMAT_ERROR, rrn=NO_RRN, at_ms=at_ms),
    "reverse": lambda at_ms: ReverseReply(response_code=FORMAT_ERROR, rrn=NO_RRN, at_ms=at_ms),
    "sign-on": lambda at_ms: SignOnReply(response_code=FORMAT_ERROR, rrn=NO_RRN, at_ms=at_ms),
    "sign-off": lambda at_ms: SignOffReply(response_code=FORMAT_ERROR, at_ms=at_ms),
    "cut-over": lambda at_ms: CutOverReply(refused="the order cannot be read", at_ms=at_ms),
    "script-results": lambda at_ms: ScriptResultsReply(response_code=FORMAT_ERROR, at_ms=at_ms),
    "settle": lambda at_ms: SettleReply(result=SETTLE_ERROR, rrn=NO_RRN, at_ms=at_ms, totals=Totals()),
    "upload": lambda at_ms: UploadReply(response_code=FORMAT_ERROR, at_ms=at_ms),
    "stop": lambda _: StopReply(response_code=FORMAT_ERROR, version=0),
    "stop-list": lambda _: StopListPage(response_code=FORMAT_ERROR, version=0, size=0),
    "stop-check": lambda at_ms: StopCheckReply(response_code=FORMAT_ERROR, at_ms=at_ms),
}
"""By operation (subjects.AUTH_OPERATIONS, AUTH_ORDERS): the answer that says 30, at a host time in Unix milliseconds."""


def answering(operation: str, handler: Handler, now_ms: Callable[[], int]) -> Handler:
    """`handler`, and 30 where it raises UnreadableError."""

    async def handle(request: Request) -> bytes:
        try:
            return await handler(request)
        except UnreadableError as error:
            log.warning("request cannot be read", subject=request.subject, reason=str(error))
            return encode(_ANSWERS[operation](now_ms()))

    return handle
