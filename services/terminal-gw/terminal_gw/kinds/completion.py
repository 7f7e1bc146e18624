"""Completion of a pre-authorization 预授权完成(请求): the bank may refuse it."""

from __future__ import annotations

from contracts.kinds import Kind
from terminal_gw.kinds import originals
from terminal_gw.kinds.wire import Wire

WIRE = Wire(Kind.COMPLETION, read=originals.of_any_batch)
