"""The `lianji` command of this environment, against one data directory."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.stack import lianji

LONGEST_S = 900.0


def output_of(data_dir: Path, command: str, *arguments: str) -> tuple[int, str]:
    """Exit code and standard output; what it says on the way goes to ours."""
    call = lianji(command, "--data-dir", str(data_dir), *arguments)
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, timeout=LONGEST_S, check=False)
    return done.returncode, done.stdout


def json_of(data_dir: Path, command: str, *arguments: str) -> dict[str, Any]:
    """The object that a command prints with --json, whatever it exits with; BenchError when it prints none."""
    code, output = output_of(data_dir, command, *arguments, "--json")
    try:
        answer: dict[str, Any] = json.loads(output)
    except ValueError:
        raise BenchError(f"lianji {command}: exit status {code} and no JSON; its error stands above") from None
    return answer
