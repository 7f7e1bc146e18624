"""What a case works with: desks and cards by the part that they play; and afterwards, what the case has left standing is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lianji.certify.desk import Desk, Done
from lianji.certify.profile import CardEntry, Instalments, Profile
from lianji.certify.sealed import Exchange
from lianji.certify.verdict import Failed, Skipped
from terminal_sim.cards import Inserted
from terminal_sim.chip_file import ChipFileError
from terminal_sim.readers import put_in


class Rig:
    """One for a whole run."""

    def __init__(self, profile: Profile, host: str, port: int, data_dir: Path) -> None:
        """`data_dir`: where the chips' counters are kept, so that no run repeats another's."""
        self.profile = profile
        self._data_dir = data_dir
        self.host = host
        self.port = port
        self.last: Exchange | None = None
        """What went to and fro last, in the case that runs."""
        self._desks: dict[str, Desk] = {}

    # ------------------------------------------------------------------ who there is

    @property
    def main(self) -> Desk:
        return self.desk("main")

    @property
    def debit(self) -> CardEntry:
        return self.profile.cards.debit

    @property
    def credit(self) -> CardEntry:
        return self.profile.cards.credit

    def desk(self, part: str) -> Desk:
        """By its name in profile.Terminals; Skipped when the profile has none."""
        if part not in self._desks:
            entry = getattr(self.profile.terminals, part)
            if entry is None:
                raise Skipped(f"terminals.{part}")
            self._desks[part] = Desk(entry, self.host, self.port, self._keep)
        return self._desks[part]

    @property
    def used(self) -> tuple[Desk, ...]:
        """Desks that have had a batch of their own."""
        return tuple(desk for desk in self._desks.values() if desk.batch)

    def card(self, part: str) -> CardEntry:
        """By its name in profile.Cards; Skipped when the profile has none."""
        found: CardEntry | None = getattr(self.profile.cards, part)
        if found is None:
            raise Skipped(f"cards.{part}")
        return found

    @contextmanager
    def read(self, card: CardEntry, *, contactless: bool = False) -> Iterator[Inserted]:
        """Its chip in the reader, or before it; Failed when it cannot be read."""
        if card.chip is None:
            raise Skipped("chip of that card")
        try:
            with put_in(self._data_dir, card.chip.name, card.chip.written(card.pin), contactless=contactless) as read:
                yield read
        except (ChipFileError, OSError) as error:
            raise Failed(f"chip: {error}") from None

    @property
    def instalments(self) -> Instalments:
        if self.profile.instalments is None:
            raise Skipped("instalments")
        return self.profile.instalments

    def amount(self, part: str) -> int:
        """`limit_minor`, `waits_minor` or `silent_minor`; Skipped when it is not known."""
        known: int = getattr(self.profile, part)
        if not known:
            raise Skipped(part)
        return known

    # ------------------------------------------------------------------ before, after and in between

    def _keep(self, exchange: Exchange) -> None:
        self.last = exchange

    def begin(self) -> None:
        self.last = None
        for desk in self._desks.values():
            desk.done.clear()

    async def tidy(self) -> None:
        """Undoes what stands, the newest first; Failed when the host will not."""
        shown = self.last
        left = [done for desk in self._desks.values() for done in desk.done]
        # A claim before its original: what was made later at another desk is always about something earlier.
        left.sort(key=_depth, reverse=True)
        trouble = ""
        for done in left:
            try:
                await done.desk.ready()
                await done.desk.undo(done)
            except Failed as failed:
                trouble = trouble or f"tidying up the {done.transaction.kind}: {failed}"
                shown = self.last
        self.last = shown
        if trouble:
            raise Failed(trouble)

    def close(self) -> None:
        for desk in self._desks.values():
            desk.hang_up()


def _depth(done: Done) -> int:
    """How many transactions it is about, one by way of another."""
    depth = 0
    while done.claims is not None:
        done, depth = done.claims, depth + 1
    return depth
