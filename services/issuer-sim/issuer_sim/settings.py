"""What the issuer simulator takes from the environment."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.settings import BaseSettings, SettingsError


class Settings(BaseSettings, frozen=True, kw_only=True):
    institutions: str = ""
    """Comma-separated institution ids; empty: every institution of the world."""
    scripted: bool = True
    """Whether some amounts have scripted answers (docs/issuer-simulator.md)."""
    keys_period_s: float = 5.0
    """How often the key rings are read again when no notice said that they changed."""


def chosen_institutions(setting: str, known: Iterable[str]) -> tuple[str, ...]:
    """The institutions to run, each once, in the order of the setting; SettingsError when one is not of the world."""
    every = tuple(known)
    named = tuple(dict.fromkeys(name.strip() for name in setting.split(",") if name.strip()))
    for name in named:
        if name not in every:
            raise SettingsError(f"LIANJI_INSTITUTIONS: {name!r} is not one of {', '.join(every)}")
    return named or every
