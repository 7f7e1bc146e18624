"""`python -m auth`: the switch."""

from __future__ import annotations

from auth.app import wire
from auth.settings import Settings
from runtime.service import run

if __name__ == "__main__":
    run("auth", Settings, wire)
