"""Banks' notices of stopped cards (contracts.stop_list): sealed and digested here, which nobody else can, and handed to every shard.

A notice is acknowledged when every shard has it in its journal; until then its bank tells it again, and what a shard has had already it
acknowledges and forgets.
"""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from contracts import response_codes as rc
from contracts.codec import decoder, encode
from contracts.pan import luhn_valid
from contracts.reading import UnreadableError, reader
from contracts.stop_list import REASONS, NoticeReply, StopNotice, StopReply, StopRequest
from runtime import logs
from runtime.bus import Request
from runtime.tracing import Span, Tracer
from terminal_gw import spans
from terminal_gw.keyring import Keyring
from terminal_gw.switch import Silence, Switch
from world import Institution, World

log = logs.get("stop-notices")

ANSWER_S = 4.0
"""For each shard. The bank waits a little longer (issuer_sim.telling)."""

_notice = reader(StopNotice)
_replies = decoder(StopReply)


class StopNotices:
    """One bank's."""

    def __init__(
        self, institution: Institution, world: World, keyring: Keyring, switch: Switch, tracer: Tracer
    ) -> None:
        self._institution = institution
        self._world = world
        self._keyring = keyring
        self._switch = switch
        self._tracer = tracer

    async def on_notice(self, request: Request) -> bytes:
        """StopNotice → NoticeReply."""
        with self._tracer.span(spans.STOP_NOTICE, parent=request.trace) as span:
            span.set("lianji.institution", self._institution.id)
            try:
                notice = _notice(request.body)
                asked = self._asked(notice)
            except UnreadableError as error:
                span.error(rc.FORMAT_ERROR)
                log.error("a bank's notice cannot be used", institution=self._institution.id, reason=str(error))
                return encode(NoticeReply(response_code=rc.FORMAT_ERROR))
            codes = await asyncio.gather(*(self._told(shard, asked, span) for shard in range(self._world.shards)))
            code = next((c for c in codes if c != rc.APPROVED), rc.APPROVED)
            who = {"institution": self._institution.id, "entry": notice.entry, "revision": notice.revision}
            log.info("a bank's notice was handed on", **who, response_code=code, trace_id=span.trace_id)
            if code != rc.APPROVED:
                span.error(code)
            return encode(NoticeReply(response_code=code))

    async def _told(self, shard: int, asked: StopRequest, span: Span) -> str:
        reply = await self._switch.ask_shard("stop", shard, asked, _replies, span, within_s=ANSWER_S)
        return rc.SYSTEM_MALFUNCTION if isinstance(reply, Silence) else reply.response_code

    def _asked(self, notice: StopNotice) -> StopRequest:
        """The notice for the switch; UnreadableError when it is of a card that is not the bank's, or of none."""
        if notice.reason and notice.reason not in REASONS.values():
            raise UnreadableError("$.reason: is not one of the stop list's")
        if (notice.pan is None) == (not notice.prefix):
            raise UnreadableError("$.pan: a card or a prefix, and one of them")
        request = StopRequest(
            institution=self._institution.id, entry=notice.entry, revision=notice.revision, reason=notice.reason
        )
        if notice.pan is None:
            if not notice.prefix.startswith(self._institution.bins):
                raise UnreadableError("$.prefix: is not of this bank")
            return replace(request, prefix=notice.prefix)
        owner = self._world.institution_for(notice.pan)
        if owner is not self._institution or not luhn_valid(notice.pan.clear()):
            raise UnreadableError("$.pan: is not a card of this bank")
        if not notice.reason:
            return request
        card, others = self._keyring.cards.stopped(notice.pan, self._institution.id, notice.entry)
        return replace(request, card=card, other_digests=others)
