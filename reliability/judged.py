"""A measurement on a stack of its own, with `lianji verify` behind it: what every tool for calm days does around its own part."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.errors import BenchError
from bench.stack import Stack, lianji, temporary_directory
from reliability.page import section

R = TypeVar("R")


def judged(
    name: str,
    measure: Callable[[Stack, Path], R],
    text: Callable[[R, int], str],
    *,
    page: bool,
    cores: Collection[int] = (),
) -> tuple[R, bool] | None:
    """What `measure` found on a stack and its data directory, and whether the books held; None, and why on stderr, when it could not be measured.

    Prints `text` (of the result and the number of cores), writes build/NAME.json, and with `page` the section NAME of docs/reliability.md.
    The stack stays on `cores`, where they are named.
    """
    try:
        with temporary_directory() as folder, Stack(Path(folder) / "data", cores=cores) as stack:
            data_dir = Path(folder) / "data"
            result = measure(stack, data_dir)
            said = text(result, os.cpu_count() or 1)
            print(said, flush=True)
            verdict = subprocess.run(lianji("verify", "--data-dir", str(data_dir)), check=False).returncode
    except BenchError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return None
    Path(f"build/{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    if page:
        section(name, said)
    return result, not verdict
