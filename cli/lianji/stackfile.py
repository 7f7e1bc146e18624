"""How commands find a running stack: `<data-dir>/run/stack.json`, written by `lianji up` and removed when it ends."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from lianji.errors import CliError


class ProcessInfo(msgspec.Struct, kw_only=True):
    pid: int
    health_url: str = ""


class StackFile(msgspec.Struct, kw_only=True):
    """Addresses and processes of one embedded stack."""

    pid: int
    """Of the supervisor."""
    data_dir: str
    nats_url: str
    gateway_host: str
    gateway_port: int
    tls_port: int = 0
    """0: the gateway has no TLS door."""
    tls_ca: str = ""
    """The CA that signs terminals' certificates, when it is the data directory's own."""
    otlp_url: str = ""
    """Where its collector takes traces: OTLP over HTTP, below it /v1/traces."""
    processes: dict[str, ProcessInfo]
    keys: str = ""
    """Directory of its master keys; empty: the test world's."""


class RunFile(msgspec.Struct):
    """What a service writes about itself when it has started."""

    pid: int
    service: str
    ports: dict[str, int]


_decode = msgspec.json.Decoder(StackFile).decode
_decode_run_file = msgspec.json.Decoder(RunFile).decode


def path_in(data_dir: Path) -> Path:
    return data_dir / "run" / "stack.json"


def order_path(data_dir: Path) -> Path:
    """What the stack has been asked to restart (rolling), until its supervisor has read it."""
    return data_dir / "run" / "restart.json"


def write(stack: StackFile) -> None:
    """Atomically, for a reader may look at any moment."""
    path = path_in(Path(stack.data_dir))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(stack)))
    partial.replace(path)


def remove(data_dir: Path) -> None:
    path_in(data_dir).unlink(missing_ok=True)


def find(data_dir: Path) -> StackFile | None:
    """The stack that runs on `data_dir`, None when none does."""
    try:
        stack = _decode(path_in(data_dir).read_bytes())
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    try:
        os.kill(stack.pid, 0)
    except ProcessLookupError:
        return None  # it was killed and could not clean up
    except PermissionError:
        pass  # it is another user's, and runs
    for name, process in stack.processes.items():
        # A service that has been started again listens on another port, which the supervisor does not know when it starts it.
        process.health_url = health_url(data_dir, name)
    return stack


def running(data_dir: Path) -> StackFile:
    """Like `find`; raises CliError that says how to start one."""
    stack = find(data_dir)
    if stack is None:
        raise CliError(f"no stack runs on {data_dir}: start one with `lianji up --data-dir {data_dir}`")
    return stack


def run_path(data_dir: Path, name: str) -> Path:
    return data_dir / "run" / f"{name}.json"


def run_file(data_dir: Path, name: str) -> RunFile | None:
    """What the service of this name has written when it started last; None when it never has."""
    try:
        return _decode_run_file(run_path(data_dir, name).read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def health_url(data_dir: Path, name: str) -> str:
    """Where the service says how it is; empty until it has started."""
    run = run_file(data_dir, name)
    port = run.ports.get("health", 0) if run is not None else 0
    return f"http://127.0.0.1:{port}/readyz" if port else ""
