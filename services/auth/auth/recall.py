"""The settlement ledger, asked of transactions that a shard has forgotten: whoever keeps everything knows them."""

from __future__ import annotations

import asyncio
import time

import msgspec

from auth.domain.claims import Recollection
from contracts import subjects
from contracts.codec import encode
from contracts.questions import FoundTransaction, NoTransaction, Refused, TransactionQuestion
from runtime import logs
from runtime.bus import Bus, BusError
from runtime.tracing import Parent

log = logs.get("auth")

RETRY_S = 0.1
"""Between two questions, where the first one had no answer: the ledger is being replaced, or has not read so far yet."""

_answer = msgspec.json.Decoder(FoundTransaction | NoTransaction | Refused).decode


class Ledger:
    """Settlement, as the switch asks it."""

    def __init__(self, bus: Bus, timeout_s: float) -> None:
        self._bus = bus
        self._timeout_s = timeout_s

    def deadline_s(self) -> float:
        """When a ledger that is asked now has had its time (time.monotonic)."""
        return time.monotonic() + self._timeout_s

    async def recall(self, question: TransactionQuestion, trace: Parent, *, give_up_s: float) -> Recollection:
        """What is known of the question's ids; `silent` when nobody has said it by `give_up_s`."""
        body, why = encode(question), "no time"
        while (left := give_up_s - time.monotonic()) > 0:
            try:
                answer = _answer(
                    await self._bus.request(subjects.SETTLEMENT_TRANSACTION, body, timeout_s=left, trace=trace)
                )
            except BusError as error:
                why = str(error)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                why = f"an answer that cannot be read ({type(error).__name__})"
            else:
                if not isinstance(answer, Refused):
                    return Recollection(question.ids, answer if isinstance(answer, FoundTransaction) else None)
                why = answer.reason
            await asyncio.sleep(min(RETRY_S, max(give_up_s - time.monotonic(), 0)))
        log.warning(
            "an earlier transaction cannot be looked up", shard=question.shard, ids=len(question.ids), reason=why
        )
        return Recollection(question.ids, silent=True)
