"""`python -m reliability.corruption`: bits flipped and files cut off in what a stopped stack keeps, by seed.

Exits 1 when a damage was not found before somebody could be told anything, or the world did not come back. Writes build/corruption.json;
with --page it remakes its section of docs/reliability.md.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.errors import BenchError
from bench.page import table
from bench.stack import lianji, temporary_directory
from reliability.corruption.damage import DAMAGES, LOG
from reliability.corruption.stack import Started
from reliability.corruption.trial import Trial, damage_and_look
from reliability.page import section

REPORT = Path("build/corruption.json")
SELL_S, CONCURRENCY = 3.0, 16
HEAD = ("", "damage", "where", "stopped by", "detected", "after, s", "world back")
STOPS = ("killed", "drained")


class Report(msgspec.Struct, kw_only=True):
    seed: int
    trials: list[Trial]

    @property
    def good(self) -> bool:
        return all(trial.good for trial in self.trials)


def rows(report: Report) -> Iterable[tuple[str, ...]]:
    back = {True: "yes", False: "NO", None: ""}
    for t in report.trials:
        yield (
            str(t.number),
            t.kind,
            t.where,
            t.stopped,
            "yes" if t.detected else "NO",
            f"{t.detected_s:.1f}",
            back[t.restored],
        )


def text(report: Report) -> str:
    detected = sum(t.detected for t in report.trials)
    tried = [t for t in report.trials if t.restored is not None]
    verdict = f"{len(report.trials)} damages (seed {report.seed}): {detected} detected before the next approval"
    if tried:
        back = sum(t.restored is True for t in tried)
        verdict += f"; of {len(tried)} restores {back} brought a world back in which `lianji verify` holds"
    return f"{verdict}.\n\n{table(HEAD, list(rows(report)))}"


def _prepared(directory: Path) -> tuple[dict[str, Path], Path]:
    """A data directory for each way to stop, and the backups: taken in the middle, so that every log goes on behind them."""
    data_dir, backups, found = directory / "data", directory / "backups", {}
    for stop in STOPS:
        with Started(data_dir, kill=stop == "killed") as stack:
            stack.until(lambda: stack.ready, "the stack does not become ready")
            _sell(data_dir)
            _call("backup", "--data-dir", str(data_dir), str(backups))
            _sell(data_dir)
            _call("verify", "--data-dir", str(data_dir))  # and so waits for quiet
        found[stop] = directory / stop
        _call_raw("cp", "-a", str(data_dir), str(found[stop]))
    return found, backups


def _sell(data_dir: Path) -> None:
    terminals = str(CONCURRENCY)
    _call(
        "load", "--json", "--data-dir", str(data_dir), "--duration", f"{SELL_S:g}",
        "--concurrency", terminals, "--terminals", terminals,
    )  # fmt: skip


def _call(*arguments: str) -> None:
    _call_raw(*lianji(*arguments))


def _call_raw(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr.strip()[-500:]}")


def trials(directory: Path, report: Report, *, times: int, restore: bool) -> None:
    """Fills the report, damage by damage."""
    seed = report.seed
    originals, backups = _prepared(directory)
    chance = random.Random(seed)
    for number in range(1, times + 1):
        kind = DAMAGES[(number - 1) % len(DAMAGES)]
        stop = chance.choice(STOPS) if kind.of == LOG else "drained"
        trial = damage_and_look(
            number, kind, random.Random(f"{seed}-{number}"), originals[stop], backups, stopped=stop, restore=restore
        )
        report.trials.append(trial)
        verdict = "good" if trial.good else f"NOT good: {trial.complaint or trial.says}"
        sys.stderr.write(f"{number} {trial.kind} ({trial.where}, {trial.what}): {verdict}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m reliability.corruption", description="Damage, and who notices.")
    parser.add_argument("--times", type=int, default=20, help="how many (default 20)")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1 << 32), help="of all of it (default: another each time)"
    )
    parser.add_argument("--restore", action="store_true", help="and bring each world back that needs it")
    parser.add_argument("--page", action="store_true", help="remake the section of docs/reliability.md")
    arguments = parser.parse_args()
    if arguments.times < 1:
        parser.error("--times: must be at least 1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # no stack is left behind
    report, whole = Report(seed=arguments.seed, trials=[]), False
    try:
        with temporary_directory() as name:
            trials(Path(name).resolve(), report, times=arguments.times, restore=arguments.restore)
        whole = True
    except BenchError as error:
        sys.stderr.write(f"corruption: {error}\n")
    finally:
        show(report)
    if arguments.page and whole and report.good:
        section("CORRUPTION", text(report))
    return 0 if whole and report.good else 1


def show(report: Report) -> None:
    """What has been tried so far, on the screen and in build/corruption.json."""
    shown = Table(*HEAD, "what the stack says")
    for row, trial in zip(rows(report), report.trials, strict=True):
        shown.add_row(*row, trial.complaint or trial.says)
    Console(highlight=False, width=max(Console().width, 180)).print(shown)
    REPORT.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")


if __name__ == "__main__":
    raise SystemExit(main())
