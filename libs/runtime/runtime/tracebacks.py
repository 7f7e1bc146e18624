"""Exceptions as the log shows them: of which type, from where, and in whose words.

A stranger's words may hold what it was working on: KeyError its key, a converter its input, msgspec a value or a member's name,
SQLAlchemy a row. So the words of our own exceptions alone are shown, which name a field and a rule and never hold what was
received; of all others only type and place, and of an OSError what its number means. No source text, no locals.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from traceback import walk_tb

from runtime.masking import mask

OURS = frozenset(
    {
        "auth",
        "contracts",
        "iso8583",
        "issuer_sim",
        "key_store",
        "receipts",
        "runtime",
        "security_module",
        "settlement",
        "terminal_gw",
        "world",
    }
)
"""Packages whose exceptions may speak."""
FRAMES, CHAIN = 30, 6
"""Innermost frames of one exception, and exceptions of one chain or group, that are shown."""


def words(error: BaseException) -> str:
    """The exception in one line.

    >>> words(KeyError("6291010000000018")), words(FileNotFoundError(2, "anything", "/any/where"))
    ('KeyError', 'FileNotFoundError: No such file or directory')
    """
    kind = type(error)
    package = kind.__module__.partition(".")[0]
    if package in OURS:
        return f"{kind.__name__}: {mask(str(error))}"
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return f"{kind.__name__}: {os.strerror(error.errno)}"
    return kind.__name__ if package == "builtins" else f"{package}.{kind.__name__}"


def describe(error: BaseException) -> str:
    """The exception with its frames, innermost last, and what it came of; one line each."""
    return "\n".join(_lines(error, set()))


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    frames = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
    if len(frames) > FRAMES:
        yield f"… {len(frames) - FRAMES} frames"
    for code, line in frames[-FRAMES:]:
        yield f"{'/'.join(code.co_filename.split('/')[-2:])}:{line} {code.co_qualname}"
    yield words(error)
    came_of = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for relation, other in (("came of", came_of), *(("holds", member) for member in members)):
        if other is None or id(other) in seen:
            continue
        if len(seen) >= CHAIN:
            yield f"{relation} more"
            return
        yield f"{relation}:"
        yield from _lines(other, seen)
