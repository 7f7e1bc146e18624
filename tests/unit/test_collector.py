"""What the collector keeps, and what it refuses: the segments on disk, and the HTTP side over a real socket."""

from __future__ import annotations

import gzip
import http.client
import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from lianji.collector import door as door_module
from lianji.collector.door import CONNECTIONS, Door
from lianji.collector.segments import DiskError, Segments
from lianji.tracing.files import TraceFiles, segments_in
from runtime.collector_line import USER_AGENT
from tests.support_traces import Swipe, exported

BODY = exported(Swipe(1).rows).strip()

# ------------------------------------------------------------------ segments


def kept(directory: Path) -> list[bytes]:
    return b"".join(path.read_bytes() for path in segments_in(directory)).splitlines()


def test_bodies_are_lines_and_the_oldest_go(tmp_path: Path) -> None:
    limit = 10_000
    segments = Segments(tmp_path, limit)
    bodies = [b'{"n":%d,"x":"%s"}' % (number, b"x" * 300) for number in range(100)]
    for body in bodies:
        segments.write(body)
        assert sum(path.stat().st_size for path in segments_in(tmp_path)) <= limit
    lines = kept(tmp_path)
    assert lines == bodies[-len(lines) :]
    assert len(lines) * len(bodies[-1]) > limit // 2, "and no more than need be"


def test_a_body_over_several_lines_is_one_line(tmp_path: Path) -> None:
    segments = Segments(tmp_path, 1000)
    segments.write(b'{\n "a": "b\\n"\n}')
    (line,) = kept(tmp_path)
    assert msgspec.json.decode(line) == {"a": "b\n"}


def test_a_body_larger_than_a_segment_has_one_of_its_own(tmp_path: Path) -> None:
    segments = Segments(tmp_path, 80)
    for body in (b"{}", b"1" * 50, b"2" * 50):
        segments.write(body)
    assert kept(tmp_path)[-1] == b"2" * 50


def test_a_new_process_begins_a_segment_and_leaves_a_torn_line_behind(tmp_path: Path) -> None:
    Segments(tmp_path, 100_000).write(BODY)
    first = segments_in(tmp_path)[-1]
    with first.open("ab") as file:
        file.write(BODY[:50])
    Segments(tmp_path, 100_000).write(BODY)
    assert len(segments_in(tmp_path)) == 2
    files = TraceFiles(tmp_path.parent)
    files.directory = tmp_path
    rows = [row for segment in files.segments() for row in files.rows(segment.path)]
    assert Counter(row.span_id for row in rows) == {row.span_id: 2 for row in Swipe(1).rows}
    assert files.unreadable == 0


def test_what_is_no_segment_is_let_be(tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_bytes(b"x" * 5000)
    segments = Segments(tmp_path, 1000)
    for _ in range(100):
        segments.write(b"y" * 100)
    assert (tmp_path / "notes.jsonl").exists()


def test_a_body_that_does_not_fit_the_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = Segments(tmp_path, 1_000_000)
    segments.write(b"{}")
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
        with pytest.raises(DiskError, match="in part"):
            segments.write(BODY)

        def full(fd: int, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        patch.setattr(os, "write", full)
        with pytest.raises(DiskError, match="No space left on device"):
            segments.write(BODY)
    segments.write(b"{}")
    assert kept(tmp_path) == [b"{}", b"{}"]


# ------------------------------------------------------------------ the door


class Answer(NamedTuple):
    status: int
    kind: str
    body: bytes


class Asker:
    """Somebody who sends traces."""

    def __init__(self, door: Door, directory: Path) -> None:
        self.door = door
        self.directory = directory

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.door.server_port, timeout=30)

    def post(self, body: Any, path: str = "/v1/traces", **headers: str) -> Answer:
        connection = self.connection()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, body, {"Content-Type": "application/json", **names})
        response = connection.getresponse()
        answer = Answer(response.status, response.headers["Content-Type"], response.read())
        connection.close()
        return answer


@pytest.fixture
def asker(tmp_path: Path) -> Iterator[Asker]:
    with Door(0, Segments(tmp_path, 1_000_000)) as door:
        thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Asker(door, tmp_path)
        door.shutdown()
        thread.join()


def test_json_is_kept_as_it_comes(asker: Asker) -> None:
    assert asker.post(BODY) == Answer(200, "application/json", b"{}")
    assert (
        asker.post(gzip.compress(BODY), Content_Encoding="gzip", Content_Type="application/json; charset=utf-8").status
        == 200
    )
    assert asker.post(iter([BODY[:100], BODY[100:]])).status == 200
    assert kept(asker.directory) == [BODY] * 3


