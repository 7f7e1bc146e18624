"""`lianji permissions`: the broker's users and their rights, as nats-server reads them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lianji.errors import CliError
from lianji.permissions import OWN_KEYS, everybody, users, world_users
from runtime.nkeys import RAW_BYTES, Nkey, NkeyError, read_seed
from runtime.rights import configuration
from world import built_in


def register(app: typer.Typer) -> None:
    @app.command()
    def permissions(
        keys: Annotated[
            Path | None,
            typer.Option(
                help="Directory with a seed for each identity, <identity>.nk; what is missing is made. Left out: the test world's keys.",
                file_okay=False,
            ),
        ] = None,
    ) -> None:
        """Print who may connect to the broker and what each may do, for nats-server's configuration (deploy/nats-users.conf)."""
        if keys is None:
            print(world_users(), end="")
            return
        print(OWN_KEYS + configuration(users(everybody(built_in()), lambda identity: _kept(keys, identity))), end="")


def _kept(directory: Path, identity: str) -> Nkey:
    """The key in `<identity>.nk`, which is made, for its owner's eyes only, when it is not there; raises CliError."""
    path = directory / f"{identity}.nk"
    try:
        if not path.exists():
            directory.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(Nkey(os.urandom(RAW_BYTES)).seed + "\n")
        return read_seed(path)
    except OSError as error:
        raise CliError(f"keys: {path} cannot be made: {error.strerror}") from None
    except NkeyError as error:
        raise CliError(f"keys: {error}") from None
