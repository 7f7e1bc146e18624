"""A TCP port that is ours from the moment it is chosen, though the process that listens there comes later, and again after each restart.

A port that is only looked at may be gone by then: to another stack that starts, or to the near end of anybody's connection.
"""

from __future__ import annotations

import socket
import sys

LOOPBACK = "127.0.0.1"


class PortTakenError(Exception):
    """The port cannot be had; the message says why, in the words that follow its number."""


class HeldPort:
    """A port of the loopback address, held until `release`.

    Bound and not listened on: for strangers it is taken. Who is to listen there is handed the socket itself (`descriptor`), or binds
    the port too and allows the reuse of addresses, as asyncio does. Once somebody has listened on the handed socket it listens as long as it
    is held: what dials in between two processes waits for the second. Other stacks share as well, so among them it is told apart by a
    name in Linux's abstract socket namespace (unix(7)), which goes with the process.
    """

    def __init__(self, number: int = 0) -> None:
        """The port `number`, or with 0 any; raises PortTakenError."""
        self._bound = socket.socket()
        self._claim = socket.socket(socket.AF_UNIX)
        try:
            self._bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._bound.bind((LOOPBACK, number))
            self.number = int(self._bound.getsockname()[1])
            if sys.platform == "linux":
                self._claim.bind(f"\0lianji-port-{self.number}")
        except PermissionError:
            self.release()
            raise PortTakenError("may not be taken by this user") from None
        except OSError:
            self.release()
            raise PortTakenError("is taken") from None

    @property
    def descriptor(self) -> int:
        """The bound socket, to be handed to a process that listens on it."""
        return self._bound.fileno()

    def release(self) -> None:
        self._bound.close()
        self._claim.close()
