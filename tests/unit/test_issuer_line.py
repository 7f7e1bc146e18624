"""A bank's line out of order, for drills: what it is told, which answers it loses, and that the bank's decision stands all the same."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from contracts.codec import encode
from contracts.faults import LineFault, LineQuestion
from contracts.questions import Refused
from issuer_sim.line import Line
from runtime.bus import Request

SOUND = LineFault(late_by_s=0.0, lost_share=0.0)


async def order(line: Line, body: bytes) -> LineFault | Refused:
    answer: LineFault | Refused = msgspec.json.decode(
        await line.order(Request("issuer.v1.huaxing.fault", body, None, 0)),
        type=LineFault | Refused,  # type: ignore[arg-type]
    )
    return answer


async def test_each_question_changes_what_it_names_and_nothing_else() -> None:
    line = Line("huaxing")
    assert await order(line, b"{}") == SOUND
    assert await order(line, encode(LineQuestion(late_by_s=2))) == LineFault(late_by_s=2, lost_share=0)
    assert await order(line, encode(LineQuestion(lost_share=0.5))) == LineFault(late_by_s=2, lost_share=0.5)
    assert await order(line, encode(LineQuestion(late_by_s=0))) == LineFault(late_by_s=0, lost_share=0.5)
    assert await order(line, b"{}") == LineFault(late_by_s=0, lost_share=0.5)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"lost_share": 1.1}', "$.lost_share"),
        (b'{"lost_share": -0.1}', "$.lost_share"),
        (b'{"late_by_s": -1}', "$.late_by_s"),
        (b'{"late_by_s": 601}', "$.late_by_s"),
        (b'{"late_by_s": "long"}', "$.late_by_s"),
        (b"{", "$"),
    ],
)
async def test_what_is_no_question_is_refused_by_name_and_changes_nothing(body: bytes, field: str) -> None:
    line = Line("huaxing")
    answer = await order(line, body)
    assert isinstance(answer, Refused)
    assert answer.reason.startswith(f"{field}: ")
    assert await order(line, b"{}") == SOUND


@pytest.mark.parametrize(("share", "lost"), [(0.0, 0), (0.1, 10), (0.3, 30), (0.5, 50), (1.0, 100)])
async def test_of_a_hundred_answers_the_share_is_lost(share: float, lost: int) -> None:
    line = Line("huaxing")
    await order(line, encode(LineQuestion(lost_share=share)))
    carried = [await line.carries(asyncio.Event()) for _ in range(100)]
    assert carried.count(False) == lost


async def test_a_late_answer_is_dropped_when_the_bank_closes() -> None:
    line = Line("huaxing")
    await order(line, encode(LineQuestion(late_by_s=600)))
    closing = asyncio.Event()
    late = asyncio.create_task(line.carries(closing))
    await asyncio.sleep(0)
    assert not late.done()
    closing.set()
    assert not await late
