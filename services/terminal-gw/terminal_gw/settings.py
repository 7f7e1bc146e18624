"""What the terminal gateway takes from the environment."""

from __future__ import annotations

from runtime.settings import BaseSettings


class Settings(BaseSettings, frozen=True, kw_only=True):
    listen_host: str = "0.0.0.0"  # noqa: S104 - terminals dial in from outside
    listen_port: int = 8583
    """0 takes a free port, written to the run file as `listen`."""
    answer_timeout_s: float = 15.0
    """How long a request may wait for the switch; the switch itself gives the issuer 10 s."""
    frame_timeout_s: float = 5.0
    """A frame that has begun is whole within this."""
    idle_timeout_s: float = 120.0
    """A connection on which nothing happens is closed after this."""
    connections_per_address: int = 2000
    connections: int = 5000
