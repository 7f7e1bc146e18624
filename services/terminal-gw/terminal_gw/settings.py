"""What the terminal gateway takes from the environment."""

from __future__ import annotations

from runtime.settings import BaseSettings
from terminal_gw.admission import MOST


class Settings(BaseSettings, frozen=True, kw_only=True):
    listen_host: str = "0.0.0.0"  # noqa: S104 - terminals dial in from outside
    listen_port: int = 8583
    """0 takes a free port, written to the run file as `listen`."""
    listen_fd: int = -1
    """Descriptor of a bound socket that whoever started the process has handed over, and shares with its predecessor and successor: what
    has dialled in and is not accepted yet is lost by neither. -1: none, the gateway binds `listen_port` itself."""
    tls_fd: int = -1
    """The same for the TLS door."""
    answer_timeout_s: float = 15.0
    """How long a request may wait for the switch; the switch itself gives the issuer 10 s."""
    tls_port: int = 0
    """Listens for TLS when there is a certificate; 0 takes a free port. Written to the run file as `tls`."""
    tls_certificate: str = ""
    """PEM file: the gateway's certificate and those between it and its CA. Empty: no TLS."""
    tls_key: str = ""
    """PEM file: the certificate's private key, without a password; empty: it is in the certificate's file."""
    tls_client_ca: str = ""
    """PEM file: who signs the terminals' certificates. Given: mutual TLS, a certificate's common name is its terminal's number."""
    handshake_timeout_s: float = 5.0
    """A TLS handshake is done within this, and so is its farewell."""
    frame_timeout_s: float = 5.0
    """A frame that has begun is whole within this."""
    idle_timeout_s: float = 120.0
    """A connection on which nothing happens is closed after this."""
    keys_period_s: float = 5.0
    """How often the key rings are read again when no notice said that they changed."""
    sales_in_hand: int = MOST
    """Sales at once, at most; more are refused with 96. While they wait too long, fewer (admission)."""
    switch_rules: str = ""
    """The file of the switch's own rules (docs/switch-rules.md): a terminal's floor limit is among its parameters. Empty: that of the test world."""
    connections_per_address: int = 2000
    connections: int = 5000
