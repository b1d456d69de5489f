"""`make run`: bring the demo up on this machine, and down again with Ctrl-C.

Makes a secret key once, migrates, fills demo data into an empty database, then starts the web server and the
scheduler. If either of the two ends, the other is ended as well.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTANCE = ROOT / "instance"
FLASK = [sys.executable, "-m", "flask", "--app", "wsgi"]
READY_S = 60


def main() -> int:
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    os.chdir(ROOT)
    port = _port(os.environ.get("PORT") or "8000")
    env = os.environ | {"SECRET_KEY": os.environ.get("SECRET_KEY") or secret_key(), "PYTHONUNBUFFERED": "1"}
    env.setdefault("DEMO", "1")
    env.setdefault("LOG_FORMAT", "plain")
    _say("Bringing the database up to date")
    _flask(env, "db", "upgrade", quiet=True)
    _flask(env, "demo", "reset", "--if-empty")
    children = [
        subprocess.Popen([*FLASK, "serve", "--port", str(port)], env=env, start_new_session=True),
        subprocess.Popen([*FLASK, "jobs", "run"], env=env, start_new_session=True),
    ]
    try:
        _wait_until_ready(port, children)
        _say(f"\n暖巡 is ready:  http://127.0.0.1:{port}   (Ctrl-C ends it)\n")
        subprocess.run([*FLASK, "demo", "accounts"], env=env, check=False)
        return _watch(children)
    except KeyboardInterrupt:
        return 0
    finally:
        _end(children)


def secret_key() -> str:
    """The key of this machine, made at the first start. Losing it loses the sealed identity numbers."""
    path = INSTANCE / "secret_key"
    INSTANCE.mkdir(exist_ok=True)
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
    return path.read_text().strip()


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        sys.exit(f"make run: PORT must be a number from 1 to 65535, not {text!r}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError:
            sys.exit(f"make run: port {text} is taken; try another: make run PORT=8001")
    return int(text)


def _flask(env: dict[str, str], *command: str, quiet: bool = False) -> None:
    """Run a command of ours; stop here with its own words when it fails."""
    done = subprocess.run([*FLASK, *command], env=env, stderr=subprocess.PIPE if quiet else None, text=True)
    if done.returncode:
        sys.exit((done.stderr or "").strip() or f"make run: flask {' '.join(command)} failed")


def _wait_until_ready(port: int, children: list[subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if any(child.poll() is not None for child in children):
            sys.exit("make run: the server could not start; its own words are above")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2)
            return
        except urllib.error.HTTPError:
            return  # it answers; that is what was asked
        except OSError:
            time.sleep(0.1)
    sys.exit(f"make run: no answer on port {port} after {READY_S} seconds")


def _watch(children: list[subprocess.Popen[bytes]]) -> int:
    while True:
        for child in children:
            if (code := child.poll()) is not None:
                print(f"make run: {child.args[4]} ended with code {code}", file=sys.stderr)  # type: ignore[index]
                return code or 1
        time.sleep(0.5)


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    for child in children:
        try:
            child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
