"""Waits until the world is quiet, and takes the evidence."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from lianji.errors import CliError
from lianji.verify.evidence import Evidence
from lianji.verify.reader import nobody_listens
from lianji.verify.sides import Sides
from lianji.verify.sources import Progress, Sources

PAUSE_S = 0.25


async def gather(
    sources: Sources, *, patience_s: float = 0.0, work_dir: Path | None = None, progress: Progress = nobody_listens
) -> Evidence:
    """The evidence, after waiting up to `patience_s` for open transactions to end and the projections to follow; raises CliError.

    It is the caller's to close. It lies in `work_dir` (in a file that has no name), or in memory when that is None.
    """
    sides = Sides(sources, work_dir, progress)
    try:
        await sides.open()
        await _come_to_rest(sides, patience_s, progress)
        read = f"{sides.journals.records:,} journal records, {sides.ledgers.records:,} ledger records"
        seen = sides.facts.count("SELECT COUNT(*) FROM seen")
        progress(f"{read}, {seen:,} transactions at terminals")
        scanned = await sources.search(progress) if sources.search is not None else None
        return sides.evidence(scanned)
    except BaseException:
        sides.facts.close()
        raise
    finally:
        await sides.close()


async def _come_to_rest(sides: Sides, patience_s: float, progress: Progress) -> None:
    """Reads until nothing has moved while it was read: nothing stops the world meanwhile, so the logs are read before and after
    everything else, and then all sides speak of the same moment. Raises CliError."""
    give_up = time.monotonic() + patience_s
    while True:
        await sides.read_logs()
        late, unfinished, moved = sides.behind(), sides.journals.unfinished(), 0
        patient = time.monotonic() < give_up
        if not patient and late:
            names = ", ".join(f"{name} is {groups} groups" for name, groups in late.items())
            raise CliError(f"{names} behind the journal: start the stack (`lianji up`), or wait, and verify again")
        if not patient or not (late or unfinished):
            await sides.read_tables()
            if not sides.damage():
                await sides.rebuild()
            moved = await sides.read_logs()
            if not moved:
                return
            if not patient:
                raise CliError(f"{moved} records came in while the books were read: end the traffic and verify again")
        behind = "".join(f", {name} {groups} groups behind" for name, groups in late.items())
        progress(f"waiting for quiet: {unfinished} transactions open{behind}, {moved} new records")
        await asyncio.sleep(PAUSE_S)
