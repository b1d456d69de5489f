"""A bad line: a TCP proxy that passes one HTTP request a connection and does something wrong with it."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress

FAULTS = (
    "drop_before", "reset_before", "torn_request", "slow_request", "delay", "duplicate", "late_copy",
    "drop_after", "reset_after", "truncated_answer", "bad_gateway_after", "portal", "portal_after",
)  # fmt: skip
PORTAL = b"<!doctype html><title>Wi-Fi</title><p>Please sign in"
BAD_GATEWAY = b"<html><h1>502 Bad Gateway</h1>"


class BadLine:
    """Listens on `port`; every connection suffers one of FAULTS with the given share, else none."""

    def __init__(self, upstream: int, share: float, seed: int) -> None:
        self.upstream, self.share = upstream, share
        self.random = random.Random(seed)
        self.met: Counter[str] = Counter()
        self.forwarded = threading.Event()  # set whenever a request reached the server: aim kills by it
        self._old: list[bytes] = []
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _draw(self) -> tuple[str, float]:
        with self._lock:
            faulty = self.random.random() < self.share
            return (self.random.choice(FAULTS) if faulty else "none"), self.random.random()

    def _serve(self, client: socket.socket) -> None:
        fault, chance = self._draw()
        try:
            client.settimeout(30)
            asked = read_message(client)
            if not asked:
                return
            with self._lock:
                self.met[fault] += 1
            self._act(client, asked, fault, chance)
        except OSError:
            pass  # the server was killed meanwhile, or the phone gave up
        finally:
            client.close()

    def _act(self, client: socket.socket, asked: bytes, fault: str, chance: float) -> None:
        if fault == "drop_before":
            return
        if fault == "reset_before":
            return reset(client)
        if fault == "portal":
            return client.sendall(page(200, PORTAL))
        if fault == "torn_request":
            return self._send_part(asked, chance)
        if fault == "duplicate":
            threading.Thread(target=self._quietly, args=(asked,), daemon=True).start()
        if fault == "late_copy":
            self._send_old(asked, chance)
        if fault == "delay":
            time.sleep(chance / 4)
        answer = self._forward(asked, pieces=20 if fault == "slow_request" else 1)
        if fault == "reset_after":
            return reset(client)
        if fault == "truncated_answer":
            return client.sendall(answer[: int(len(answer) * chance)])
        if fault == "bad_gateway_after":
            return client.sendall(page(502, BAD_GATEWAY))
        if fault == "portal_after":
            return client.sendall(page(200, PORTAL))
        if fault != "drop_after":
            client.sendall(answer)

    def _forward(self, asked: bytes, pieces: int = 1) -> bytes:
        with socket.create_connection(("127.0.0.1", self.upstream), timeout=30) as server:
            step = len(asked) // pieces + 1
            for start in range(0, len(asked), step):
                server.sendall(asked[start : start + step])
                if pieces > 1:
                    time.sleep(0.005)
            self.forwarded.set()
            return read_message(server)

    def _send_part(self, asked: bytes, chance: float) -> None:
        with socket.create_connection(("127.0.0.1", self.upstream), timeout=30) as server:
            server.sendall(asked[: int(len(asked) * chance)])
            self.forwarded.set()

    def _send_old(self, asked: bytes, chance: float) -> None:
        """A packet that hung about somewhere arrives long after the phone has moved on."""
        with self._lock:
            self._old.append(asked)
            old = self._old.pop(int(chance * len(self._old)))
        self._quietly(old)

    def _quietly(self, asked: bytes) -> None:
        with suppress(OSError):
            self._forward(asked)


def page(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def read_message(connection: socket.socket) -> bytes:
    """A whole HTTP message with Content-Length; what there is of it when the other side closes."""
    raw = b""
    while b"\r\n\r\n" not in raw or len(raw) < whole_length(raw):
        part = connection.recv(65536)
        if not part:
            break
        raw += part
    return raw


def whole_length(raw: bytes) -> int:
    head, _, _ = raw.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return len(head) + 4 + int(value)
    return len(head) + 4
