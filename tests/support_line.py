"""A host at the far end of a line on virtual time: no socket, no clock but the loop's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from iso8583 import FrameReader, frame
from tests.support_time import VirtualLoop


class HostEnd(asyncio.Transport):
    """The host's end of one connection: what arrived and when, how it ended; answers each frame with `answer`, where there is one."""

    def __init__(self, line: asyncio.Protocol, answer: Callable[[bytes], bytes] | None = None) -> None:
        super().__init__()
        self.line = line
        self.arrived: list[tuple[float, bytes]] = []
        self.ended = ""
        self.reading = True
        self._answer = answer
        self._frames = FrameReader()

    @property
    def received(self) -> bytes:
        return b"".join(data for _, data in self.arrived)

    def write(self, data: Any) -> None:
        assert not self.ended
        self.arrived.append((asyncio.get_running_loop().time(), bytes(data)))
        if self._answer is None:
            return
        self._frames.push(bytes(data))
        while (body := self._frames.pop()) is not None:
            self.line.data_received(frame(self._answer(body)))

    def close(self) -> None:
        self._end("closed")

    def abort(self) -> None:
        self._end("aborted")

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def _end(self, how: str) -> None:
        if not self.ended:
            self.ended = how
            asyncio.get_running_loop().call_soon(self.line.connection_lost, None)


class LoopWithHost(VirtualLoop):
    """Whoever connects reaches a host that answers with `answer`."""

    answer: Callable[[bytes], bytes] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[HostEnd] = []

    async def create_connection(self, protocol_factory: Any, *_: Any, **__: Any) -> Any:  # type: ignore[override]
        line = protocol_factory()
        end = HostEnd(line, self.answer)
        self.ends.append(end)
        line.connection_made(end)
        return end, line
