"""A run in words and as data. What varies from run to run (host, time) stands in the first and the last line, and as `duration_s`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from iso8583 import Message
from lianji.certify.annotated import annotated
from lianji.certify.running import Result

_WIDTH = 38


def in_words(results: Sequence[Result], *, host: str, profile: str, took_s: float) -> str:
    """Every case in its section; below a failed one why, and the two messages."""
    lines = [f"Certification of {host}, with {profile}"]
    for heading, of_section in groupby(results, lambda result: result.case.section):
        lines += ["", heading]
        for result in of_section:
            lines += _case(result)
    lines += ["", f"{summary(results)}, in {took_s:.1f} s"]
    return "\n".join(lines)


def summary(results: Sequence[Result]) -> str:
    """`3 passed, 1 failed`, and how many were skipped."""
    passed, skipped = sum(r.passed for r in results), sum(r.skipped for r in results)
    failed = len(results) - passed - skipped
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def _case(result: Result) -> Iterator[str]:
    case = result.case
    word = "passed" if result.passed else "skipped" if result.skipped else "FAILED"
    yield f"  {word:<7}  {case.name:<{_WIDTH}}  {case.title} [{case.clause}]"
    if result.reason:
        yield f"           {result.reason}"
    if result.exchange is not None:
        for what, message in (("sent", result.exchange.request), ("came", result.exchange.answer)):
            yield from _message(what, message)


def _message(what: str, message: Message | None) -> Iterator[str]:
    if message is None:
        yield f"           {what}: nothing that could be read"
        return
    yield f"           {what}:"
    yield from (f"             {line}" for line in annotated(message))


def as_json(results: Sequence[Result], *, host: str, profile: str, took_s: float) -> dict[str, Any]:
    """The same as data."""
    return {
        "host": host,
        "profile": profile,
        "passed": sum(r.passed for r in results),
        "failed": sum(not r.passed and not r.skipped for r in results),
        "skipped": sum(r.skipped for r in results),
        "duration_s": round(took_s, 3),
        "cases": [_as_data(result) for result in results],
    }


def _as_data(result: Result) -> dict[str, Any]:
    case, exchange = result.case, result.exchange
    data: dict[str, Any] = {
        "name": case.name,
        "section": case.section,
        "title": case.title,
        "clause": case.clause,
        "passed": result.passed,
        "skipped": result.skipped,
        "reason": result.reason,
        "duration_s": round(result.duration_s, 3),
    }
    if exchange is not None:
        data["sent"] = None if exchange.request is None else annotated(exchange.request)
        data["came"] = None if exchange.answer is None else annotated(exchange.answer)
    return data
