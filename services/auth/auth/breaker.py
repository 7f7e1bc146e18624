"""Circuit breakers: a bank that has been silent several times in a row is asked no more, but for one request every few seconds.

Of one process and in its memory: which banks it asks is no fact of the journal, and another process finds out by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from runtime import logs
from runtime.bus import NotDelivered
from runtime.clock import monotonic_s

log = logs.get("auth")


class BreakerOpen(NotDelivered):
    """The bank was not asked."""


class Limits(NamedTuple):
    """When a breaker opens, and how long nobody asks then."""

    silences: int
    """In a row."""
    within_s: float
    """From the first of them to the last."""
    probe_s: float
    """Between two requests that are let through while it is open."""


class Breaker:
    """Of one bank. Closed it costs a look at one number."""

    def __init__(self, institution: str, limits: Limits, now_s: Callable[[], float] = monotonic_s) -> None:
        self._institution = institution
        self._limits = limits
        self._now_s = now_s
        self._silent_s: list[float] = []
        """When those of the last silences were that no answer has followed; no more than it takes to open."""
        self._probed_s: float | None = None
        """When a request was let through last, since it is open; None: it is closed."""
        self.refused = 0
        """Requests that were not let through."""

    @property
    def open(self) -> bool:
        return self._probed_s is not None

    def admit(self) -> None:
        """Raises BreakerOpen where the bank is not to be asked now."""
        if self._probed_s is None:
            return
        now_s = self._now_s()
        if now_s - self._probed_s < self._limits.probe_s:
            self.refused += 1
            raise BreakerOpen(f"{self._institution}: not asked, it has been silent")
        self._probed_s = now_s

    def answered(self) -> None:
        """It has said something, whatever it was."""
        if self._silent_s:
            self._silent_s.clear()
        if self._probed_s is not None:
            self._probed_s = None
            log.info("the bank answers again", institution=self._institution)

    def silent(self) -> None:
        """It has said nothing in its time."""
        if self._probed_s is not None:
            return
        now_s = self._now_s()
        self._silent_s = [*self._silent_s, now_s][-self._limits.silences :]
        if len(self._silent_s) == self._limits.silences and now_s - self._silent_s[0] <= self._limits.within_s:
            self._probed_s = now_s
            log.error("a silent bank is asked no more", institution=self._institution, silences=len(self._silent_s))


NO_BREAKERS: Mapping[str, Breaker] = MappingProxyType({})


def breakers(institutions: Iterable[str], limits: Limits | None) -> dict[str, Breaker]:
    """One for each bank; none where there are no limits."""
    return {institution: Breaker(institution, limits) for institution in institutions} if limits is not None else {}
