"""Pre-authorization 预授权: read and answered as a sale is, all or nothing."""

from __future__ import annotations

from contracts.kinds import Kind
from terminal_gw.kinds.wire import Wire

WIRE = Wire(Kind.PRE_AUTH)
