"""`python -m auth`: the switch."""

from __future__ import annotations

from runtime.service import run

from auth.app import wire
from auth.settings import Settings

if __name__ == "__main__":
    run("auth", Settings, wire)
