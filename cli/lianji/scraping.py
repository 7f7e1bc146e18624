"""What the processes of a running stack tell on `/metrics`, as numbers by name and attributes."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from lianji.stackfile import StackFile

TIMEOUT_S = 10.0
"""A process asks its checks before it tells, for 2 s at most."""
_OPENMETRICS = "application/openmetrics-text; version=1.0.0"
_READY, _METRICS = "/readyz", "/metrics"


class Sample(NamedTuple):
    """One number of one process."""

    name: str
    labels: Mapping[str, str]
    value: float
    trace_id: str = ""
    """Of a bucket's exemplar."""


class Told(NamedTuple):
    """What one process tells."""

    process: str
    """Its name in the stack."""
    service: str
    samples: tuple[Sample, ...]
    at_s: float = 0.0
    """When it told, Unix seconds by the asker's clock."""

    def of(self, name: str) -> Iterator[Sample]:
        return (sample for sample in self.samples if sample.name == name)


async def scrape(stack: StackFile) -> tuple[list[Told], list[str]]:
    """What the processes tell, in the order of their names, and the names of those that do not answer."""
    urls = {name: process.health_url for name, process in sorted(stack.processes.items()) if process.health_url}
    pages = await asyncio.gather(
        *(asyncio.to_thread(_page, url.removesuffix(_READY) + _METRICS) for url in urls.values())
    )
    told = [parse(name, *page) for name, page in zip(urls, pages, strict=True) if page is not None]
    return told, [name for name, page in zip(urls, pages, strict=True) if page is None]


def _page(url: str) -> tuple[str, float] | None:
    """Text, and when it came."""
    request = urllib.request.Request(url, headers={"Accept": _OPENMETRICS})  # noqa: S310 - an address of the stack file
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return str(answer.read(), "utf-8"), time.time()
    except (urllib.error.URLError, OSError):
        return None


def readiness(url: str) -> tuple[bool, str]:
    """Whether the process that answers at this address (/readyz) is ready, and what it says of itself; not ready and nothing when none does."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - an address of a run file
            return True, str(answer.read(), "utf-8")
    except urllib.error.HTTPError as error:
        with error:
            return False, str(error.read(), "utf-8")
    except (OSError, ValueError):  # nobody listens there (any more), or it has written no address yet
        return False, ""


def parse(process: str, page: str, at_s: float = 0.0) -> Told:
    """The page of a process; raises ValueError when it is no OpenMetrics text."""
    samples = tuple(_samples(page))
    service = next((sample.labels["service_name"] for sample in samples if sample.name == "target_info"), process)
    return Told(process, service, samples, at_s)


def _samples(page: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(page):  # type: ignore[no-untyped-call]
        for sample in family.samples:
            exemplar = sample.exemplar.labels.get("trace_id", "") if sample.exemplar else ""
            yield Sample(sample.name, sample.labels, sample.value, exemplar)


def summed(told: Iterable[Told], name: str, *by: str) -> dict[tuple[str, ...], float]:
    """The sums of a metric over all processes, by some of its labels; `service` is the process's."""
    sums: dict[tuple[str, ...], float] = {}
    for one in told:
        for sample in one.of(name):
            key = tuple(one.service if label == "service" else sample.labels.get(label, "") for label in by)
            sums[key] = sums.get(key, 0.0) + sample.value
    return sums
