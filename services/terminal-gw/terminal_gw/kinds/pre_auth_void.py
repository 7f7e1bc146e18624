"""Void of a pre-authorization 预授权撤销: 38 is its authorization code."""

from __future__ import annotations

from contracts.kinds import Kind
from terminal_gw.kinds import originals
from terminal_gw.kinds.wire import Wire

WIRE = Wire(Kind.PRE_AUTH_VOID, read=originals.of_any_batch)
