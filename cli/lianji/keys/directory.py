"""Local master keys (LMK): a directory of files, one for each party, or the test world's public ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import world
from key_store import MasterKeyError, read_master_key
from key_store.master import FILE_VARIABLE, KEY_VARIABLE, TEST_WORLD, WORLD_VARIABLE
from lianji.errors import CliError
from security_module import Algorithm, Purpose, SecurityModule
from world import Party

PARTIES: tuple[Party, ...] = ("acquirer", "issuer")
LMK_BYTES = 32
HOLDERS: Mapping[str, Party] = {"terminal-gw": "acquirer", "issuer-sim": "issuer"}
"""The services that have a security module, and whose."""


class MasterKeys(NamedTuple):
    """The LMKs of both parties. The custodian of a stack like this one stands in for both; in earnest they would be two people."""

    acquirer: bytes
    issuer: bytes
    test_world: bool
    """Public keys: everything else may be public, too."""

    def __repr__(self) -> str:
        return "MasterKeys(****)"


def file_of(directory: Path, party: Party) -> Path:
    return directory / f"{party}.lmk"


def master_keys(directory: Path | None) -> MasterKeys:
    """Of a key directory; without one, the test world's. CliError names the file."""
    if directory is None:
        return MasterKeys(world.lmk("acquirer"), world.lmk("issuer"), True)
    try:
        acquirer, issuer = (read_master_key(file_of(directory, party), "keys") for party in PARTIES)
    except MasterKeyError as error:
        raise CliError(f"{error}; `lianji keys new` makes a key directory") from None
    return MasterKeys(acquirer, issuer, False)


def chosen_master_keys(directory: Path | None, environ: Mapping[str, str]) -> MasterKeys:
    """Like `master_keys`, for a broker whose stack nobody here has started: the test world has to be asked for by name."""
    if directory is None and environ.get(WORLD_VARIABLE, "") != TEST_WORLD:
        raise CliError(
            f"no local master keys: say --keys DIR (LIANJI_KEYS), made by `lianji keys new`, or set {WORLD_VARIABLE}={TEST_WORLD} "
            "to use the public keys of the test world"
        )
    return master_keys(directory)


def environment(directory: Path | None, service: str) -> dict[str, str]:
    """What a service is told of its LMK, when it has one: everything is set, so that nothing comes from elsewhere by chance."""
    party = HOLDERS.get(service)
    if party is None:
        return {FILE_VARIABLE: "", KEY_VARIABLE: ""}
    file = "" if directory is None else str(file_of(directory.resolve(), party))
    return {FILE_VARIABLE: file, KEY_VARIABLE: "", WORLD_VARIABLE: TEST_WORLD if directory is None else ""}


def make(directory: Path) -> dict[Party, str]:
    """New LMK files, and the check value of each; CliError, and nothing written, when there is one already."""
    there = next((path for path in (file_of(directory, party) for party in PARTIES) if path.exists()), None)
    if there is not None:
        raise CliError(f"{there}: is there already; a master key is never written over, take another directory")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return {party: _new(file_of(directory, party)) for party in PARTIES}
    except OSError as error:
        raise CliError(f"{error.filename}: {error.strerror}") from None


def _new(path: Path) -> str:
    key = os.urandom(LMK_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key.hex().upper() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return check_value(key)


def check_value(lmk: bytes) -> str:
    """Of an AES key as of any other: the CMAC of a zero block, 4 bytes in hex."""
    return SecurityModule(bytes(LMK_BYTES)).import_clear(Purpose.KEY_BLOCK, lmk, Algorithm.AES).check_value
