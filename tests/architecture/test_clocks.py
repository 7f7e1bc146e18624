"""Simulated days put a clock and a chance of their own into the modules: whoever has bound the real ones before does not see them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SIMULATED = ("libs", "services")
REPLACED = {"time", "random", "secrets"}


def bound_too_early(source: str) -> list[int]:
    """The lines in which a function of such a module stands uncalled as a default argument."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    arguments = (node.args for node in ast.walk(ast.parse(source)) if isinstance(node, kinds))
    defaults = (default for args in arguments for default in (*args.defaults, *args.kw_defaults))
    return [
        default.lineno
        for default in defaults
        if isinstance(default, ast.Attribute) and isinstance(default.value, ast.Name) and default.value.id in REPLACED
    ]


def test_the_rule_sees_what_it_is_for() -> None:
    assert bound_too_early("import time\ndef f(*, now=time.monotonic, at=time.time()): ...") == [2]


@pytest.mark.parametrize("folder", SIMULATED)
def test_no_clock_is_bound_when_a_module_is_read(folder: str) -> None:
    found = {str(path): bound_too_early(path.read_text()) for path in (ROOT / folder).rglob("*.py")}
    assert {path: lines for path, lines in found.items() if lines} == {}
