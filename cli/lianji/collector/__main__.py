"""`python -m lianji.collector`: a process of the embedded stack, under the supervision of `lianji up`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from lianji.collector.door import Door
from lianji.collector.segments import Segments
from lianji.collector.settings import Settings
from lianji.tracing.files import FOLDER
from runtime import coredumps, escaped, logs, scheduling
from runtime.settings import SettingsError, load

log = logs.get("collector")


def main() -> int:
    """Runs until SIGTERM or SIGINT; 0 stopped, 1 no port or no directory, 2 a setting cannot be read."""
    coredumps.forbid()
    try:
        settings = load(Settings)
    except SettingsError as error:
        sys.stderr.write(f"collector: {error}\n")
        return 2
    os.nice(settings.nice)
    scheduling.use(settings.scheduler, "collector")
    logs.configure("collector", settings.instance or "collector", settings.log_level)
    escaped.install()
    try:
        segments = Segments(Path(settings.data_dir) / FOLDER, settings.traces_mb * 1_000_000)
        door = Door(settings.collector_port, segments)
    except OSError as error:
        log.error("cannot start", reason=str(error))
        return 1

    def stop(_: int, __: FrameType | None) -> None:
        # `shutdown` waits for the loop that this very thread runs.
        threading.Thread(target=door.shutdown, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    log.info("started", port=door.server_port, keeps_mb=settings.traces_mb)
    with door:
        door.serve_forever(poll_interval=0.2)
    log.info("stopped")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
