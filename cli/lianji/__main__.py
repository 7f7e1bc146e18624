"""The `lianji` command's way in. It imports as little as it can: a Ctrl-C during the imports of the rest must be one line, too."""

from __future__ import annotations

import sys
from importlib import import_module

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


def main() -> None:
    """Runs one command: 0 done, 1 it could not do its work (one line says why), 2 it was called wrongly, 130 interrupted."""
    try:
        code: int = import_module("lianji.app").run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("lianji: interrupted\n")
        code = INTERRUPTED
    raise SystemExit(code)


if __name__ == "__main__":
    main()
