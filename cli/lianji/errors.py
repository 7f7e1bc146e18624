"""How a command says that it cannot do its work."""

from __future__ import annotations


class CliError(Exception):
    """One clear line for the user: what is wrong and what to do."""

    exit_code = 1


class WrongUseError(CliError):
    """The command was called wrongly; the line names the option."""

    exit_code = 2


class InterruptedByUserError(CliError):
    """Ctrl-C, or SIGTERM, before the work was done."""

    exit_code = 130
