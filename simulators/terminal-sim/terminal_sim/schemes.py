"""The seal that a terminal of the world has, by its scheme."""

from __future__ import annotations

import world
from terminal_sim.dukpt_seal import DukptSeal
from terminal_sim.seal import Seal, SessionSeal
from world import KeyScheme, Terminal


def seal_of(terminal: Terminal) -> Seal:
    """With the key that the world gives this terminal: its master key, or its initial key and serial number."""
    local = world.terminal_local_key(terminal.tid)
    if terminal.scheme is KeyScheme.SESSION:
        master = world.terminal_master_key(terminal.tid)
        return SessionSeal(local, master, terminal.mac_algorithm, terminal.pin_format)
    return DukptSeal(
        local,
        world.initial_key(terminal),
        world.initial_serial_number(terminal),
        cipher=terminal.scheme.cipher,
        algorithm=terminal.mac_algorithm,
        pin_format=terminal.pin_format,
    )
