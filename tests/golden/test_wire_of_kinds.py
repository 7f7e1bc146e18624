"""A request of every kind, its answer and, where it has one, its reversal, byte for byte: the files in tests/golden/wire.

The keys, the card and the host's clock are those of tests/support_kinds.py. Made anew by removing a file and running with LIANJI_GOLDEN=1.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import iso8583
from contracts.kinds import KINDS, Kind
from iso8583 import Message
from tests.support_kinds import Line
from tests.unit.test_gateway_pipeline import TCP

FILES = Path(__file__).parent / "wire"


async def _exchange(line: Line, message: Message) -> tuple[bytes, bytes]:
    body = iso8583.encode(message)
    received = await line.gateway.pipeline.receive(body, TCP)
    assert received.answer is not None
    return body, received.answer


async def _spoken(kind: Kind) -> str:
    """Frames in hexadecimal, a name before each."""
    line = Line()
    bodies = dict(zip(("request", "answer"), await _exchange(line, line.request(kind)), strict=True))
    if KINDS[kind].reversible:
        reversal = await _exchange(line, line.reversal(kind))
        bodies |= dict(zip(("reversal", "reversal's answer"), reversal, strict=True))
    return "".join(f"{name}\n{iso8583.frame(body).hex().upper()}\n" for name, body in bodies.items())


@pytest.mark.parametrize("kind", Kind)
async def test_the_bytes_of_a_kind(kind: Kind) -> None:
    path, spoken = FILES / f"{kind.value}.txt", await _spoken(kind)
    if os.environ.get("LIANJI_GOLDEN") and not path.exists():
        path.write_text(spoken)
    assert spoken == path.read_text()


@pytest.mark.parametrize("kind", Kind)
def test_each_frame_is_of_its_kind_and_complete(kind: Kind) -> None:
    lines = (FILES / f"{kind.value}.txt").read_text().splitlines()
    facts = KINDS[kind]
    messages = {
        name: iso8583.decode(bytes.fromhex(data)[2:]) for name, data in zip(lines[::2], lines[1::2], strict=True)
    }
    assert messages["request"].mti == facts.mti
    assert ("reversal" in messages) == facts.reversible
    for message in messages.values():
        iso8583.check_profile(message)
        assert (message.text(3), message.text(25), message.text(60)[:2]) == (
            facts.processing_code,
            facts.condition_code,
            facts.message_type,
        )
    answer = messages["answer"]
    assert answer.text(39) == ("10" if kind is Kind.SALE else "00")


def test_every_file_belongs_to_a_kind() -> None:
    assert {path.stem for path in FILES.iterdir()} == {kind.value for kind in Kind}
