"""`lianji` with a broker that syncs every two minutes, its default: what the trial must find when appends are acknowledged unsynced."""

from __future__ import annotations

from lianji import broker
from lianji.__main__ import main

SYNCED, UNSYNCED = "sync_interval: always", "sync_interval: 2m"

if __name__ == "__main__":
    if SYNCED not in broker.CONFIG:
        raise SystemExit(f"the broker's settings no longer say `{SYNCED}`")
    broker.CONFIG = broker.CONFIG.replace(SYNCED, UNSYNCED)
    main()
