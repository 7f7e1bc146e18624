"""The `lianji` command. One file a command in lianji.commands; errors end as one clear line."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

import structlog
import typer

from lianji.commands import MODULES
from lianji.errors import CliError

DEBUG = "LIANJI_DEBUG"


def make_app() -> typer.Typer:
    """All commands, in the order in which a newcomer meets them."""
    app = typer.Typer(
        help="Lianji 联机: a card-acquiring stack that anyone can run.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name in MODULES:
        import_module(f"lianji.commands.{name}").register(app)
    return app


def main() -> None:
    """Runs one command: 0 done, 1 it could not do its work (one line says why), 2 it was called wrongly."""
    # A command's own output is for people; what the runtime logs would stand in its way, except for errors.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        make_app()()
    except CliError as error:
        sys.stderr.write(f"lianji: {error}\n")
        raise SystemExit(1) from None
    except BrokenPipeError:
        raise SystemExit(1) from None  # whoever read the output has gone
    except Exception as error:
        if os.environ.get(DEBUG):
            traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        sys.stderr.write(
            f"lianji: unexpected {type(error).__name__} at {place}; set {DEBUG}=1 to see how it came there\n"
        )
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
