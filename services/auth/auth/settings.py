"""What the switch takes from the environment (LIANJI_ISSUER_TIMEOUT_S and so on)."""

from __future__ import annotations

from runtime.settings import BaseSettings


class Settings(BaseSettings, frozen=True, kw_only=True):
    issuer_timeout_s: float = 10.0
    """How long an issuer may take; then the transaction is reversed."""
    recall_timeout_s: float = 4.0
    """How long the settlement ledger may take to say what it knows of a transaction that is forgotten here. Together with the issuer's time it is
    less than the gateway waits."""
    concurrency: int = 512
    """Requests in hand per subject; more wait in the connection."""
    switch_rules: str = ""
    """A file of the switch's own rules (docs/switch-rules.md); empty: those of the test world, which are none."""
    shards: str = ""
    """Shards to contend for, comma-separated; empty: all of the world's."""
