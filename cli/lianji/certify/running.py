"""The run: one case after the other, each for itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from iso8583 import FormatError
from lianji.certify.case import Case
from lianji.certify.line import LineError
from lianji.certify.profile import Profile
from lianji.certify.rig import Rig
from lianji.certify.sealed import Exchange
from lianji.certify.verdict import Failed, Skipped
from security_module import SecurityModuleError


class Result(NamedTuple):
    """What came of a case."""

    case: Case
    passed: bool
    reason: str = ""
    """Why not, or what the profile lacks."""
    skipped: bool = False
    exchange: Exchange | None = None
    """Of one that has failed: the last two messages."""
    duration_s: float = 0.0


async def run(
    profile: Profile,
    host: str,
    port: int,
    cases: Sequence[Case],
    data_dir: Path,
    *,
    told: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """Runs the cases in their order; `told` hears of each when it is over, and `data_dir` keeps the chips' counters. LineError when the host cannot be reached to begin with."""
    rig = Rig(profile, host, port, data_dir)
    results = []
    try:
        (await rig.main.dial()).close()
        for case in cases:
            result = await _one(rig, case)
            results.append(result)
            told(result)
        await _leave(rig)
    finally:
        rig.close()
    return results


async def _one(rig: Rig, case: Case) -> Result:
    began = time.perf_counter()
    rig.begin()
    reason, skipped = "", False
    try:
        await case.check(rig)
    except Skipped as lacking:
        reason, skipped = f"the profile has no {lacking}", True
    except (Failed, LineError) as failed:
        reason = str(failed)
    except (FormatError, SecurityModuleError) as error:
        reason = f"the request cannot be made of what the profile says: {error}"
    exchange = rig.last
    try:
        await rig.tidy()
    except (Failed, LineError) as failed:
        if not reason:
            reason, exchange = str(failed), rig.last
    passed = not reason
    return Result(case, passed, reason, skipped, None if passed or skipped else exchange, time.perf_counter() - began)


async def _leave(rig: Rig) -> None:
    """Each terminal's batch is closed, so that whoever uses it next finds an empty one."""
    for desk in rig.used:
        try:
            await desk.sign_on()
            await desk.renew()
        except (Failed, LineError):
            continue  # what is wrong with the host stands in the results
