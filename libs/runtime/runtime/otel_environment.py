"""The `OTEL_*` variables of exporting (OpenTelemetry specification, environment variable configuration).

They mean here what they mean there; times are milliseconds. A value that cannot be read is said and left out, as the specification asks.
Four defaults are our own: what a killed process has not exported is lost, so spans leave after 0.2 s instead of 5; thousands of swipes a
second need a longer queue than 2,048 and a larger batch than 512; and a collector that does not answer is given up after 2 s instead of 10.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from opentelemetry.util.re import parse_env_headers

from runtime import logs

log = logs.get("otel")

QUEUE_SIZE, BATCH_SIZE = 16_384, 2048
DELAY_MS, TIMEOUT_MS, SLOW_MS = 200, 2_000, 500


class Endpoint(NamedTuple):
    """Where one signal goes, and how it is sent there."""

    url: str
    """Empty: nowhere."""
    headers: dict[str, str]
    timeout_s: float
    gzip: bool
    ca_file: str
    """Empty: the system's."""


def endpoint(signal: str, environ: Mapping[str, str] | None = None) -> Endpoint:
    """Of `traces` or `metrics`: what is said for the signal goes before what is said for all."""
    environ = os.environ if environ is None else environ
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "")
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    url = own or (f"{base.rstrip('/')}/v1/{signal}" if base else "")
    if environ.get(f"OTEL_{signal.upper()}_EXPORTER", "otlp") == "none":
        url = ""
    elif url and not _is_http(url):
        log.warning(
            "not an address of a collector, nothing is exported", signal=signal, what_to_do="take http://HOST:PORT"
        )
        url = ""
    headers = _of(signal, "HEADERS", environ)
    return Endpoint(
        url=url,
        headers=dict(parse_env_headers(headers, liberal=True)) if headers else {},
        timeout_s=_number(_of(signal, "TIMEOUT", environ), TIMEOUT_MS, "OTEL_EXPORTER_OTLP_TIMEOUT") / 1000,
        gzip=_of(signal, "COMPRESSION", environ).lower() == "gzip",
        ca_file=_of(signal, "CERTIFICATE", environ),
    )


def queue_size(environ: Mapping[str, str] | None = None) -> int:
    """`OTEL_BSP_MAX_QUEUE_SIZE`: spans that wait to be exported, at most."""
    return _variable("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE_SIZE, environ)


def batch_size(environ: Mapping[str, str] | None = None) -> int:
    """`OTEL_BSP_MAX_EXPORT_BATCH_SIZE`: spans that are sent in one request, at most."""
    return _variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH_SIZE, environ)


def delay_s(environ: Mapping[str, str] | None = None) -> float:
    """`OTEL_BSP_SCHEDULE_DELAY`: seconds between two exports."""
    return _variable("OTEL_BSP_SCHEDULE_DELAY", DELAY_MS, environ) / 1000


def slow_ns(environ: Mapping[str, str] | None = None) -> int:
    """`LIANJI_TRACE_SLOW_MS`: from how long on a piece of work is kept in preference when room gets short, in nanoseconds."""
    return _variable("LIANJI_TRACE_SLOW_MS", SLOW_MS, environ) * 1_000_000


def _of(signal: str, what: str, environ: Mapping[str, str]) -> str:
    return environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{what}", "") or environ.get(
        f"OTEL_EXPORTER_OTLP_{what}", ""
    )


def _variable(name: str, default: int, environ: Mapping[str, str] | None) -> int:
    return _number((os.environ if environ is None else environ).get(name, ""), default, name)


def _number(text: str, default: int, name: str) -> int:
    if not text:
        return default
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    log.warning(
        "a variable cannot be read, its default is taken",
        variable=name,
        default=default,
        takes="a whole number above 0",
    )
    return default


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False
