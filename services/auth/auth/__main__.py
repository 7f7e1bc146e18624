"""`python -m auth`: the switch."""

from __future__ import annotations

from auth.app import wire
from auth.settings import Settings
from runtime.service import run
from world import nats_seed

if __name__ == "__main__":
    run("auth", Settings, wire, seed_of=nats_seed)
