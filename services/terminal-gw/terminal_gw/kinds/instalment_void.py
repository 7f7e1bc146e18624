"""Void of an instalment sale 分期消费撤销: of the terminal's open batch; 37 is the sale's reference number."""

from __future__ import annotations

from contracts.kinds import Kind
from terminal_gw.kinds import originals
from terminal_gw.kinds.wire import Wire

WIRE = Wire(Kind.INSTALMENT_VOID, read=originals.of_this_batch)
