"""A gate between phone and server: open, shut, a captive portal, a line that hangs, a gateway that errs.

Switching a browser offline misses much of what really happens on the road; this does it on the wire.
"""

from __future__ import annotations

import gzip
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"}
PORTAL = b"<!doctype html><title>Free wi-fi</title><h1>Welcome. Please accept the terms.</h1>"
PUSHES = ("/api/sync/push", "/api/sync/sealed")
Rewrite = Callable[[bytes], bytes]


class Drip:
    """An answer that comes as far as it is let, and may be cut there."""

    def __init__(self) -> None:
        self._let, self._cut, self._moved = 0.0, False, threading.Condition()

    def let(self, share: float) -> None:
        """So much of it, of 1, has passed the gate when the phone looks next."""
        with self._moved:
            self._let = share
            self._moved.notify_all()

    def cut(self) -> None:
        with self._moved:
            self._cut = True
            self._moved.notify_all()

    def pieces(self, content: bytes) -> Iterator[bytes]:
        sent = 0
        while sent < len(content):
            upto = self._wait(sent, len(content))
            yield content[sent:upto]
            sent = upto

    def _wait(self, sent: int, size: int) -> int:
        with self._moved:
            moved = self._moved.wait_for(lambda: self._cut or int(self._let * size) > sent, timeout=60)
            if self._cut or not moved:
                raise ConnectionResetError
            return int(self._let * size)


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that was killed in the middle of a request is no news."""


class Gate:
    """Listens on a port of its own and passes requests on to `server_url`, unless told otherwise."""

    def __init__(self, server_url: str) -> None:
        self.point_to(server_url)
        self.mode = "open"  # open, shut, portal, hang, lose (does the work, loses the answer)
        self.rewrite: dict[str, Rewrite] = {}
        self.strip: set[str] = set()  # names of headers, in lower case, that do not come through
        self.spoiled: dict[str, str] = {}  # a mode for one path alone
        self.held: dict[str, threading.Event] = {}  # answers of a path that wait for the event
        self.drips: dict[str, Drip] = {}  # the next answer of a path comes piece by piece
        self.seen: list[tuple[str, str]] = []  # (method, path) that reached the server
        self.pushed: list[list[str]] = []  # the op_ids of each push that reached the server
        # Called with "came" (True drops the request) and "done" (the server did it; True drops the answer).
        self.at_push: Callable[[str], bool] | None = None
        self.lies = 0
        self.faults = 0
        self.released = threading.Event()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                gate.handle(self)

            do_POST = do_GET

            def log_message(self, *args: object) -> None:
                pass

        self.httpd = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}"
        self.thread = threading.Thread(target=self.httpd.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.released.set()
        for waiting in self.held.values():
            waiting.set()
        self.httpd.shutdown()
        self.httpd.server_close()

    def point_to(self, server_url: str) -> None:
        """From now on another server answers at the same address."""
        self.target = urlsplit(server_url).netloc

    def turn(self, mode: str) -> None:
        """Open, shut or spoil the line; requests that hung go on as the line is now."""
        if mode == "hang":
            self.released.clear()
            self.mode = mode
        else:
            self.mode = mode
            self.released.set()

    def mode_of(self, path: str) -> str:
        return self.spoiled.get(path, self.mode)

    def open(self) -> None:
        self.turn("open")

    def hang(self) -> None:
        self.turn("hang")

    def lie(self, times: int) -> None:
        """Answer so many pushes as if all of them had been applied, and pass none of it on."""
        self.lies = times

    def count(self, path: str) -> int:
        return sum(1 for _, seen in self.seen if seen.split("?")[0] == path)

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        path = request.path.split("?")[0]
        if self.mode_of(path) != "open":
            self.faults += 1
        if self.mode_of(path) == "hang":
            self.released.wait(60)
        mode = self.mode_of(path)
        if mode in ("shut", "hang"):
            request.close_connection = True
            return
        if mode == "portal":
            self.answer(request, 200, [("Content-Type", "text/html")], PORTAL)
            return
        if self.lies and request.command == "POST" and request.path in PUSHES:
            self.lies -= 1
            self.answer(request, 200, [("Content-Type", "application/json")], forged(body))
            return
        at_push = self.at_push if request.command == "POST" and request.path in PUSHES else None
        if at_push and at_push("came"):
            request.close_connection = True
            return
        status, headers, content = self.forward(request, body)
        if path in self.held:
            self.held[path].wait(60)
        if at_push and at_push("done"):
            request.close_connection = True
            return
        if mode == "lose" and request.command == "POST":
            self.answer(request, 502, [("Content-Type", "text/html")], b"<h1>Bad gateway</h1>")
            return
        change = self.rewrite.get(request.path)
        drip = self.drips.pop(path, None)
        self.answer(request, status, headers, change(content) if change else content, drip)

    def forward(
        self, request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        self.seen.append((request.command, request.path))
        if request.command == "POST" and request.path in PUSHES:
            self.pushed.append(op_ids_of(body))
        upstream = http.client.HTTPConnection(self.target, timeout=60)
        # "Not changed" would be the server's word about its own text, not about the one rewritten here.
        left = {"connection", "accept-encoding", *(["if-none-match"] if request.path in self.rewrite else [])}
        headers = {k: v for k, v in request.headers.items() if k.lower() not in left}
        upstream.request(request.command, request.path, body or None, headers)
        answer = upstream.getresponse()
        content = answer.read()
        kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP | self.strip]
        if request.path in self.rewrite:
            kept = [(k, v) for k, v in kept if k.lower() not in ("etag", "last-modified")]
        upstream.close()
        return answer.status, kept, content

    @staticmethod
    def answer(
        request: BaseHTTPRequestHandler,
        status: int,
        headers: list[tuple[str, str]],
        content: bytes,
        drip: Drip | None = None,
    ) -> None:
        try:
            request.send_response(status)
            for name, value in headers:
                request.send_header(name, value)
            if status != 304:  # there it would speak of the copy the browser has
                request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            for piece in drip.pieces(content) if drip else (content,):
                request.wfile.write(piece)
        except (BrokenPipeError, ConnectionResetError):
            request.close_connection = True  # the browser went away


def forged(body: bytes) -> bytes:
    told = [
        {"op_id": op_id, "status": "applied", "entity_id": op_id, "revision": 1} for op_id in op_ids_of(body)
    ]
    return json.dumps({"server_time": "2026-01-01T00:00:00+08:00", "results": told}).encode()


def op_ids_of(body: bytes) -> list[str]:
    """Whose push it is, plain or sealed, packed or not."""
    told = json.loads(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
    return [op["op_id"] for op in told.get("ops") or told.get("sealed") or []]
