"""Firefox over Marionette, its own remote control: length, colon, JSON, on a socket. Needs no geckodriver."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from typing import Any

from tests.e2e.engines.driver import STARTING, Driver, DriverError, patiently, which

MAC = "/Applications/Firefox.app/Contents/MacOS/firefox"
PREFERENCES: dict[str, Any] = {
    "marionette.port": 0,  # any free one; it writes which into the profile
    "intl.accept_languages": "zh-CN",
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",  # asks nobody for lists
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}

# Marionette's scripts see the page's document but have modules of their own: a lock of their own too, which
# asks the worker for the key as a page does that was just opened.
WITH_THE_KEY = """async (argument) => {
  const { adopt, drop } = await import('/static/js/vault/vault.js');
  const worker = (await navigator.serviceWorker.getRegistration())?.active;
  const { port1, port2 } = new MessageChannel();
  drop();
  worker?.postMessage({ t: 'key?' }, [port2]);
  if (worker) adopt(await new Promise((answer) => { port1.onmessage = ({ data }) => answer(data); }));
  return (%s)(argument);
}"""


class Firefox(Driver):
    """As a phone sees it. The narrowest window it opens is 450 px wide."""

    @classmethod
    def program(cls) -> str | None:
        return os.environ.get("FIREFOX") or which("firefox-esr", "firefox", MAC)

    @classmethod
    def lacks(cls) -> list[str]:
        return [] if cls.program() else ["firefox-esr"]

    def start(self) -> None:
        active = self.profile / "MarionetteActivePort"
        active.unlink(missing_ok=True)
        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in PREFERENCES.items())
        (self.profile / "user.js").write_text("".join(lines))
        program = self.program()
        assert program, "tools/engines.sh installs Firefox"
        flags = ["--headless", "--marionette", "--no-remote", "--width", "450", "--height", "844"]
        with (self.profile / "browser.log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, *flags, "--profile", str(self.profile)],
                env={**os.environ, "TZ": "Asia/Shanghai"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        patiently(lambda: active.exists() and bool(active.read_text()), STARTING, self.never_came)
        self.line = socket.create_connection(("127.0.0.1", int(active.read_text())), timeout=STARTING)
        self.stream = self.line.makefile("rb")
        self.number = 0
        self.receive()  # its greeting
        self.command("NewSession")
        self.command("SetTimeouts", pageLoad=30_000, script=30_000)
        self.command("SetWindowRect", width=450, height=844)

    def never_came(self) -> str:
        return "Firefox did not start: " + (self.profile / "browser.log").read_text(errors="replace")[-500:]

    def command(self, name: str, **parameters: Any) -> Any:
        self.number += 1
        full = name if ":" in name else f"WebDriver:{name}"
        message = json.dumps([0, self.number, full, parameters]).encode()
        self.line.sendall(b"%d:%s" % (len(message), message))
        _, number, error, result = self.receive()
        assert number == self.number
        if error:
            raise DriverError(error["error"], error["message"])
        return result["value"] if isinstance(result, dict) and set(result) == {"value"} else result

    def receive(self) -> Any:
        length = b""
        while (byte := self.stream.read(1)) != b":":
            if not byte:
                raise DriverError("invalid session id", "Firefox is gone")
            length += byte
        return json.loads(self.stream.read(int(length)))

    def evaluate(self, source: str, argument: Any = None) -> Any:
        return super().evaluate(WITH_THE_KEY % source if "import(" in source else source, argument)

    def close(self) -> None:
        self.command("Marionette:Quit", flags=["eAttemptQuit"])
        self.process.wait(timeout=30)
        self.hang_up()

    def kill(self) -> None:
        super().kill()
        self.hang_up()

    def hang_up(self) -> None:
        self.stream.close()
        self.line.close()