def test_one_connection_serves_many(asker: Asker) -> None:
    connection = asker.connection()
    for _ in range(3):
        connection.request("POST", "/v1/traces", BODY, {"Content-Type": "application/json"})
        assert connection.getresponse().read() == b"{}"
    connection.close()
    assert len(kept(asker.directory)) == 3


def test_what_our_recorder_sends_is_not_read(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: bytes) -> None:
        raise AssertionError("was read")

    monkeypatch.setattr(door_module, "check_export", read)
    assert asker.post(BODY, User_Agent=USER_AGENT).status == 200
    assert kept(asker.directory) == [BODY]


def test_metrics_are_taken_and_let_go(asker: Asker) -> None:
    assert asker.post(b"{}", "/v1/metrics").status == 200
    assert asker.post(b"", "/v1/metrics", Content_Type="application/x-protobuf") == Answer(
        200, "application/x-protobuf", b""
    )
    assert kept(asker.directory) == []


@pytest.mark.parametrize(
    ("body", "path", "headers", "status", "reason"),
    [
        (BODY, "/v1/logs", {}, 404, "path: take /v1/traces or /v1/metrics"),
        (BODY, "/v1/traces", {"Content_Type": "text/plain"}, 415, "Content-Type: take application/json or"),
        (BODY, "/v1/traces", {"Content_Encoding": "br"}, 415, "Content-Encoding: take gzip, or none"),
        (BODY, "/v1/traces", {"Content_Encoding": "gzip"}, 400, "body: is not gzip"),
        (gzip.compress(BODY)[:-9], "/v1/traces", {"Content_Encoding": "gzip"}, 400, "body: the gzip ends too early"),
        (b"{", "/v1/traces", {}, 400, "body: "),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}', "/v1/traces", {}, 400, "traceId"),
        (BODY.replace(b'"startTimeUnixNano":"1', b'"startTimeUnixNano":"x'), "/v1/traces", {}, 400, "whole numbers"),
        (BODY.replace(b'"traceId":"0', b'"traceId":"g'), "/v1/traces", {}, 400, "ids must be hex"),
        (
            b"\xff\xff",
            "/v1/traces",
            {"Content_Type": "application/x-protobuf"},
            400,
            "body: is not an ExportTraceService",
        ),
        (b"", "/v1/traces", {"Content_Length": "-1"}, 411, "Content-Length: is missing"),
        (b"", "/v1/traces", {"Content_Length": "99999999999"}, 413, "body: larger than 16777216 bytes"),
        (gzip.compress(b" " * 17_000_000), "/v1/traces", {"Content_Encoding": "gzip"}, 413, "unpacked"),
    ],
)
def test_what_is_refused_says_why(
    asker: Asker, *, body: bytes, path: str, headers: dict[str, str], status: int, reason: str
) -> None:
    answer = asker.post(body, path, **headers)
    assert (answer.status, answer.kind) == (status, "application/json")
    said = msgspec.json.decode(answer.body)
    assert said["code"] == 3
    assert reason in said["message"]
    assert kept(asker.directory) == []
    assert asker.post(BODY).status == 200, "and it goes on"


def test_a_refusal_shows_nothing_of_the_body(asker: Asker) -> None:
    answer = asker.post(BODY.replace(b'"name":"verify MAC"', b'"name":6291010000000018'))
    assert answer.status == 400
    assert b"6291010000000018" not in answer.body
    assert b"$.resourceSpans[0].scopeSpans[0].spans[1].name" in answer.body


def test_a_full_disk_is_said_and_can_be_tried_again(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(_: bytes) -> None:
        raise DiskError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(asker.door.segments, "write", write)
        answer = asker.post(BODY)
    assert answer.status == 503
    assert msgspec.json.decode(answer.body) == {
        "code": 14,
        "message": "the traces cannot be written: No space left on device",
    }
    assert asker.post(BODY).status == 200


def test_more_connections_than_there_are_places_are_closed(asker: Asker) -> None:
    connections = [asker.connection() for _ in range(CONNECTIONS)]
    for connection in connections:
        connection.request("POST", "/v1/metrics", b"{}", {"Content-Type": "application/json"})
        assert connection.getresponse().read() == b"{}"
    with pytest.raises(OSError, match=r"reset|closed|Remote|Broken pipe"):
        asker.post(BODY)
    for connection in connections:
        connection.close()


def test_it_says_that_it_lives(asker: Asker) -> None:
    connection = asker.connection()
    connection.request("GET", "/healthz")
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b'{"alive":"ok"}\n')
    connection.request("GET", "/")
    assert connection.getresponse().status == 404
    connection.close()
