"""Completion as an advice 预授权完成(通知): the bank takes it, so no PIN is asked for."""

from __future__ import annotations

from contracts.kinds import Kind
from terminal_gw.domain.card import noticed_card
from terminal_gw.kinds import originals
from terminal_gw.kinds.wire import Wire

WIRE = Wire(Kind.COMPLETION_ADVICE, read=originals.of_any_batch, read_card=noticed_card)
