"""Card-to-card transfer 转账: field 62 names the card that the money goes to. Whether it is one says the switch (14)."""

from __future__ import annotations

from contracts.kinds import Kind
from contracts.pan import Pan
from iso8583 import Field60, Message, target_card
from terminal_gw.kinds.wire import Particulars, Wire


def _read(message: Message, sixty: Field60) -> Particulars:
    return Particulars(target=Pan(target_card(message.data(62))))


WIRE = Wire(Kind.TRANSFER, read=_read)
