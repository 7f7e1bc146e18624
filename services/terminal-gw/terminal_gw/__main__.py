"""`python -m terminal_gw`: the terminal gateway as a process."""

from __future__ import annotations

from runtime.service import run
from terminal_gw.app import wire
from terminal_gw.settings import Settings
from world import nats_seed

if __name__ == "__main__":
    run("terminal-gw", Settings, wire, seed_of=nats_seed)
