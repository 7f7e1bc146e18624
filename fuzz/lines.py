"""Coverage without a package for it: which lines of some modules' functions an input runs through."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

Line = tuple[str, int]


class Lines:
    """Lines of functions, those that there are and those that were reached."""

    def __init__(self, modules: Sequence[str]) -> None:
        codes = [_compiled(name) for name in modules]
        self._files = {code.co_filename for code in codes}
        self.there = {line for code in codes for line in _of_functions(code)}
        self.reached: set[Line] = set()
        for name, code in zip(
            modules, codes, strict=True
        ):  # functions that run only while a module is imported count as well
            self.run(partial(exec, code, {"__name__": name}))

    def run(self, function: Callable[[], object]) -> bool:
        """Runs it; whether it reached a line that nothing had reached before. What it raises, it raises here."""
        before = len(self.reached)
        previous = sys.gettrace()
        sys.settrace(self._enter)
        try:
            function()
        finally:
            sys.settrace(previous)
        return len(self.reached) > before

    @property
    def summary(self) -> str:
        reached = len(self.reached & self.there)
        return f"{reached}/{len(self.there)} lines ({reached * 100 // max(1, len(self.there))} %)"

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        return self._line if frame.f_code.co_filename in self._files else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
        self.reached.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line


def _compiled(module: str) -> CodeType:
    file = importlib.import_module(module).__file__
    if file is None:
        raise FileNotFoundError(module)
    return compile(Path(file).read_text(encoding="utf-8"), file, "exec", dont_inherit=True)


def _of_functions(code: CodeType) -> Iterator[Line]:
    if code.co_flags & inspect.CO_OPTIMIZED:  # a function's body, not a module's or a class's
        yield from ((code.co_filename, line) for _, _, line in code.co_lines() if line and line > code.co_firstlineno)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _of_functions(constant)
