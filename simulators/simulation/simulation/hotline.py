"""A cardholder who rings up the bank: the card is reported, and found a while later."""

from __future__ import annotations

import asyncio

import world
from contracts import subjects
from contracts.access import HOTLINE
from contracts.codec import encode
from contracts.reports import Report
from contracts.stop_list import ReportQuestion
from runtime.bus import Bus, BusError
from runtime.identity import Identity
from simulation import cast

ANSWER_S = 2.0


async def reported_and_found(card: world.Card, report: Report, *, found_after_s: float) -> None:
    """Whether the bank has heard either of them is nobody's concern here: what it has written down it must tell, and what it tells must count."""
    await _ring_up(card, report)
    await asyncio.sleep(found_after_s)
    await _ring_up(card, Report.FOUND)


async def _ring_up(card: world.Card, report: Report) -> None:
    question = encode(ReportQuestion(report=report, account=card.account))
    try:
        bus = await Bus.connect(
            f"nats://127.0.0.1:{cast.BROKER_PORT}", HOTLINE, identity=Identity(HOTLINE), wait_s=ANSWER_S
        )
    except BusError:
        return
    try:
        await bus.request(subjects.issuer_report(card.issuer), question, timeout_s=ANSWER_S)
    except BusError:
        return
    finally:
        await bus.close()
