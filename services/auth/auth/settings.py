"""What the switch takes from the environment (LIANJI_ISSUER_TIMEOUT_S and so on)."""

from __future__ import annotations

from runtime.settings import BaseSettings


class Settings(BaseSettings, frozen=True, kw_only=True):
    issuer_timeout_s: float = 10.0
    """How long an issuer may take; then the transaction is reversed."""
    concurrency: int = 512
    """Requests in hand per subject; more wait in the connection."""
    shards: str = ""
    """Shards to contend for, comma-separated; empty: all of the world's."""
