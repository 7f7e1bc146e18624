"""Void of a completion 预授权完成撤销: of the terminal's open batch; 37 is the completion's reference number."""

from __future__ import annotations

from contracts.kinds import Kind
from terminal_gw.kinds import originals
from terminal_gw.kinds.wire import Wire

WIRE = Wire(Kind.COMPLETION_VOID, read=originals.of_this_batch)
