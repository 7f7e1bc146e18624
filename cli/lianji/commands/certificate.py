"""`lianji certificate`: certificates of the test world, for terminals and for a gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

import world
from lianji import checks, options, secret_files
from lianji.certificates import CA_FILE, FOLDER, GATEWAY_FILE, Authority
from lianji.errors import CliError, WrongUseError
from lianji.tls_door import authority

TERMINALS = "terminals"


def register(app: typer.Typer) -> None:
    @app.command()
    def certificate(
        terminals: Annotated[
            list[str] | None, typer.Argument(metavar="TERMINAL...", help="Terminals of `lianji world`.")
        ] = None,
        every: Annotated[bool, typer.Option("--all", help="Every terminal of the world.")] = False,
        host: Annotated[
            list[str] | None,
            typer.Option(help="Also one for a gateway that is dialled by this name or address; may be repeated."),
        ] = None,
        to: Annotated[
            Path | None,
            typer.Option(help="Directory for the files; DATA-DIR/tls when left out.", callback=checks.data_dir),
        ] = None,
        out: Annotated[bool, typer.Option("--print", help="Print one terminal's PEM file, and write none.")] = False,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        json: options.Json = False,
    ) -> None:
        """Issue certificates of the test world: of a CA that DATA-DIR/tls holds, and that is made there on first use.

        Each file is all that one side needs: private key, certificate, CA. A terminal's common name is its number (mutual TLS).
        """
        numbers = _known(terminals or [], every)
        if out and (len(numbers) != 1 or host):
            raise WrongUseError("print: one terminal at a time")
        checks.make_data_dir(data_dir)
        folder = data_dir / FOLDER
        try:
            ca = authority(folder)
            if out:
                print(ca.terminal(numbers[0]).decode(), end="")
                return
            files = dict(_issue(ca, numbers, host or [], folder, to))
        except OSError as error:
            raise CliError(f"{'to' if to else 'data-dir'}: {error.filename}: {error.strerror}") from None
        if json:
            print(msgspec.json.encode({name: str(path) for name, path in files.items()}).decode())
        else:
            _show(files, numbers, data_dir)


def _known(numbers: list[str], every: bool) -> list[str]:
    everything = world.built_in()
    for number in numbers:
        if everything.terminal(number) is None:
            raise WrongUseError(f"terminal: there is no {number!r}; `lianji world` lists them")
    return [t.tid for t in everything.terminals] if every else numbers


def _issue(
    ca: Authority, numbers: list[str], hosts: list[str], folder: Path, to: Path | None
) -> Iterator[tuple[str, Path]]:
    """What was written, by what it is for."""
    place = to or folder
    yield "ca", secret_files.write(place / CA_FILE, ca.pem) if to else folder / CA_FILE
    if hosts:
        try:
            yield "gateway", secret_files.write(place / GATEWAY_FILE, ca.gateway(hosts))
        except ValueError:
            raise WrongUseError(f"host: {', '.join(hosts)}: not all are host names or addresses") from None
    for number in numbers:
        yield number, secret_files.write((to or folder / TERMINALS) / f"{number}.pem", ca.terminal(number))


def _show(files: dict[str, Path], numbers: list[str], data_dir: Path) -> None:
    print(f"CA         {files['ca']} (of the test world: good for nothing else)")
    if "gateway" in files:
        print(f"gateway    {files['gateway']}")
    if len(numbers) > 1:
        print(f"terminals  {len(numbers)} in {files[numbers[0]].parent}")
    elif numbers:
        option = "" if data_dir == options.DEFAULT_DATA_DIR else f" --data-dir {data_dir}"
        print(f"{numbers[0]}   {files[numbers[0]]}")
        print(
            f"next: lianji swipe{option} --terminal {numbers[0]} --card debit-1 --amount 12.34 --pin 123456 "
            f"--tls-ca {files['ca']} --tls-certificate {files[numbers[0]]}"
        )
