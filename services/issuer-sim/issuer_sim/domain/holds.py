"""What pre-authorizations set aside: each hold is open, or was ended by one transaction, or is over.

A hold that a transaction has ended is remembered for as long as that one may be undone, because then it stands again.
"""

from __future__ import annotations

import msgspec


class Hold(msgspec.Struct, array_like=True, gc=False):
    """One that is open; it goes by the id of its pre-authorization."""

    minor: int
    expires_ms: int


class Ended(msgspec.Struct, array_like=True, gc=False):
    """One that a completion or a void has ended."""

    account: str
    minor: int
    expires_ms: int


_NONE: dict[str, Hold] = {}


class Holds(msgspec.Struct, array_like=True):
    """Of one institution."""

    open: dict[str, dict[str, Hold]] = {}
    """Account → id → hold."""
    ended: dict[str, Ended] = {}
    """By id."""
    releases: dict[str, str] = {}
    """The transaction that ended a hold → the hold's id."""

    def of(self, account: str) -> dict[str, Hold]:
        """Those of an account that are open, some of which may be due."""
        return self.open.get(account, _NONE)

    def needs(self, account: str, id_: str) -> bool:
        """Whether the pre-authorization is still to be known: its hold is open, or may be so again."""
        return id_ in self.ended or id_ in self.of(account)

    def put(self, account: str, id_: str, hold: Hold) -> None:
        self.open.setdefault(account, {})[id_] = hold

    def release(self, account: str, id_: str, by: str) -> None:
        """`by` ends the hold."""
        hold = self.expire(account, id_)
        if hold is not None:
            self.ended[id_] = Ended(account, hold.minor, hold.expires_ms)
            self.releases[by] = id_

    def expire(self, account: str, id_: str) -> Hold | None:
        """The hold is over for good."""
        mine = self.open.get(account)
        if mine is None:
            return None
        hold = mine.pop(id_, None)
        if not mine:
            del self.open[account]
        return hold

    def released_by(self, id_: str) -> tuple[str, Ended] | None:
        """The hold that a transaction has ended, and that stands again if the transaction is undone."""
        hold = self.releases.get(id_, "")
        ended = self.ended.get(hold)
        return None if ended is None else (hold, ended)

    def may_restore(self, id_: str, at_ms: int) -> bool:
        """Whether a transaction has ended a hold whose term is not over: undone, it would stand again."""
        released = self.released_by(id_)
        return released is not None and released[1].expires_ms > at_ms

    def undo(self, account: str, id_: str, *, restores: bool) -> None:
        """The transaction is undone: its own hold is over, and the one that it had ended is open again if `restores`."""
        self.expire(account, id_)
        self.ended.pop(id_, None)
        hold = self.releases.pop(id_, "")
        ended = self.ended.pop(hold, None)
        if ended is not None and restores:
            self.put(ended.account, hold, Hold(ended.minor, ended.expires_ms))

    def settle(self, id_: str) -> None:
        """The transaction is final: what it has ended stays so."""
        self.ended.pop(self.releases.pop(id_, ""), None)
