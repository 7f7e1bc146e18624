"""Logs that the services of a stack have found damaged and do not serve: what is away with each, and what they say."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from contracts import subjects
from lianji import stackfile
from runtime.ownership import RESTORE
from world import World

TIMEOUT_S = 6.0
"""A readiness check takes 5 s at most."""


def found(data_dir: Path, services: Iterable[str]) -> dict[str, str]:
    """Log → what a service's /readyz says of it; of the services that answer. Blocks."""
    logs: dict[str, str] = {}
    for service in services:
        url = stackfile.health_url(data_dir, service)
        if url:
            logs |= {log: says for log, says in _not_ready(url).items() if RESTORE in says}
    return logs


def away_with(log: str, world: World) -> set[str]:
    """The subjects that nobody answers when nobody serves the log."""
    for shard in range(world.shards):
        if log == subjects.journal(shard):
            return {subjects.auth(shard, operation) for operation in subjects.AUTH_OPERATIONS}
    for institution in world.institutions:
        if log == subjects.ledger(institution.id):
            return {subjects.issuer(institution.id, operation) for operation in subjects.ISSUER_OPERATIONS}
    return set()


def _not_ready(url: str) -> dict[str, str]:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):  # noqa: S310 - an address of the run file
            return {}
    except urllib.error.HTTPError as error:
        try:
            rows: dict[str, str] = json.loads(error.read())
        except ValueError:
            return {}
        return rows
    except (urllib.error.URLError, OSError):
        return {}  # it is starting, or away: whoever asks, asks again
