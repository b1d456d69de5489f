"""WebKitGTK, the nearest to Safari that runs on Linux: WebKitWebDriver over HTTP, a window on no real screen.

The window is `webkit_window.py` and not WebKit's MiniBrowser, which forgets its profile when it is driven.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.e2e.engines.driver import STARTING, Driver, DriverError, patiently, which
from tests.e2e.world import free_port

WINDOW = Path(__file__).with_name("webkit_window.py")
SYSTEM_PYTHON = "/usr/bin/python3"  # python3-gi belongs to it, not to a virtual environment
BINDINGS = "import gi; gi.require_version('Gtk', '3.0'); gi.require_version('WebKit2', '4.1')"
NAME = "nuanxun-webkit"  # must be what webkit_window.py answers when asked who it is
WAYS: dict[str, tuple[str, str]] = {
    "Navigate": ("POST", "/url"),
    "GetCurrentURL": ("GET", "/url"),
    "ExecuteAsyncScript": ("POST", "/execute/async"),
    "ElementClick": ("POST", "/element/{id}/click"),
    "ElementClear": ("POST", "/element/{id}/clear"),
    "ElementSendKeys": ("POST", "/element/{id}/value"),
    "TakeScreenshot": ("GET", "/screenshot"),
}


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class WebKit(Driver):
    @classmethod
    def lacks(cls) -> list[str]:
        found = [name for name in ("WebKitWebDriver", "Xvfb") if not which(name)]
        asked = [SYSTEM_PYTHON, "-c", BINDINGS]
        if not Path(SYSTEM_PYTHON).exists() or subprocess.run(asked, capture_output=True).returncode:
            found.append("gir1.2-webkit2-4.1")
        return found

    def start(self) -> None:
        self.running = Path(tempfile.mkdtemp(prefix="webkit-"))  # sockets: their paths must be short
        self.log = (self.profile / "browser.log").open("ab")
        self.screen, display = self.start_screen()
        self.process, port = self.start_driver(display)
        self.base = f"http://127.0.0.1:{port}"
        options = {"binary": str(WINDOW), "args": []}
        wanted = {"alwaysMatch": {"browserName": NAME, "webkitgtk:browserOptions": options}}
        answer = self.ask("POST", "/session", {"capabilities": wanted})
        self.base += f"/session/{answer['sessionId']}"
        self.ask("POST", "/timeouts", {"pageLoad": 30_000, "script": 30_000})

    def start_screen(self) -> tuple[subprocess.Popen[bytes], str]:
        """An X server without a screen, on the first display that is free."""
        reading, writing = os.pipe()
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x900x24", "-nolisten", "tcp"]
        screen = subprocess.Popen(
            command, pass_fds=[writing], stdout=self.log, stderr=self.log, start_new_session=True
        )
        os.close(writing)
        with os.fdopen(reading) as answer:
            display = answer.readline().strip()
        assert display, "Xvfb did not start"
        return screen, f":{display}"

    def start_driver(self, display: str) -> tuple[subprocess.Popen[bytes], int]:
        port = free_port()
        env = {
            **os.environ,
            "GDK_BACKEND": "x11",
            "DISPLAY": display,
            "HOME": str(self.profile),
            "XDG_RUNTIME_DIR": str(self.running),
            "NO_AT_BRIDGE": "1",
            "GSETTINGS_BACKEND": "memory",
            "TZ": "Asia/Shanghai",
            "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
            "WEBKIT_DISABLE_DMABUF_RENDERER": "1",
            "WEBKIT_PROFILE": str(self.profile),
        }
        driver = subprocess.Popen(
            ["WebKitWebDriver", f"--port={port}"],
            env=env,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        patiently(lambda: answers(port), STARTING, lambda: "WebKitWebDriver did not start")
        return driver, port

    def command(self, name: str, **parameters: Any) -> Any:
        method, path = WAYS[name]
        address = path.format(**parameters)
        parameters.pop("id", None)
        return self.ask(method, address, parameters if method == "POST" else None)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=STARTING) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as refused:
            value = json.load(refused)["value"]
            raise DriverError(value["error"], value["message"]) from None

    def close(self) -> None:
        self.ask("DELETE", "")
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=20)
        self.put_away()

    def kill(self) -> None:
        super().kill()
        self.put_away()

    def put_away(self) -> None:
        self.screen.terminate()
        self.screen.wait(timeout=20)
        self.log.close()
        shutil.rmtree(self.running, ignore_errors=True)
