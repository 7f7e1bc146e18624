"""A till opened at a terminal of the world: memory, keys and line put together."""

from __future__ import annotations

import ssl
from pathlib import Path

from terminal_sim.link import DEFAULT_TIMEOUT_S, Link
from terminal_sim.memory import TerminalMemory
from terminal_sim.schemes import seal_of
from terminal_sim.shaped import Shape
from terminal_sim.terminal import Terminal
from terminal_sim.till import Till
from world import Terminal as TerminalFacts


def open_till(
    facts: TerminalFacts,
    *,
    host: str,
    port: int,
    data_dir: str | Path,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    tls: ssl.SSLContext | None = None,
    shape: Shape | None = None,
) -> Till:
    """A terminal of the world as it stood when it was last used, over TLS with a context, on a bad line with a shape.

    TerminalBusyError when another process has it.
    """
    memory = TerminalMemory.open(data_dir, facts.tid)
    terminal = Terminal(
        tid=facts.tid, mid=facts.merchant, record=memory.record, seal=seal_of(facts), reader=facts.reader
    )
    own = None if shape is None else shape.at(facts.tid)
    return Till(terminal, memory, Link(host, port, timeout_s=timeout_s, tls=tls, shape=own))
