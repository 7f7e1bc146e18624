"""How a command says that it cannot do its work."""

from __future__ import annotations


class CliError(Exception):
    """One clear line for the user: what is wrong and what to do. The command exits 1."""
