"""`python -m settlement`."""

from __future__ import annotations

from runtime.service import run
from settlement.app import wire
from settlement.settings import Settings
from world import nats_seed

if __name__ == "__main__":
    run("settlement", Settings, wire, seed_of=nats_seed)
