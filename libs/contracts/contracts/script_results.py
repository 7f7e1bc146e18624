"""What a chip has made of its bank's orders (issuer script results, EMV 4.3 Book 3, 6.5 and 10.10), on its way to the bank.

Nothing of it moves money, and the switch keeps nothing: the terminal tells it until the bank has it in its ledger.
"""

from __future__ import annotations

import msgspec

from contracts import bounds


class ScriptResultsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A terminal's 0620; subject `auth.v1.<shard>.script-results`. Batch and STAN are those of the transaction whose answer gave the orders."""

    terminal: bounds.Terminal
    merchant: bounds.Merchant
    batch: bounds.Batch
    stan: bounds.Stan
    counter: bounds.Counter
    """Of the chip (tag 9F36), from 1."""
    results: bounds.ScriptResults
    """Of each script the first byte of its 5 in tag DF31, hex: 2 all commands done, 1 one of them failed, 0 none tried; behind it, of 1, which one."""


class ScriptResultsReply(msgspec.Struct, frozen=True, kw_only=True):
    """00 the bank has it, now or before; 25 nobody knows the transaction; 12 no chip of the bank's took part in it; 91 the bank was not reached."""

    response_code: bounds.Code
    institution: str = ""
    at_ms: int


class IssuerScriptResultsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Subject `issuer.v1.<institution>.script-results`."""

    transaction: bounds.TransactionId
    counter: bounds.Counter
    results: bounds.ScriptResults


class IssuerScriptResultsReply(msgspec.Struct, frozen=True, kw_only=True):
    """As the switch's: 00, 25 or 12."""

    response_code: bounds.Code
