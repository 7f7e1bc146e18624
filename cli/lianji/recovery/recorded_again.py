"""Records that a journal has lost, made again from what a terminal remembers."""

from __future__ import annotations

from contracts.identity import stand_in_code, transaction_id
from contracts.journal import BatchClosed, Intent, Outcome, to_tell
from contracts.kinds import CLAIMS
from contracts.money import CNY
from contracts.pan import MaskedCard
from contracts.response_codes import APPROVED
from contracts.states import State
from lianji.recovery.decisions import Case
from lianji.recovery.paths import Path, Paths
from lianji.recovery.witnesses import Close, Seen
from world import World

RESTORED = "restored:"
"""Fingerprint of what was recorded again: under no data key, so that the switch can neither confirm nor deny a repetition, and says nothing."""
NO_DIGEST = "0" * 32


class Again:
    """Of one shard."""

    def __init__(self, world: World, paths: Paths) -> None:
        self._world = world
        self._paths = paths

    def transaction(self, seen: Seen, case: Case) -> tuple[Intent, Outcome]:
        """What the terminal was told, with the banks' word on who was charged."""
        terminal = self._world.terminal(seen.terminal)
        by = [name for name, charge in case.charges.items() if charge.posted]
        to = [name for name, charge in case.given.items() if charge.posted]
        original = self._original(seen)
        intent = Intent(
            id=seen.id,
            rrn=seen.rrn,
            kind=seen.kind,
            terminal=seen.terminal,
            merchant=terminal.merchant if terminal is not None else "",
            batch=seen.batch,
            stan=seen.stan,
            operator="",
            amount_minor=seen.amount_minor,
            currency=seen.currency,
            institution=by[0] if by else "",
            entry_mode=seen.entry_mode,
            card=_masked(seen.card),
            fingerprint=RESTORED,
            original=original.began.id if original is not None else "",
            original_rrn=original.began.rrn if original is not None else "",
            target=_masked(seen.target) if seen.target else None,
            target_institution=to[0] if to else "",
            instalment=seen.plan,
            at_ms=seen.at_ms,
        )
        return intent, self.outcome(seen)

    def _original(self, seen: Seen) -> Path | None:
        """The transaction that the terminal named, as the switch looks for it: its own first, then those of the merchant's other terminals.
        Of what was declined there is none: it has claimed nothing."""
        named, claim, terminal = seen.original, CLAIMS.get(seen.kind), self._world.terminal(seen.terminal)
        if named is None or claim is None or terminal is None or not seen.told_approved:
            return None
        others = [] if claim.same_batch else self._world.terminals
        tids = [seen.terminal, *(one.tid for one in others if one.merchant == terminal.merchant)]
        for tid in dict.fromkeys(tids):
            path = self._paths.of.get(transaction_id(tid, named.batch, named.stan))
            if (
                path is not None
                and path.began.kind in claim.originals
                and named.rrn in ("", path.began.rrn)
                and named.authorization_code in ("", path.authorization_code)
            ):
                return path
        return None

    def outcome(self, seen: Seen) -> Outcome:
        """What a bank said of a balance or of instalments was not kept at the terminal; both slips of an instalment sale are printed by now."""
        return Outcome(
            id=seen.id,
            state=State.APPROVED if seen.told_approved else State.DECLINED,
            response_code=seen.response_code,
            authorization_code=seen.authorization_code,
            part_minor=seen.part_minor,
            at_ms=seen.at_ms,
        )

    def noticed(self, intent: Intent, seen: Seen | None, *, at_ms: int) -> Outcome:
        """Of a notice whose outcome is lost: the switch's own word, under the code that its terminal has been told, if it has been."""
        told = seen.authorization_code if seen is not None and seen.told_approved else ""
        return Outcome(
            id=intent.id,
            state=State.APPROVED,
            response_code=APPROVED,
            authorization_code=told or stand_in_code(intent.rrn),
            stand_in=to_tell(intent),
            at_ms=at_ms,
        )

    def closed(self, close: Close) -> BatchClosed:
        """A close that its terminal has seen balanced."""
        terminal = self._world.terminal(close.terminal)
        return BatchClosed(
            terminal=close.terminal,
            merchant=terminal.merchant if terminal is not None else "",
            batch=close.batch,
            next_batch="000001" if close.batch == "999999" else f"{int(close.batch) + 1:06d}",
            operator="",
            stan=close.stan,
            rrn=close.rrn,
            currency=CNY,
            totals=close.totals,
            at_ms=close.at_ms,
        )


def _masked(card: str) -> MaskedCard:
    """Of first 6, stars and last 4."""
    return MaskedCard(first6=card[:6], last4=card[-4:], length=len(card), digest=NO_DIGEST)
