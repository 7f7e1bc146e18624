"""`lianji permissions`: the broker's users and their rights, as nats-server reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lianji.permissions import own_users, world_users


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
        print(world_users() if keys is None else own_users(keys), end="")
