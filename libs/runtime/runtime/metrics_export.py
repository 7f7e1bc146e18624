"""Export of metrics over OTLP/HTTP, for those who set the variables: whether, how often, and in a thread that holds up nobody.

`OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT` says where to, unless `OTEL_METRICS_EXPORTER` is `none`, and
`OTEL_METRIC_EXPORT_INTERVAL` how often, in milliseconds.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource

from runtime import logs
from runtime.metrics import ASK_S, Metrics

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData

log = logs.get("metrics")

INTERVAL_MS = 60_000
"""OpenTelemetry's default."""
HTTP_TIMEOUT_S = 2.0
_INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"
_EXPORTER_LOG = "opentelemetry.exporter.otlp.proto.http.metric_exporter"


def interval_s(environ: Mapping[str, str] = os.environ) -> float | None:
    """Seconds between two exports; None when metrics go nowhere.

    An interval that cannot be read is said and left out, as OpenTelemetry's specification asks.
    """
    endpoint = environ.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not endpoint or environ.get("OTEL_METRICS_EXPORTER", "otlp") == "none" or _disabled(environ):
        return None
    text = environ.get(_INTERVAL, "")
    if text and not (text.isascii() and text.isdigit() and int(text) > 0):
        log.warning("a variable cannot be read, its default is taken", variable=_INTERVAL, default=INTERVAL_MS)
        text = ""
    return int(text or INTERVAL_MS) / 1000


def _disabled(environ: Mapping[str, str]) -> bool:
    return environ.get("OTEL_SDK_DISABLED", "").lower() == "true"


class MetricsExport:
    """Exports every so often, and once more when the process stops, as far as the collector answers."""

    def __init__(self, metrics: Metrics, resource: Resource, interval: float) -> None:
        """`interval` in seconds."""
        self._metrics = metrics
        self._resource = resource
        self._interval = interval
        self._stopping = threading.Event()
        self._reachable = True
        self._loop = asyncio.get_running_loop()
        # A daemon: a collector that does not answer must not hold up the process's end.
        self._thread = threading.Thread(target=self._run, name="metrics export", daemon=True)
        logging.getLogger(_EXPORTER_LOG).setLevel(logging.CRITICAL)  # it is said here, once for each outage
        self._thread.start()

    async def stop(self) -> None:
        """A last export, waited for as long as one may take; none to a collector that did not answer the last time."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join, HTTP_TIMEOUT_S if self._reachable else 0)

    def _run(self) -> None:
        from runtime import metrics_otlp  # noqa: PLC0415 - only for those who export

        exporter = metrics_otlp.exporter(HTTP_TIMEOUT_S)
        while not self._stopping.wait(self._interval):
            self._export(exporter)
        if self._reachable:
            self._export(exporter)

    def _export(self, exporter: MetricExporter) -> None:
        reading = asyncio.run_coroutine_threadsafe(self._read(), self._loop)
        try:
            data = reading.result(2 * ASK_S)
        except TimeoutError:  # the loop has other things to do: the next one will tell
            reading.cancel()
            return
        taken = exporter.export(data, timeout_millis=HTTP_TIMEOUT_S * 1000).name == "SUCCESS"
        if self._reachable and not taken:
            log.warning("metrics collector not reachable, metrics are not exported until it answers")
        self._reachable = taken

    async def _read(self) -> MetricsData:
        from runtime import metrics_otlp  # noqa: PLC0415 - see above

        reading = await self._metrics.read()
        return metrics_otlp.exported(reading, self._resource, started_ns=self._metrics.started_ns, at_ns=time.time_ns())
