"""The real server (gunicorn, two processes) as a process group that can be killed and started again."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a secret that only the tests know, 32+"
PAUSE_S = 0.03


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Program:
    """`flask …` as a process group; its output goes to `log`."""

    def __init__(self, database_url: str, log: Path, *command: str) -> None:
        self.url, self.log, self.command = database_url, log, command
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        env = {**os.environ, "SECRET_KEY": SECRET, "DATABASE_URL": self.url}
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flask", "--app", "wsgi", *self.command],
                cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """kill -9 of every process of it, in the middle of whatever they do."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


class Server(Program):
    """`flask serve` on 127.0.0.1."""

    def __init__(self, database_url: str, log: Path, workers: int = 2) -> None:
        self.port = free_port()
        self.workers = workers
        super().__init__(database_url, log, "serve", "--port", str(self.port), "--workers", str(workers))

    def start(self, wait_s: float = 60) -> float:
        """Start and wait for the first 200 of /healthz. Returns the seconds it took."""
        began = time.monotonic()
        self.spawn()
        return self.wait(began, wait_s)

    def wait(self, began: float, wait_s: float = 60) -> float:
        """Until the first 200 of /healthz; the seconds since `began`."""
        assert self.process is not None
        while time.monotonic() - began < wait_s:
            if self.health() == 200:
                return time.monotonic() - began
            if self.process.poll() is not None:
                break
            time.sleep(PAUSE_S)
        self.kill()
        raise RuntimeError(f"the server did not start:\n{self.log.read_text()[-2000:]}")

    def wait_for_workers(self) -> None:
        """The first one answers before the others are there."""
        while len(self.worker_pids()) < self.workers:
            time.sleep(0.01)

    def worker_pids(self) -> list[int]:
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def health(self) -> int | None:
        try:
            return request(self.port, "GET", "/healthz")[0]
        except (OSError, http.client.HTTPException):
            return None


def request(
    port: int,
    method: str,
    path: str,
    body: object = None,
    headers: dict[str, str] | None = None,
    timeout: float = 30,
) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own: status, headers (lower case), body. Raises OSError or
    HTTPException when no whole answer came back."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        sent = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        more = {"Content-Type": "application/json"} if sent is not None else {}
        connection.request(method, path, sent, {**more, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def sign_in(port: int, username: str, password: str, device_id: str) -> tuple[str, dict[str, Any]]:
    """The session cookie, and who one is. Tries again while the server is away."""
    body = {"username": username, "password": password, "device_id": device_id}
    while True:
        try:
            status, headers, raw = request(port, "POST", "/api/auth/login", body)
        except (OSError, http.client.HTTPException):
            status = 0
        if status == 200:
            return headers["set-cookie"].split(";")[0], json.loads(raw)["user"]
        if status not in (0, 429, 503):
            raise RuntimeError(f"sign-in answered {status}: {raw.decode()}")
        time.sleep(PAUSE_S)
