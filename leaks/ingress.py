"""A terminal's line over NATS: the same bodies as on TCP, published in their JSON form on the terminal's subject."""

from __future__ import annotations

import asyncio

import iso8583
from iso8583 import FormatError
from runtime.bus import Bus, BusError
from terminal_sim import Link, LinkLostError


class IngressLink(Link):
    """Link without a connection of its own. What is not answered as a message counts as a broken line."""

    def __init__(self, bus: Bus, subject: str, timeout_s: float) -> None:
        super().__init__("nats", 0, timeout_s=timeout_s)
        self._bus = bus
        self._subject = subject
        self._asking: asyncio.Task[bytes] | None = None

    async def connect(self) -> bool:
        """Never a new line: the broker's is there all the time."""
        return False

    def send(self, body: bytes) -> asyncio.Future[bytes]:
        self._asking = asyncio.create_task(self._ask(body))
        return self._asking

    async def _ask(self, body: bytes) -> bytes:
        lost, self.drop_answers = bool(self.drop_answers), max(self.drop_answers - 1, 0)
        try:
            request = iso8583.to_json(iso8583.decode(body))
            answer = await self._bus.request(self._subject, request, timeout_s=self.timeout_s)
            if lost:
                raise LinkLostError("the answer was lost (on purpose)")
            return iso8583.encode(iso8583.from_json(answer))
        except (BusError, FormatError) as error:
            raise LinkLostError(type(error).__name__) from None

    def next(self) -> asyncio.Future[bytes]:
        """There is one answer to a request."""
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        waiter.set_exception(LinkLostError("no other answer comes"))
        return waiter

    def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
