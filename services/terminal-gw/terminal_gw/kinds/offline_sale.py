"""Offline sale 离线消费, told afterwards: the card number stands in field 2, whatever it was read by; the track may be there."""

from __future__ import annotations

from contracts.kinds import Kind
from terminal_gw.domain.card import told_card
from terminal_gw.kinds.wire import Wire

WIRE = Wire(Kind.OFFLINE_SALE, read_card=told_card)
