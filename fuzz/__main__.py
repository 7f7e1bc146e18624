"""`python -m fuzz`: so many damaged inputs to each target. Exits 1 when something escaped; its input is then in tests/corpus/iso8583.

Driven by atheris when it is installed (`make fuzz` installs it), else by a mutation fuzzer of the same grammar.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from fuzz import guided, plain
from fuzz.finds import CORPUS, Find, Finds, keep
from fuzz.grammar import seeds
from fuzz.lines import Lines
from fuzz.targets import TARGETS, Target, by_name

_A_DAY_S = 86_400.0
_console = Console()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description="Damaged messages for everything that reads what a stranger sent."
    )
    parser.add_argument(
        "--inputs", type=int, default=1_000_000, help="in all, shared out over the targets (default 1000000)"
    )
    parser.add_argument("--target", choices=[target.name for target in TARGETS], help="this one alone")
    parser.add_argument("--seconds", type=float, default=0, help="stop after about so many, in all (default: no limit)")
    parser.add_argument("--seed", type=int, default=0, help="to repeat a run of the plain engine (default: a new one)")
    parser.add_argument("--engine", choices=("atheris", "plain"), help="default: atheris when it is installed")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="where finds go, and where to start from")
    parser.add_argument(
        "--write-seeds", action="store_true", help="write the valid messages into the corpus, and no more"
    )
    return parser.parse_args()


def _fuzz(targets: tuple[Target, ...], arguments: argparse.Namespace, engine: ModuleType, finds: Finds) -> Table:
    """All targets, one after the other, with a progress bar each; gives the table of what happened."""
    table = Table("target", "inputs", "inputs/s", "coverage", "finds", title="fuzzing")
    shares = sum(target.share for target in targets)
    start_from = sorted(
        {*(seed.data for seed in seeds()), *(path.read_bytes() for path in arguments.corpus.glob("*.bin"))}
    )
    with Progress(console=_console) as progress:
        for target in targets:
            inputs = max(1, round(arguments.inputs * target.share / shares))
            task = progress.add_task(target.name, total=inputs)
            lines, started, before = Lines(target.modules), time.monotonic(), len(finds.seen)

            def tell(count: int, found: Find | None, task: int = task) -> None:
                progress.update(task, completed=count)  # type: ignore[arg-type]  # rich's TaskID is an int by another name
                if found is not None:
                    progress.console.print(str(found), markup=False, soft_wrap=True)

            count = engine.run(
                target,
                start_from,
                inputs=inputs,
                seconds=(arguments.seconds or _A_DAY_S) * target.share / shares,
                seed=arguments.seed,
                finds=finds,
                lines=lines,
                tell=tell,
            )
            rate = count / max(time.monotonic() - started, 1e-6)
            if not _console.is_terminal:  # a log has no use for bars
                _console.print(f"{target.name}: {count:,} inputs, {lines.summary}", markup=False)
            table.add_row(target.name, f"{count:,}", f"{rate:,.0f}", lines.summary, str(len(finds.seen) - before))
    return table


def main() -> int:
    arguments = _arguments()
    if arguments.write_seeds:
        for seed in seeds():
            keep(arguments.corpus, seed.data)
        return 0
    if arguments.engine == "atheris" and not guided.is_available():
        sys.stderr.write("fuzz: atheris is not installed; `make fuzz` installs it\n")
        return 2
    engine = plain if arguments.engine == "plain" or not guided.is_available() else guided
    arguments.seed = arguments.seed or secrets.randbelow(2**31 - 1) + 1
    finds = Finds(arguments.corpus)
    targets = (by_name(arguments.target),) if arguments.target else TARGETS
    _console.print(f"engine: {'atheris' if engine is guided else 'plain mutations'}, seed {arguments.seed}")
    table = _fuzz(targets, arguments, engine, finds)
    _console.print(table)
    for found in finds.seen.values():
        _console.print(str(found), markup=False, soft_wrap=True)
    return 1 if finds.seen else 0


if __name__ == "__main__":
    raise SystemExit(main())
