"""`lianji download`: parameters, CA public keys, IC parameters or the stop list to a terminal."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from contracts.response_codes import describe
from lianji import options, tls
from lianji.commands.swipe import open_terminal
from lianji.errors import CliError
from terminal_sim.download import CA_KEYS, IC_PARAMETERS, PARAMETERS, DownloadResult
from terminal_sim.stopped import STOP_LIST


class What(StrEnum):
    PARAMETERS = "parameters"
    CA_KEYS = "ca-keys"
    IC_PARAMETERS = "ic-parameters"
    STOP_LIST = "stop-list"


_CODES = {
    What.PARAMETERS: PARAMETERS,
    What.CA_KEYS: CA_KEYS,
    What.IC_PARAMETERS: IC_PARAMETERS,
    What.STOP_LIST: STOP_LIST,
}


def register(app: typer.Typer) -> None:
    @app.command()
    def download(
        what: Annotated[What, typer.Argument(help="What the terminal asks the host for.")],
        terminal: Annotated[str, typer.Option(help="A terminal of `lianji world`.")],
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        gateway: options.Gateway = "",
        tls_ca: tls.Ca = None,
        tls_certificate: tls.Certificate = None,
        tls_key: tls.PrivateKey = None,
        json: options.Json = False,
    ) -> None:
        """Let a terminal download, as it does by itself when the host has something newer for it."""
        line = tls.line(tls_ca, tls_certificate, tls_key)
        result = options.run(_download(data_dir, gateway, terminal, line, _CODES[what]))
        if json:
            print(msgspec.json.encode(result).decode())
        elif result.version:
            print(f"terminal {terminal}: {what.value} version {result.version}, {result.records} records")
        if not result.version:
            why = result.refused or (describe(result.rc) if result.rc else "no answer; download again")
            raise CliError(f"{what.value} not downloaded: {why}")


async def _download(data_dir: Path, gateway: str, terminal: str, line: tls.Tls | None, code: str) -> DownloadResult:
    till = open_terminal(data_dir, gateway, terminal, line)
    try:
        return await till.download(code)
    finally:
        till.shut()
