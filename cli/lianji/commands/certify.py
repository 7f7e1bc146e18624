"""`lianji certify`: a certification list, run against any host that speaks the terminal protocol."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from lianji import options
from lianji.certify import ALL, Case, Profile, ProfileError, Result, as_json, chosen, in_words, run
from lianji.certify.line import LineError
from lianji.certify.profile import of_test_world, read
from lianji.errors import CliError, WrongUseError


def register(app: typer.Typer) -> None:
    @app.command()
    def certify(
        host: Annotated[str, typer.Option(help="Of the host under test; left out: the stack's.")] = "",
        port: Annotated[int, typer.Option(help="Its port.", min=1, max=65535)] = 8583,
        profile: Annotated[
            Path | None,
            typer.Option(
                help="Terminals, cards and keys, a TOML file (docs/certification.md); left out: the test world's."
            ),
        ] = None,
        only: Annotated[str, typer.Option(help="Cases whose name fits the pattern, like 'void/*'.")] = "",
        every: Annotated[bool, typer.Option("--list", help="List the cases, and run none.")] = False,
        json: Annotated[Path | None, typer.Option(help="Write the report to this file, too, as JSON.")] = None,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        gateway: options.Gateway = "",
    ) -> None:
        """Run a certification list against a host that speaks the terminal protocol. Exits 0 when no case has failed.

        It closes the batches of the terminals that it uses: run it against a host under test, not one in use.
        """
        cases = chosen(only)
        if not cases:
            raise WrongUseError(f"only: no case is called {only!r}; `lianji certify --list` has their names")
        if every:
            show_list(cases)
            return
        address = (host, port) if host else options.gateway_address(data_dir, gateway)
        known = _profile(profile)
        began = time.perf_counter()
        results = _run(known, address, cases, data_dir)
        facts = {"host": f"{address[0]}:{address[1]}", "profile": known.name, "took_s": time.perf_counter() - began}
        print(in_words(results, **facts))  # type: ignore[arg-type]
        if json is not None:
            _write(json, msgspec.json.format(msgspec.json.encode(as_json(results, **facts))))  # type: ignore[arg-type]
        raise typer.Exit(0 if all(result.passed or result.skipped for result in results) else 1)


def show_list(cases: tuple[Case, ...]) -> None:
    """Name, title and chapters, a line each."""
    width = max(len(case.name) for case in cases)
    for case in cases:
        print(f"{case.name:<{width}}  {case.title} [{case.clause}]")
    print(f"{len(cases)} of {len(ALL)} cases")


def _profile(path: Path | None) -> Profile:
    try:
        return of_test_world() if path is None else read(path)
    except ProfileError as error:
        raise CliError(f"profile: {error}") from None


def _run(profile: Profile, address: tuple[str, int], cases: tuple[Case, ...], data_dir: Path) -> list[Result]:
    with Console(stderr=True, highlight=False).status("certifying") as status:
        try:
            return options.run(run(profile, *address, cases, data_dir, told=lambda r: status.update(r.case.name)))
        except LineError as error:
            raise CliError(f"host: {error}") from None


def _write(path: Path, report: bytes) -> None:
    try:
        path.write_bytes(report + b"\n")
    except OSError as error:
        raise CliError(f"json: {path} cannot be written: {error.strerror}") from None
