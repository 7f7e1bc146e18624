"""All commands as one application. One file a command in lianji.commands; whatever goes wrong ends as one clear line."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import typer

from lianji.commands import MODULES
from lianji.errors import CliError
from runtime import coredumps, logs
from runtime.bus import BusError
from runtime.log import LogError

DEBUG = "LIANJI_DEBUG"
FAILED, INTERRUPTED = 1, 130


def make_app(command: str = "") -> typer.Typer:
    """All commands, in the order in which a newcomer meets them; or one of them alone, which takes a third of the time to import."""
    app = typer.Typer(
        help="Lianji 联机: a card-acquiring stack that anyone can run.",
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_of_several)
    for name in (command,) if command in MODULES else MODULES:
        import_module(f"lianji.commands.{name.replace('-', '_')}").register(app)
    return app


def _of_several() -> None:
    """A callback makes one command a command of several: typer would drop its name otherwise."""


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; raises KeyboardInterrupt when a Ctrl-C ended it."""
    coredumps.forbid()
    # A command's own output is for people; what the runtime logs would stand in its way, except for errors.
    logs.configure_for_people(sys.stderr)
    try:
        # Not standalone: typer would end the process itself, and write a usage error over several lines.
        code = make_app(arguments[0] if arguments else "")(
            args=list(arguments) or ["--help"], prog_name="lianji", standalone_mode=False
        )
    except CliError as error:
        return _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        command = f"lianji {arguments[0]}" if arguments and arguments[0] in MODULES else "lianji"
        return _fail(f"{_wrong_use(error)}; see `{command} --help`", error.exit_code)
    except (BusError, LogError):
        _debug()
        return _fail("broker: connection lost or no answer; is the stack up?", FAILED)
    except BrokenPipeError:
        return FAILED  # whoever read the output has gone
    except Exception as error:
        _debug()
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        what = f"unexpected {type(error).__name__} at {place}"
        return _fail(f"{what}; set {DEBUG}=1 to see how it came there", FAILED)
    if code == INTERRUPTED:  # what typer makes of a Ctrl-C; no command exits with it by itself
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _fail(text: str, code: int) -> int:
    """Says one line, behind what was printed before, whichever way the two streams go."""
    sys.stdout.flush()
    sys.stderr.write(f"lianji: {' '.join(text.split())}\n")
    return code


def _debug() -> None:
    if os.environ.get(DEBUG):
        traceback.print_exc()


def _wrong_use(error: typer.TyperException) -> str:
    """`card: missing`, `port: input should be a valid integer`, `card: requires an argument`, `no such option: --cart`."""
    if isinstance(error, typer.BadParameter) and error.param is not None:
        name, text = max(error.param.opts, key=len), error.message or "missing"
    else:
        name, text = getattr(error, "option_name", ""), error.format_message()
        start = f"Option {name!r} "
        name, text = (name, text[len(start) :]) if text.startswith(start) else ("", text)
    text = text[:1].lower() + text[1:].rstrip(".")
    return f"{name.lstrip('-')}: {text}" if name else text
