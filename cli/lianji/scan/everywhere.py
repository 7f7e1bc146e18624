"""Streams, tables and files of one stack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from lianji.scan.apart import is_worth_it, search_apart
from lianji.scan.detector import Detector
from lianji.scan.files import search_files
from lianji.scan.report import Report
from lianji.scan.streams import search_streams
from lianji.scan.tables import search_databases
from lianji.scan.wanted import wanted
from runtime.bus import Bus
from world import World

Progress = Callable[[str], None]


async def search(bus: Bus, world: World, data_dir: Path, progress: Progress) -> Report:
    """Card data of `world` in the streams on `bus` and under `data_dir`; raises CliError, and runtime's BusError."""
    report, sought = Report(), wanted(world)
    detector = Detector(sought)
    directory = asyncio.create_task(search_apart(data_dir, sought, progress)) if is_worth_it(data_dir) else None
    try:
        progress("searching streams")
        await search_streams(bus, detector, report)
        if directory is not None:
            report.take(await directory)
    finally:
        if directory is not None and not directory.done():
            directory.cancel()
            await asyncio.gather(directory, return_exceptions=True)
    if directory is None:
        # In a thread: the connection has its pings to answer meanwhile.
        await asyncio.to_thread(search_directory, data_dir, detector, report, progress)
    return report


def search_directory(data_dir: Path, detector: Detector, report: Report, progress: Progress) -> None:
    """All of it here; raises CliError."""
    progress("searching databases")
    search_databases(data_dir, detector, report)
    progress("searching logs, traces, terminals and all other files")
    search_files(data_dir, detector, report)
