"""A stack over a damaged data directory: it may never become ready, so it is watched by what it writes."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.errors import BenchError
from bench.stack import lianji
from lianji import stackfile

STARTED_S = 90.0
STOPPED_S = 60.0


class Started:
    """`lianji up`, for as long as the block lasts."""

    def __init__(self, data_dir: Path, *, kill: bool = False) -> None:
        self.data_dir = data_dir
        self._kill = kill
        self._before = {path.name: path.stat().st_size for path in (data_dir / "logs").glob("*.log")}
        self._up: subprocess.Popen[bytes] | None = None
        self._ready = threading.Event()

    def __enter__(self) -> Started:
        with (self.data_dir.parent / f"{self.data_dir.name}.up.log").open("ab") as log:
            self._up = subprocess.Popen(
                lianji("up", "--json", "--data-dir", str(self.data_dir)), stdout=subprocess.PIPE, stderr=log
            )
        threading.Thread(target=self._wait_for_ready, daemon=True).start()
        return self

    def _wait_for_ready(self) -> None:
        assert self._up is not None  # noqa: S101 - set before the thread starts
        assert self._up.stdout is not None  # noqa: S101 - it is started with its pipe
        if self._up.stdout.readline():
            self._ready.set()

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Raises BenchError when it does not come true, or the stack ends."""
        give_up = time.monotonic() + STARTED_S
        while not condition():
            if self._up is None or self._up.poll() is not None:
                raise BenchError(f"{what}: the stack ended")
            if time.monotonic() > give_up:
                raise BenchError(f"{what}: not within {STARTED_S:g} s")
            time.sleep(0.05)

    def said(self, event: str, **facts: str) -> list[dict[str, Any]]:
        """Lines that services have logged since the start, of this event and with these facts."""
        return [
            line
            for line in self._lines()
            if line.get("event") == event and all(line.get(key) == value for key, value in facts.items())
        ]

    def _lines(self) -> Iterator[dict[str, Any]]:
        for path in sorted((self.data_dir / "logs").glob("*.log")):
            with path.open("rb") as file:
                file.seek(self._before.get(path.name, 0))
                for line in file:
                    if line.startswith(b"{") and line.endswith(b"\n"):
                        yield json.loads(line)

    def not_ready(self, service: str) -> dict[str, str]:
        """What the service's /readyz says is wrong, check by check; empty when it is ready or cannot be asked."""
        try:
            with urllib.request.urlopen(stackfile.health_url(self.data_dir, service), timeout=5):  # noqa: S310 - its own address
                return {}
        except urllib.error.HTTPError as error:
            rows: dict[str, str] = json.loads(error.read())
            return {name: says for name, says in rows.items() if says != "ok"}
        except (OSError, ValueError):
            return {}

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._up is None:
            return
        if self._kill:
            stack = stackfile.find(self.data_dir)
            for pid in [p.pid for p in stack.processes.values() if p.pid] if stack else []:
                subprocess.run(["kill", "-KILL", str(pid)], check=False, capture_output=True)
            self._up.kill()
        else:
            self._up.terminate()
        self._up.wait(STOPPED_S)
        assert self._up.stdout is not None  # noqa: S101 - it is started with its pipe
        self._up.stdout.close()
