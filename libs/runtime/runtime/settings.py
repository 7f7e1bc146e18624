"""Settings from the environment: field `nats_url` of a service's settings is the variable `LIANJI_NATS_URL`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar, get_args, get_type_hints

import msgspec

from runtime.scheduling import Scheduler

T = TypeVar("T", bound="BaseSettings")

Nice = Annotated[int, msgspec.Meta(ge=0, le=19)]
"""By how much a process steps back where there are too few cores (nice(2))."""
FOLLOWS: Nice = 5
"""Of a process that follows what the path has left behind: a terminal waits for the path, and nobody for this one."""


class SettingsError(Exception):
    """A variable that cannot be read. The message names it and what it takes."""


class BaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service takes."""

    nats_url: str = "nats://127.0.0.1:4222"
    nats_nkey_file: str = ""
    """File with this process's seed for the broker (SU…), or a directory with `<identity>.nk`; empty: see `world`."""
    world: Literal["", "test"] = ""
    """`test`: keys that are not given derive from the test world's public seed. Empty: there are no others than those given."""
    instance: str = ""
    """Name of this process among its siblings; empty: the service's name and the process id."""
    health_host: str = "127.0.0.1"
    health_port: int = 0
    """0 takes a free port, written to the run file."""
    data_dir: str = ".lianji"
    run_dir: str = ""
    """Where to write `<instance>.json` with the process id and the ports taken; empty: nowhere."""
    log_level: str = "info"
    nice: Nice = 0
    scheduler: Scheduler = "batch"
    """`batch`: it does not interrupt who runs when it wakes (runtime.scheduling); `other`: the kernel's ordinary policy."""
    clock_wrong_by_s: float = 0.0
    """For drills in the test world: how far this process's wall clock is ahead, in seconds; below 0: behind."""


def load(kind: type[T], environ: Mapping[str, str] | None = None) -> T:
    """The settings of `kind` from LIANJI_* variables; raises SettingsError naming the variable."""
    environ = os.environ if environ is None else environ
    values = {
        field: environ[f"LIANJI_{field.upper()}"]
        for field in kind.__struct_fields__
        if environ.get(f"LIANJI_{field.upper()}", "") != ""
    }
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`")
        variable = f"LIANJI_{field.upper()}" if field else "settings"
        raise SettingsError(f"{variable}: {reason[:1].lower()}{reason[1:]}{_choices(kind, field)}") from None


def _choices(kind: type[BaseSettings], field: str) -> str:
    """What a variable takes that is one of a few words; empty for others."""
    words = [word for word in get_args(get_type_hints(kind).get(field)) if isinstance(word, str) and word]
    return f"; take {' or '.join(words)}, or leave it out" if words else ""
