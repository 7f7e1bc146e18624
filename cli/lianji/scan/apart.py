"""Databases and files of a directory, searched by a process for each core, the largest first: beside whoever searches something else.

Nothing stops the world meanwhile. A log or trace that is renamed between the listing and its turn is still the same file: the directory is
listed again until it holds no file that has not been searched.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from lianji.scan.detector import Detector
from lianji.scan.files import Identity, files_under, identity, search_file
from lianji.scan.report import Report
from lianji.scan.tables import databases_under, search_database
from lianji.scan.wanted import Wanted
from runtime.collecting import collect_seldom

Progress = Callable[[str], None]
WORTH_BYTES = 64 * 1024 * 1024
"""Less than that is searched sooner than processes are started."""
TELL_BYTES = 256 * 1024 * 1024
"""Between two words of progress."""


class _Part(NamedTuple):
    path: Path
    size: int
    rows: bool = False
    """The rows of a database, and not its bytes."""


class _Done(NamedTuple):
    report: Report
    file: Identity | None


def is_worth_it(directory: Path) -> bool:
    """Whether there is so much, and more than one core for it."""
    return _cores() > 1 and sum(part.size for part, _ in _files(directory)) >= WORTH_BYTES


async def search_apart(directory: Path, wanted: Wanted, progress: Progress) -> Report:
    """Raises CliError for what cannot be read."""
    report, searched = Report(), set[Identity]()
    pool = ProcessPoolExecutor(_cores(), multiprocessing.get_context("spawn"), initializer=_begin, initargs=(wanted,))
    try:
        rows = [_Part(path, path.stat().st_size, rows=True) for path in databases_under(directory)]
        while parts := rows + [part for part, file in _files(directory) if file not in searched]:
            async for done in _all(pool, directory, parts, progress):
                report.take(done.report)
                if done.file is not None:
                    searched.add(done.file)
            rows = []
        return report
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()  # nobody waits for the rest of a file
        raise
    finally:
        pool.shutdown(cancel_futures=True)


async def _all(
    pool: ProcessPoolExecutor, directory: Path, parts: list[_Part], progress: Progress
) -> AsyncIterator[_Done]:
    progress(f"searching {len(parts):,} files and databases, {sum(part.size for part in parts) / 1e6:,.0f} MB")
    ordered = sorted(parts, key=lambda part: part.size, reverse=True)
    loop, searched, told = asyncio.get_running_loop(), 0, 0
    for following in asyncio.as_completed([loop.run_in_executor(pool, _search, directory, part) for part in ordered]):
        done = await following
        yield done
        searched += sum(counts.get("bytes", 0) for counts in done.report.searched.values())
        if searched >= told + TELL_BYTES:
            told = searched
            progress(f"searched {searched / 1e6:,.0f} MB of files and databases")


def _cores() -> int:
    """That this process may run on, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _files(directory: Path) -> Iterable[tuple[_Part, Identity]]:
    for path in files_under(directory):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        yield _Part(path, status.st_size), identity(status)


# In a process of its own.

_detector: Detector


def _begin(wanted: Wanted) -> None:
    global _detector  # noqa: PLW0603 - what a process searches with, made once
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever has started it ends it
    _detector = Detector(wanted)
    collect_seldom()


def _search(directory: Path, part: _Part) -> _Done:
    report = Report()
    if part.rows:
        search_database(directory, part.path, _detector, report)
        return _Done(report, None)
    return _Done(report, search_file(directory, part.path, _detector, report))
