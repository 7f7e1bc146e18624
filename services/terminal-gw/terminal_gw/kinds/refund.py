"""Refund 退货: of a sale or a completion of any batch, in whole or in parts; 37 is the original's reference number."""

from __future__ import annotations

from contracts.kinds import Kind
from terminal_gw.domain.card import noticed_card
from terminal_gw.kinds import originals
from terminal_gw.kinds.wire import Wire

WIRE = Wire(Kind.REFUND, read=originals.of_any_batch, read_card=noticed_card)
