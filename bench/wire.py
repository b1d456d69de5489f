"""A wire between a browser and a server that counts every byte, and can be as weak as a village's.

Counted below HTTP, so that pages and workers, headers and bodies, cached answers and none are all seen as the
line saw them. Browsers send one request at a time on a connection: what comes back belongs to the last one.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

REQUEST = re.compile(rb"^(?:GET|POST|HEAD|PUT|DELETE) (\S+) HTTP/1\.1\r\n")
CHUNK = 16384


@dataclass(frozen=True)
class Line:
    """How long a byte is under way there and back, and how many pass in a second."""

    rtt_s: float = 0.0
    down_bytes_s: float = 0.0
    up_bytes_s: float = 0.0


PLAIN = Line()
WEAK = Line(rtt_s=0.3, down_bytes_s=1_600_000 / 8, up_bytes_s=750_000 / 8)


@dataclass
class Crossed:
    """One request and what it cost."""

    stretch: str
    path: str
    at: float = 0.0  # time.time(), as a page on this machine has it
    up: int = 0
    down: int = 0


@dataclass
class Wire:
    """Listens on `url`; hands everything on to `server`."""

    server: str
    line: Line = PLAIN
    stretch: str = ""
    crossed: list[Crossed] = field(default_factory=list)
    connections: int = 0
    moved_at: float = 0.0

    def __post_init__(self) -> None:
        self._to = (urlsplit(self.server).hostname or "", urlsplit(self.server).port or 80)
        self._door = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self._free = {"up": 0.0, "down": 0.0}  # when the line has room for the next byte
        self._lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._door.close()

    def figures(self, stretch: str, *paths: str, but: tuple[str, ...] = ()) -> tuple[int, int]:
        """Bytes that came down in a stretch, and in how many answers."""
        found = [
            one
            for one in self.crossed
            if one.stretch == stretch and (not paths or one.path in paths) and one.path not in but
        ]
        return sum(one.down for one in found), len(found)

    def _serve(self) -> None:
        while True:
            try:
                phone, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(phone,), daemon=True).start()

    def _carry(self, phone: socket.socket) -> None:
        time.sleep(self.line.rtt_s)  # a connection is opened: once there and back
        self.connections += 1
        server = socket.create_connection(self._to)
        now: list[Crossed] = []
        threading.Thread(target=self._up, args=(phone, server, now), daemon=True).start()
        self._pump(server, phone, "down", now)

    def _up(self, phone: socket.socket, server: socket.socket, now: list[Crossed]) -> None:
        self._pump(phone, server, "up", now)

    def _pump(self, source: socket.socket, sink: socket.socket, way: str, now: list[Crossed]) -> None:
        try:
            while data := source.recv(CHUNK):
                arrived = time.monotonic()
                # Asked each time: the line may have become another one since this connection was opened.
                speed = self.line.up_bytes_s if way == "up" else self.line.down_bytes_s
                if way == "up" and (found := REQUEST.match(data)):
                    path = found[1].decode("latin-1").partition("?")[0]
                    now[:] = [Crossed(self.stretch, path, time.time())]
                    self.crossed.append(now[0])
                self.moved_at = arrived
                if now:
                    setattr(now[0], way, getattr(now[0], way) + len(data))
                self._wait(way, len(data), speed, arrived)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _wait(self, way: str, count: int, speed: float, arrived: float) -> None:
        """All connections share the line; what is on it arrives half a round trip later."""
        if not speed:
            return
        with self._lock:
            self._free[way] = max(self._free[way], arrived) + count / speed
            until = self._free[way] + self.line.rtt_s / 2
        time.sleep(max(0.0, until - time.monotonic()))
