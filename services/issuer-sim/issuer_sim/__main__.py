"""`python -m issuer_sim`: the issuer simulator as a process."""

from __future__ import annotations

from issuer_sim.app import identities, wire
from issuer_sim.settings import Settings
from runtime.service import run
from world import nats_seed

if __name__ == "__main__":
    run("issuer-sim", Settings, wire, seed_of=nats_seed, identities=identities)
