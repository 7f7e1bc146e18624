"""An event loop on virtual time: when nothing is ready, the clock jumps to the next timer.

Everything that a loop leaves to chance is left to nothing here: callbacks run in the order in which they became due, a thread's work is
done in its turn, and tasks have hashes that do not depend on where they lie in memory.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import base_events
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from simulation.processes import PROCESS, Process

T = TypeVar("T")

START_NS = 1_000_000_000_000
"""What the monotonic clock shows at the beginning."""
STEP_NS = 1_000
"""What a callback takes: no two of them see the same time."""


class Stuck(Exception):  # noqa: N818 - says what has happened
    """Nothing is ready and no timer is set: what is awaited will never come."""


class _Task(asyncio.Task[T]):
    """A task whose hash is its number, so that sets of tasks have the same order in every run."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class Loop(base_events.BaseEventLoop):
    """asyncio's loop, without a selector. `now_ns` is the monotonic clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = START_NS
        self.steps = 0
        """Callbacks run so far."""
        self.network: Any = None
        self.worker_delay_s: Callable[[], float] = lambda: 0.0
        """How long the work of a thread takes."""
        self.on_fuse: Callable[[Process], None] | None = None
        self._due: list[tuple[int, int, asyncio.Handle]] = []
        self._numbers = 0
        self._tasks = 0
        self._over = False

    # ------------------------------------------------------------------ what asyncio asks of a loop
    # Its stubs tie the arguments to the callback (`*Ts`); nothing here looks at them.

    def time(self) -> float:
        return self.now_ns / 1e9

    def _process_events(self, event_list: Any) -> None:
        return

    def _write_to_self(self) -> None:
        return

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        return  # it is skipped when its time comes

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:  # type: ignore[override]
        self._check_closed()  # type: ignore[attr-defined]
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._numbers += 1
        if self._over:
            return timer
        heapq.heappush(self._due, (int(when * 1e9), self._numbers, timer))
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        handle = asyncio.Handle(callback, args, self, context)
        if not self._over:
            self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        return self.call_soon(callback, *args, context=context)

    def create_task(
        self, coro: Any, *, name: Any = None, context: Context | None = None, **_: Any
    ) -> asyncio.Task[Any]:
        task: _Task[Any] = _Task(coro, loop=self, name=name, context=context)
        self._tasks += 1
        task.number = self._tasks
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is not None:
            process.remains.append(task)
        return task

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """The work is done in one piece, after a while: whoever is killed before that has not done it."""
        future: asyncio.Future[Any] = self.create_future()

        def work() -> None:
            if future.cancelled():
                return
            try:
                result = func(*args)
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_later(self.worker_delay_s(), work)
        return future

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        process = PROCESS.get()
        if process is not None:
            process.signals[sig] = lambda: callback(*args)

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        return await self.network.connect(protocol_factory, int(port))

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        return self.network.listen(protocol_factory, int(port or 0))

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's own signature
        return

    # ------------------------------------------------------------------ one turn

    def _run_once(self) -> None:
        ready, due = self._ready, self._due  # type: ignore[attr-defined]
        if not ready:
            while due and due[0][2].cancelled():
                heapq.heappop(due)
            if not due:
                raise Stuck("nothing is ready, and no timer is set")
            self.now_ns = max(self.now_ns, due[0][0])
        while due and due[0][0] <= self.now_ns:
            ready.append(heapq.heappop(due)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                self._turn(handle)
            if self._stopping:  # type: ignore[attr-defined]
                return

    def _turn(self, handle: Any) -> None:
        process = handle._context.get(PROCESS)
        if process is not None:
            if not process.alive:
                process.remains.append(handle)
                return
            if process.paused:
                process.waiting.append(handle)
                return
            if process.fuse:
                process.fuse -= 1
                if not process.fuse and self.on_fuse is not None:
                    process.remains.append(handle)
                    self.on_fuse(process)
                    return
        self.steps += 1
        self.now_ns += STEP_NS
        handle._run()

    def resume(self, process: Process) -> None:
        """SIGCONT: everything that has become due meanwhile runs now, in its order."""
        process.paused = False
        waiting, process.waiting = process.waiting, []
        self._ready.extend(waiting)  # type: ignore[attr-defined]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs until `work` is done. What is left over stays where it is."""
        return self.run_until_complete(work)

    def abandon(self) -> None:
        """The end of everything: nothing runs any more, whatever is freed from now on."""
        self._over = True
        self.network = self.on_fuse = None
        self.set_exception_handler(lambda _, __: None)
        self._due.clear()
        self._ready.clear()  # type: ignore[attr-defined]
