"""What a chip has made of the bank's orders (commands): written down once, by the transaction whose answer brought them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from contracts import response_codes as rc
from contracts.ledger import ScriptResults
from contracts.script_results import IssuerScriptResultsReply, IssuerScriptResultsRequest

if TYPE_CHECKING:
    from issuer_sim.domain.accounts import State


class Told(NamedTuple):
    records: tuple[ScriptResults, ...]
    reply: IssuerScriptResultsReply


def decide_script_results(state: State, asked: IssuerScriptResultsRequest, *, at_ms: int, trace: str = "") -> Told:
    """00 written down, now or before; 25 of a transaction that is not known, or not any more; 12 the chip cannot have taken part in it."""
    transaction = state.transactions.get(asked.transaction)
    if transaction is None:
        return _answered(rc.ORIGINAL_NOT_FOUND)
    if transaction.told:
        return _answered(rc.APPROVED)
    account = state.accounts.get(transaction.account)
    if account is None or not account.has_used(asked.counter):
        return _answered(rc.INVALID_RELATED_TRANSACTION)
    record = ScriptResults(
        id=asked.transaction,
        account=transaction.account,
        counter=asked.counter,
        results=asked.results,
        at_ms=at_ms,
        trace=trace,
    )
    return Told((record,), IssuerScriptResultsReply(response_code=rc.APPROVED))


def _answered(code: str) -> Told:
    return Told((), IssuerScriptResultsReply(response_code=code))
