"""What a service tells of each question that it answers: `lianji.transaction.duration`, and one log line.

Both from the same facts, so that a line in the log, a point in a graph and a trace can be found from one another. A question that is left
unanswered counts as well, with the response code `none`; why, says the log line of whoever left it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType

from contracts.authorization import BALANCED, NOT_BALANCED, SETTLE_ERROR
from contracts.kinds import Kind
from contracts.response_codes import RESPONSE_CODES
from runtime import catalogue, logs
from runtime.logs import Logger
from runtime.metrics import NONE, Metrics
from runtime.tracing import Span

REVERSAL, SETTLEMENT, SIGN_ON, SIGN_OFF = "reversal", "settlement", "sign-on", "sign-off"
ECHO, STATUS, UPLOAD, DOWNLOAD = "echo", "status", "upload", "download"
SCRIPT_RESULTS = "script-results"
REPORT, STOP_NOTICE, STOP_LIST, STOP_CHECK = "report", "stop-notice", "stop-list", "stop-check"
_OTHERS = (REVERSAL, SETTLEMENT, SIGN_ON, SIGN_OFF, ECHO, STATUS, UPLOAD, DOWNLOAD, SCRIPT_RESULTS)
_STOPPING = (REPORT, STOP_NOTICE, STOP_LIST, STOP_CHECK)
KINDS = frozenset({*(kind.value for kind in Kind), *_OTHERS, *_STOPPING})
CODES = frozenset({*RESPONSE_CODES, BALANCED, NOT_BALANCED, SETTLE_ERROR, NONE})
"""Field 39, and of a settlement the result digit of field 48."""


class Transactions:
    """Of one service; `institutions` are the banks that there are."""

    def __init__(self, metrics: Metrics, log: Logger, institutions: Iterable[str]) -> None:
        known = {"kind": KINDS, "response_code": CODES, "institution": frozenset(institutions)}
        self.duration = metrics.histogram(catalogue.TRANSACTION_DURATION, known)
        self.log = log

    def begin(self, kind: str, institution: str = "", *, waited_s: float = 0.0) -> Transaction:
        """To be used as a context: what has not been `answered` at its end was left unanswered. It may have waited before anybody looked at it."""
        return Transaction(self, kind, institution, waited_s)


class Transaction:
    """One question on its way to its answer. Kind and institution may be told when they are known."""

    __slots__ = ("_ended", "_of", "_started", "institution", "kind")

    def __init__(self, of: Transactions, kind: str, institution: str, waited_s: float) -> None:
        self._of = of
        self._started = time.perf_counter() - waited_s
        self._ended = False
        self.kind = kind
        self.institution = institution

    def answered(self, event: str, code: str, span: Span | None, **facts: object) -> None:
        """The answer is made: its duration is counted, and its line written, with `facts` beside what every line says."""
        said = self._end(code, span)
        said.update(facts)
        logs.say(self._of.log, event, said)

    def refused(self, event: str, code: str, span: Span | None, **facts: object) -> None:
        """The same as a warning: an answer that nothing was asked for, because the question was not as it should be."""
        self._of.log.warning(event, **self._end(code, span), **facts)

    def _end(self, code: str, span: Span | None) -> dict[str, object]:
        duration = time.perf_counter() - self._started
        self._ended = True
        self._of.duration.of(self.kind, code, self.institution).record(duration, span)
        return {
            "kind": self.kind,
            "response_code": code,
            "institution": self.institution,
            "duration_ms": round(duration * 1000, 2),
            "trace_id": span.trace_id if span is not None else "",
        }

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not self._ended:
            self._of.duration.of(self.kind, NONE, self.institution).record(time.perf_counter() - self._started)
