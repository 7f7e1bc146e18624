"""The fuzzer where atheris is: libFuzzer's coverage of every branch decides which inputs are gone on from.

libFuzzer never comes back from its loop, so each target gets a process of its own: `python -m fuzz.guided TARGET …`, which
prints JSON lines: `{"inputs": n}` now and then, `{"find": {…}}` for each find. `run` starts it and listens.
"""

from __future__ import annotations

import argparse
import atexit
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fuzz.finds import Find, Finds
    from fuzz.lines import Lines
    from fuzz.targets import Target

_HANGS_AFTER_S = 20
_LONGEST = 5000
_OWN_MUTATIONS = 0.6
"""Of the inputs, made by the grammar; libFuzzer's own mutator makes the rest."""


def is_available() -> bool:
    return find_spec("atheris") is not None


def run(
    target: Target,
    seeds: Sequence[bytes],
    *,
    inputs: int,
    seconds: float,
    seed: int,
    finds: Finds,
    lines: Lines,
    tell: Callable[[int, Find | None], None],
) -> int:
    """As `plain.run`, in a process of its own."""
    from fuzz.finds import Find, keep  # noqa: PLC0415 - the child must import the targets under instrumentation first

    with tempfile.TemporaryDirectory(prefix="lianji-fuzz-") as name:
        pool, broken, messages = Path(name, "pool"), Path(name, "broken"), Path(name, "stderr")
        broken.mkdir()
        for data in seeds:
            keep(pool, data)
        command = [
            sys.executable,
            "-m",
            "fuzz.guided",
            target.name,
            "--inputs",
            str(inputs),
            "--seconds",
            f"{seconds:.0f}",
        ]
        command += ["--seed", str(seed), "--pool", str(pool), "--broken", str(broken), "--corpus", str(finds.corpus)]
        count = 0
        with messages.open("wb") as stderr, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr) as child:
            for line in child.stdout or ():
                if not line.startswith(b'{"'):  # what atheris itself has to say about an input that hangs
                    continue
                said = json.loads(line)
                count = said.get("inputs", count)
                found = Find(**said["find"]) if "find" in said else None
                if found is not None:
                    finds.seen[found.target, found.error, found.place] = found
                tell(count, found)
        for path in sorted(
            broken.iterdir()
        ):  # what stopped the process: an input that hangs, or a crash of the interpreter
            hang = Find(
                target.name, path.name.partition("-")[0], "the process", keep(finds.corpus, path.read_bytes()).name
            )
            finds.seen[hang.target, hang.error, hang.file] = hang
            tell(count, hang)
        if child.returncode and not any(broken.iterdir()):
            raise RuntimeError(
                f"the fuzzer of {target.name} ended with {child.returncode}:\n{messages.read_text(errors='replace')[-2000:]}"
            )
        for path in sorted(pool.iterdir()):
            data = path.read_bytes()
            lines.run(partial(finds.attempt, target, data))
    return count


def _child(arguments: argparse.Namespace) -> None:
    import atheris  # noqa: PLC0415 - optional

    with atheris.instrument_imports(include=["iso8583", "terminal_gw"]):
        from fuzz.finds import Finds  # noqa: PLC0415 - under instrumentation
        from fuzz.mutate import mutate  # noqa: PLC0415
        from fuzz.targets import by_name  # noqa: PLC0415
    target, finds, count = by_name(arguments.target), Finds(arguments.corpus), 0
    pool = [path.read_bytes() for path in sorted(arguments.pool.iterdir())]

    def one_input(data: bytes) -> None:
        nonlocal count
        count += 1
        found = finds.attempt(target, data)
        if found is not None:
            _say({"find": {"target": found.target, "error": found.error, "place": found.place, "file": found.file}})
        if count % 512 == 0:
            _say({"inputs": count})

    def another(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < _OWN_MUTATIONS:
            return mutate(random, bytes(data), pool)[:max_size]
        return bytes(atheris.Mutate(data, max_size))

    atexit.register(lambda: _say({"inputs": count}))
    options = {
        "atheris_runs": arguments.inputs,
        "max_total_time": arguments.seconds,
        "seed": arguments.seed or 1,
        "max_len": _LONGEST,
        "timeout": _HANGS_AFTER_S,
        "artifact_prefix": f"{arguments.broken}/",
    }
    atheris.Setup(
        [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(arguments.pool)],
        one_input,
        custom_mutator=another,
    )
    atheris.Fuzz()


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m fuzz.guided", description="One target in one process; started by `python -m fuzz`."
    )
    parser.add_argument("target")
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    for folder in ("pool", "broken", "corpus"):
        parser.add_argument(f"--{folder}", type=Path, required=True)
    _child(parser.parse_args())


if __name__ == "__main__":
    main()
