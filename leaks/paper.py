"""What is printed and looked up of the sales: slips and their reprints, batch slips, summaries, statuses; and by command traces and journals."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import msgspec

import world
from contracts import subjects
from contracts.codec import encode
from contracts.questions import BatchQuestion, DaySummaryQuestion, SlipQuestion
from leaks.command import output_of
from leaks.parts import Parts
from runtime.bus import BusError

PAUSE_S = 0.2
Sold = tuple[str, str]
"""RRN and terminal of a sale."""


def _questions(rrn: str, terminal: str, chance: random.Random) -> list[tuple[str, msgspec.Struct | None]]:
    facts = world.built_in().terminal(terminal)
    merchant = facts.merchant if facts is not None else ""
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600))
    copy = chance.choice(("merchant", "cardholder"))
    return [
        (subjects.RECEIPTS_SLIP, SlipQuestion(rrn=rrn, copy=copy, reprint=chance.random() < 0.5)),
        (subjects.SETTLEMENT_DAY_SUMMARY, DaySummaryQuestion(merchant=merchant, day=day)),
        (subjects.SETTLEMENT_BATCH, BatchQuestion(terminal=terminal, reprint=chance.random() < 0.5)),
        (subjects.RECEIPTS_STATUS, None),
        (subjects.SETTLEMENT_STATUS, None),
    ]


async def ask_for_paper(parts: Parts, sales: list[Sold], seed: int, count: int, printed: Counter[str]) -> None:
    """Asks for the paper of `count` sales taken at random; counts answers by subject."""
    chance = random.Random(seed)
    for rrn, terminal in chance.sample(sales, min(count, len(sales))):
        for subject, question in _questions(rrn, terminal, chance):
            try:
                asked = encode(question) if question else b""
                answer = await parts.asking(subject).request(subject, asked, timeout_s=10)
            except BusError:
                printed[f"{subject}: no answer"] += 1
                await asyncio.sleep(PAUSE_S)  # it is being started again
                continue
            printed[f"{subject}: refused" if b'"type":"refused"' in answer else subject] += 1


async def run_commands(data_dir: Path, sales: list[Sold], printed: Counter[str]) -> None:
    """Trace, journal and slip of these sales, by the commands that users have."""
    for rrn, _ in sales:
        for command in ("trace", "journal", "slip"):
            code, _output = await asyncio.to_thread(output_of, data_dir, command, rrn)
            printed[f"lianji {command}" if code == 0 else f"lianji {command}: exit {code}"] += 1
