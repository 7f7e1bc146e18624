"""Where a process has its local master key (LMK) from: a file, the environment, or the public test world. Never from anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from key_store.errors import MasterKeyError

FILE_VARIABLE, KEY_VARIABLE, WORLD_VARIABLE = "LIANJI_LMK_FILE", "LIANJI_LMK", "LIANJI_WORLD"
TEST_WORLD = "test"
_BYTES = (16, 24, 32)
_LONGEST_FILE = 256


def local_master_key(environ: Mapping[str, str], test_world: Callable[[], bytes]) -> bytes:
    """The LMK of this process; MasterKeyError when it has none.

    LIANJI_LMK_FILE (a file of hexadecimal digits) comes before LIANJI_LMK (the digits), and that before `test_world`, which is asked only
    when LIANJI_WORLD says "test": a stack must never fall into public keys because a variable was forgotten.
    """
    if path := environ.get(FILE_VARIABLE, ""):
        return read_master_key(Path(path), FILE_VARIABLE)
    if digits := environ.get(KEY_VARIABLE, ""):
        return _parsed(digits, KEY_VARIABLE)
    world = environ.get(WORLD_VARIABLE, "")
    if world == TEST_WORLD:
        return test_world()
    if world:
        raise MasterKeyError(f"{WORLD_VARIABLE}: {world!r} is no world; {TEST_WORLD!r} is the only one")
    raise MasterKeyError(
        f"no local master key: set {FILE_VARIABLE} to a file made by `lianji keys new`, or {KEY_VARIABLE} to its digits, "
        f"or {WORLD_VARIABLE}={TEST_WORLD} to use the public keys of the test world"
    )


def read_master_key(path: Path, named: str) -> bytes:
    """The LMK in a file of hexadecimal digits; MasterKeyError, which names the variable or option `named` and the file."""
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_FILE + 1)
    except OSError as error:
        raise MasterKeyError(f"{named}: {path} cannot be read: {error.strerror}") from None
    if len(text) > _LONGEST_FILE:
        raise MasterKeyError(f"{named}: {path} is no key file: it is too long")
    return _parsed(text.decode("ascii", "replace"), f"{named}: {path}")


def _parsed(digits: str, named: str) -> bytes:
    try:
        key = bytes.fromhex(digits.strip())
    except ValueError:
        key = b""
    if len(key) not in _BYTES:
        raise MasterKeyError(f"{named}: a local master key is 32, 48 or 64 hexadecimal digits") from None
    return key
