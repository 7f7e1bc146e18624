"""Sale 消费: at a terminal that can take less than it asked for (60.6 = 1), field 4 of the answer is what was approved (39 = 10)."""

from __future__ import annotations

from contracts.authorization import AuthorizeReply
from contracts.kinds import Kind
from iso8583 import Field60, Message, Value
from terminal_gw.kinds.wire import PLAIN, TAKES_PART, Particulars, Wire


def _read(message: Message, sixty: Field60) -> Particulars:
    return TAKES_PART if sixty.partial_approval == "1" else PLAIN


def _say(reply: AuthorizeReply, fields: dict[int, Value]) -> None:
    if reply.part_minor:
        fields[4] = f"{reply.part_minor:012d}"


WIRE = Wire(Kind.SALE, read=_read, say=_say)
