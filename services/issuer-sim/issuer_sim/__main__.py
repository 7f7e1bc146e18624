"""`python -m issuer_sim`: the issuer simulator as a process."""

from __future__ import annotations

from issuer_sim.app import wire
from issuer_sim.settings import Settings
from runtime.service import run

if __name__ == "__main__":
    run("issuer-sim", Settings, wire)
