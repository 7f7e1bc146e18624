"""`python -m receipts`."""

from __future__ import annotations

from receipts.app import wire
from receipts.settings import Settings
from runtime.service import run
from world import nats_seed

if __name__ == "__main__":
    run("receipts", Settings, wire, seed_of=nats_seed)
