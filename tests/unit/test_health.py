"""The health port: checks, further pages, and what a hung check does to neither."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import structlog

from runtime import health
from runtime.health import Health


@pytest.fixture
async def port() -> AsyncIterator[Health]:
    served = Health()
    await served.start("127.0.0.1", 0)
    yield served
    await served.stop()


async def ask(port: int, text: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.encode())
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer.decode()


async def get(port: int, path: str, *headers: str) -> str:
    return await ask(port, "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]))


async def well() -> str:
    return ""


async def ill() -> str:
    return "the log is full"


async def test_readiness_names_what_does_not_hold(port: Health) -> None:
    port.check("broker", well)
    assert (await get(port.port, "/readyz")).startswith("HTTP/1.1 200 ")
    port.check("journal.v1.0", ill)
    answer = await get(port.port, "/readyz")
    assert answer.startswith("HTTP/1.1 503 ")
    assert '"broker":"ok"' in answer
    assert '"journal.v1.0":"the log is full"' in answer
    assert (await get(port.port, "/healthz")).startswith("HTTP/1.1 200 ")


async def test_a_page_gets_what_its_asker_accepts(port: Health) -> None:
    async def page(accept: str) -> tuple[str, bytes]:
        return "text/plain", f"<{accept}>".encode()

    port.page("/metrics", page)
    answer = await get(port.port, "/metrics", "ACCEPT: application/openmetrics-text;version=1.0.0")
    assert answer.endswith("<application/openmetrics-text;version=1.0.0>")
    assert "Content-Type: text/plain\r\n" in answer
    assert (await get(port.port, "/metrics")).endswith("<>")
    unknown = await get(port.port, "/metric")
    assert unknown.startswith("HTTP/1.1 404 ")
    assert "take /healthz or /readyz or /metrics" in unknown


async def test_a_page_that_fails_says_so_and_the_next_one_is_served(port: Health) -> None:
    async def broken(_: str) -> tuple[str, bytes]:
        raise KeyError("6291010000000018")

    port.page("/metrics", broken)
    with structlog.testing.capture_logs() as lines:
        answer = await get(port.port, "/metrics")
    assert answer.startswith("HTTP/1.1 500 ")
    assert "6291" not in answer
    assert [row["event"] for row in lines] == ["a page could not be made"]
    assert (await get(port.port, "/healthz")).startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize("text", ["nonsense\r\n\r\n", "GET /healthz\r\n\r\n"])
async def test_what_is_no_http_finds_nothing(port: Health, text: str) -> None:
    assert (await ask(port.port, text)).startswith("HTTP/1.1 404 ")


async def test_metrics_see_a_hung_check_though_they_do_not_wait_for_it(
    port: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: the append with which an owner proves itself never comes back."""
    monkeypatch.setattr(health, "TIMEOUT_S", 0.05)

    async def hung() -> str:
        return await asyncio.Event().wait() and "never"

    port.check("journal.v1.0", hung)
    port.check("broker", well)
    asking = asyncio.ensure_future(port.refresh())
    await asyncio.sleep(0)
    asking.cancel()  # whoever reads the metrics has waited long enough
    assert port.last() == []
    await port.refresh()
    assert dict(port.last()) == {("journal.v1.0",): 0.0, ("broker",): 1.0}


async def test_a_report_is_good_for_a_while(port: Health) -> None:
    asked = []

    async def counted() -> str:
        asked.append(1)
        return ""

    port.check("journal.v1.0", counted)
    await asyncio.gather(port.refresh(), port.refresh())
    await port.refresh()
    assert len(asked) == 1
    await get(port.port, "/readyz")
    assert len(asked) == 2, "who asks for readiness gets it new"
