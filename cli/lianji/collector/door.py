"""The HTTP side of the collector (OTLP specification, OTLP/HTTP): JSON and protobuf, plain or gzip, on the loopback address.

Bodies of our own recorder are kept as they come, unread: they are many. Those of others are read once, so that a simulator's developer
learns at once what is wrong with one. Metrics are taken and let go.
"""

from __future__ import annotations

import socketserver
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from lianji.collector.protobuf import UnreadableBodyError, as_json
from lianji.collector.segments import DiskError, Segments
from lianji.ports import LOOPBACK
from lianji.tracing.rows import check_export
from runtime import logs
from runtime.collector_line import USER_AGENT

log = logs.get("collector")

TRACES, METRICS = "/v1/traces", "/v1/metrics"
JSON, PROTOBUF = "application/json", "application/x-protobuf"
LARGEST_BODY_BYTES = 16 * 1024 * 1024
"""As it is sent, and unpacked."""
IDLE_S = 60.0
"""How long a connection may say nothing, also in the middle of a request."""
CONNECTIONS = 64
INVALID_ARGUMENT, UNAVAILABLE = 3, 14
"""Codes of google.rpc.Status, which is what an error's body holds."""


class RefusedError(Exception):
    """A request is not served: HTTP status and the reason, for the sender."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Door(ThreadingHTTPServer):
    """Serves from `serve_forever` until `shutdown`; a thread for each connection."""

    daemon_threads = True
    request_queue_size = CONNECTIONS

    def __init__(self, port: int, segments: Segments) -> None:
        self.segments = segments
        self._places = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__((LOOPBACK, port), _Exchange)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own asks the resolver for a name
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        log.warning("connection refused: too many at once", connections=CONNECTIONS)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.warning("connection lost", exc_info=True)


class _Exchange(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Lianji-collector", ""
    timeout = IDLE_S
    server: Door

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(200, JSON, b'{"alive":"ok"}\n')
        else:
            self._refuse(RefusedError(404, f"path: take POST {TRACES}"))

    def do_POST(self) -> None:
        try:
            body = self._body()
            kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind not in (JSON, PROTOBUF):
                raise RefusedError(415, f"Content-Type: take {JSON} or {PROTOBUF}")
            if self.path == TRACES:
                self._keep(kind, body)
            elif self.path != METRICS:
                raise RefusedError(404, f"path: take {TRACES} or {METRICS}")
        except RefusedError as refused:
            self._refuse(refused)
            return
        self._answer(200, kind, b"{}" if kind == JSON else b"")

    def _keep(self, kind: str, body: bytes) -> None:
        try:
            if kind == PROTOBUF:
                body = as_json(body)
            elif self.headers.get("User-Agent") != USER_AGENT:
                check_export(body)
            self.server.segments.write(body)
        except (UnreadableBodyError, msgspec.MsgspecError) as error:
            raise RefusedError(400, f"body: {error}") from None
        except DiskError as error:
            log.error("traces cannot be written", reason=str(error))
            raise RefusedError(503, f"the traces cannot be written: {error}") from None

    def _body(self) -> bytes:
        """What was sent, unpacked; raises RefusedError."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = self._chunks()
        else:
            length = self.headers.get("Content-Length", "")
            if not (length.isascii() and length.isdigit()):
                raise RefusedError(411, "Content-Length: is missing")
            body = self._read(int(length))
        encoding = self.headers.get("Content-Encoding", "identity").lower()
        if encoding == "gzip":
            return _unpacked(body)
        if encoding != "identity":
            raise RefusedError(415, "Content-Encoding: take gzip, or none")
        return body

    def _chunks(self) -> bytes:
        """RFC 9112, 7.1."""
        body = bytearray()
        while True:
            size = self.rfile.readline(64).partition(b";")[0].strip()
            try:
                length = int(size, 16)
            except ValueError:
                raise RefusedError(400, "Transfer-Encoding: a chunk's size cannot be read") from None
            if length == 0:
                while self.rfile.readline(1024).strip():
                    pass  # trailers
                return bytes(body)
            body += self._read(length, beside=len(body))
            self.rfile.readline(64)

    def _read(self, length: int, *, beside: int = 0) -> bytes:
        if not 0 <= length <= LARGEST_BODY_BYTES - beside:
            raise RefusedError(413, f"body: larger than {LARGEST_BODY_BYTES} bytes")
        body = self.rfile.read(length)
        if len(body) < length:
            raise RefusedError(400, "body: shorter than was said")
        return body

    def _refuse(self, refused: RefusedError) -> None:
        """What is left of the request is not read, so the connection ends with it."""
        log.warning("request refused", status=refused.status, reason=refused.reason)
        self.close_connection = True
        code = UNAVAILABLE if refused.status == 503 else INVALID_ARGUMENT
        self._answer(refused.status, JSON, msgspec.json.encode({"code": code, "message": refused.reason}) + b"\n")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """What is worth a line has been said."""


def _unpacked(body: bytes) -> bytes:
    """Raises RefusedError for what is no gzip, or too large a one."""
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = unpacking.decompress(body, LARGEST_BODY_BYTES + 1)
    except zlib.error:
        raise RefusedError(400, "body: is not gzip") from None
    if len(plain) > LARGEST_BODY_BYTES:
        raise RefusedError(413, f"body: larger than {LARGEST_BODY_BYTES} bytes, unpacked")
    if not unpacking.eof:
        raise RefusedError(400, "body: the gzip ends too early")
    return plain
