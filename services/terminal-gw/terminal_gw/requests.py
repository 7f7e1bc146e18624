"""What a handler of one message kind works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from contracts.response_codes import SYSTEM_MALFUNCTION
from iso8583 import Field60, Message
from runtime.trace_context import TraceContext
from runtime.tracing import Span, Tracer
from security_module import SecurityModule
from terminal_gw.admission import Admission
from terminal_gw.answers import Answer, Refusal
from terminal_gw.downloaded import Downloads
from terminal_gw.keyring import Keyring
from terminal_gw.masters import Masters
from terminal_gw.sessions import Sessions
from terminal_gw.stop_versions import StopVersions
from terminal_gw.switch import Silence, Switch
from terminal_gw.terminal_keys import MessageKeys
from world import Terminal, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The collaborators, made once."""

    world: World
    module: SecurityModule
    keyring: Keyring
    masters: Masters
    sessions: Sessions
    stops: StopVersions
    downloads: Downloads
    switch: Switch
    admission: Admission
    tracer: Tracer
    now_ms: Callable[[], int]


class Ingress(NamedTuple):
    """Where a message came in: `tcp` or `nats`, from whom, in which trace, and when."""

    name: str
    peer: str
    trace: TraceContext | None = None
    came_s: float | None = None
    """When it had come, on the monotonic clock; None: now. On a busy host a message waits before anybody looks at it."""


class Exchange(NamedTuple):
    """A message that has passed the checks, with what they found out."""

    message: Message
    terminal: Terminal
    keys: MessageKeys | None
    """Those of its MAC; None where its kind carries none."""
    sixty: Field60
    span: Span
    came_s: float
    """When it had come, on the monotonic clock."""


Handler = Callable[[Desk, Exchange], Awaitable[Answer | Refusal | None]]
"""None: the outcome is unknown, so nothing is said and the connection is closed."""


def from_silence(silence: Silence) -> Refusal | None:
    """What the terminal hears when the switch said nothing; None: nothing, its connection is closed."""
    if silence is Silence.UNKNOWN:
        return None
    return Refusal(SYSTEM_MALFUNCTION, "switch", f"nobody took the request: {silence.value}")
