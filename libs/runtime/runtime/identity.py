"""Who a process is at the broker: the name of its part (contracts.access) and the key that proves it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from runtime.nkeys import Nkey, NkeyError, read_seed
from runtime.settings import BaseSettings, SettingsError

FILE_VARIABLE, WORLD_VARIABLE = "LIANJI_NATS_NKEY_FILE", "LIANJI_WORLD"
TEST_WORLD: Literal["test"] = "test"
HOW_TO_GET_A_KEY = f"set {FILE_VARIABLE} to the file of its seed, or {WORLD_VARIABLE}={TEST_WORLD} for the test world's"

SeedOf = Callable[[str], bytes]
"""The test world's private key of an identity, 32 bytes."""


class Identity(NamedTuple):
    """A name, and its key; without one it can only connect to a broker that takes everybody."""

    name: str
    key: Nkey | None = None


def key_file(directory: Path, name: str) -> Path:
    """Where an identity's seed is in a directory of seeds."""
    return directory / f"{name}.nk"


def identity_for(name: str, settings: BaseSettings, test_seed: SeedOf) -> Identity:
    """The identity with the key of its file, else the test world's, else none. Raises SettingsError naming the variable."""
    if settings.nats_nkey_file:
        path = Path(settings.nats_nkey_file)
        try:
            return Identity(name, read_seed(key_file(path, name) if path.is_dir() else path))
        except NkeyError as error:
            raise SettingsError(f"{FILE_VARIABLE}: {error}") from None
    return Identity(name, Nkey(test_seed(name)) if settings.world == TEST_WORLD else None)


def identities_for(names: tuple[str, ...], settings: BaseSettings, test_seed: SeedOf) -> tuple[Identity, ...]:
    """One for each name. A file holds one key, so with a file that is no directory there may be only one. Raises SettingsError."""
    if settings.nats_nkey_file and len(names) > 1 and not Path(settings.nats_nkey_file).is_dir():
        raise SettingsError(
            f"{FILE_VARIABLE}: a file holds one key, and this process is {' and '.join(names)}: name a directory with one for each"
        )
    return tuple(identity_for(name, settings, test_seed) for name in names)
