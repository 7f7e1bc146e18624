"""One damage to a copy of a data directory: what the stack makes of it, and whether the world comes back."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from pathlib import Path

import msgspec

import world
from bench.errors import BenchError
from bench.stack import lianji
from contracts import subjects
from reliability.corruption.damage import LOG, SNAPSHOT, Damage, Struck
from reliability.corruption.stack import Started

RESTORE = "lianji restore"


class Trial(msgspec.Struct, kw_only=True):
    """What one damage did."""

    number: int
    kind: str
    where: str
    what: str
    stopped: str
    """How the stack had been stopped before: `drained` or `killed`."""
    detected: bool = False
    """Before anybody could be told anything: no owner took office, and log and /readyz say what to run."""
    detected_s: float = 0.0
    says: str = ""
    restored: bool | None = None
    """`lianji restore`, a start and `lianji verify`; None when it was not tried, or needs none."""
    complaint: str = ""

    @property
    def good(self) -> bool:
        return self.detected and self.restored is not False and not self.complaint


def damage_and_look(
    number: int, kind: Damage, chance: random.Random, original: Path, backups: Path, *, stopped: str, restore: bool
) -> Trial:
    """Works on a copy beside `original`, which is removed when all is well."""
    copy = original.parent / f"trial-{number}"
    shutil.copytree(original, copy, symlinks=True)
    struck = kind.strike(chance, copy)
    trial = Trial(number=number, kind=kind.name, where=struck.name, what=struck.what, stopped=stopped)
    try:
        _look(trial, kind, struck, copy)
        if kind.of == LOG and restore:
            _restore(trial, copy, backups)
    except BenchError as error:
        trial.complaint = str(error)
    if trial.good:
        shutil.rmtree(copy)
    return trial


def _look(trial: Trial, kind: Damage, struck: Struck, copy: Path) -> None:
    began = time.monotonic()
    with Started(copy) as stack:
        if kind.of == LOG:
            _log_is_not_served(trial, stack, struck.name)
        else:
            stack.until(lambda: stack.ready, "the stack does not become ready")
            trial.detected_s = time.monotonic() - began
            if kind.of == SNAPSHOT:
                trial.says = "skipped" if stack.said("snapshot skipped") else "not there any more, and not needed"
                _verify(trial, copy)
                trial.detected = not trial.complaint  # the state is that of a replay from the first record
            else:
                found = stack.said("database damaged: set aside, and made again from the journal", database=struck.name)
                trial.says = str(found[0]["reason"]) if found else "nothing was said"
                trial.detected = bool(found)
                _verify(trial, copy)
        trial.detected_s = trial.detected_s or time.monotonic() - began


def _log_is_not_served(trial: Trial, stack: Started, stream: str) -> None:
    subject = _subject_of(stream)
    stack.until(lambda: bool(stack.said("log damaged: not serving it", log=subject)), f"{subject}: nobody noticed")
    (line, *_) = stack.said("log damaged: not serving it", log=subject)
    trial.says = str(line["reason"])
    services = ("auth-a", "auth-b") if stream.startswith("JOURNAL_") else ("issuer-sim",)
    told: list[str] = []

    def says_so() -> bool:
        told[:] = [says for s in services if (says := stack.not_ready(s).get(subject, ""))]
        return any(RESTORE in says for says in told)

    stack.until(says_so, f"{subject}: /readyz does not say what to do ({told})")
    if stack.said("owner", log=subject):
        trial.complaint = f"{subject}: somebody took office on a damaged log"
    elif RESTORE not in str(line["what_to_do"]):
        trial.complaint = f"{subject}: the log line does not name the command"
    else:
        trial.detected = True


def _subject_of(stream: str) -> str:
    for shard in range(world.SHARDS):
        if stream == subjects.journal_stream(shard):
            return subjects.journal(shard)
    return next(subjects.ledger(i.id) for i in world.built_in().institutions if subjects.ledger_stream(i.id) == stream)


def _restore(trial: Trial, copy: Path, backups: Path) -> None:
    trial.restored = False
    done = subprocess.run(
        lianji("restore", "--json", "--data-dir", str(copy), str(backups)), capture_output=True, text=True, check=False
    )
    if done.returncode:
        trial.complaint = done.stderr.strip()[-300:]
        return
    with Started(copy) as stack:
        stack.until(lambda: stack.ready, "the restored stack does not become ready")
        trial.restored = True
        _verify(trial, copy)
        trial.restored = not trial.complaint


def _verify(trial: Trial, copy: Path) -> None:
    done = subprocess.run(
        lianji("verify", "--json", "--data-dir", str(copy)), capture_output=True, text=True, check=False
    )
    if done.returncode:
        trial.complaint = f"the books do not hold: {(done.stderr or done.stdout).strip()[-300:]}"
