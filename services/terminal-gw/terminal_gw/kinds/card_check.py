"""Cardholder check 持卡人验证, before a transfer: no amount, and the answer is yes or no."""

from __future__ import annotations

from contracts.kinds import Kind
from terminal_gw.kinds.wire import Wire

WIRE = Wire(Kind.CARD_CHECK)
