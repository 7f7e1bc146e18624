"""Settings of the settlement service, from LIANJI_* variables."""

from __future__ import annotations

from pathlib import Path

from runtime.scheduling import Scheduler
from runtime.settings import FOLLOWS, BaseSettings, Nice


class Settings(BaseSettings, frozen=True, kw_only=True):
    nice: Nice = FOLLOWS
    scheduler: Scheduler = "other"
    settlement_db: str = ""
    """SQLAlchemy URL of the ledger; empty: SQLite at `<data_dir>/settlement.db`."""

    @property
    def database_url(self) -> str:
        return self.settlement_db or f"sqlite:///{Path(self.data_dir).absolute() / 'settlement.db'}"
