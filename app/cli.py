"""What an operator types after `flask --app wsgi`; rooms bring their own commands too."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo, pass_script_info
from gunicorn.app.base import BaseApplication
from werkzeug.middleware.proxy_fix import ProxyFix

from app import logs, metrics
from app.accounts import audit_cli as audit
from app.accounts import cli as accounts
from app.config import Settings
from app.database import require_current
from app.demo import cli as demo
from app.worker import Worker, settle_in

# What a phone on a weak line needs: threads that wait cheaply, connections that stay open,
# uploads that may take their time, and a stop that lets requests in flight finish.
GUNICORN: dict[str, Any] = {
    "worker_class": Worker,
    "timeout": 60,
    "graceful_timeout": 20,
    "keepalive": 15,
    "control_socket_disable": True,
    "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108  heartbeat off the disk
    "loglevel": "info",
    "logger_class": logs.ServerLogger,
    "post_worker_init": lambda worker: settle_in(),
}


class Server(BaseApplication):
    """gunicorn around an application that is already made; its workers are forked from it."""

    def __init__(self, app: Flask, settings: dict[str, Any]) -> None:
        self.flask_app, self.settings = app, settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self.flask_app


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=lambda: os.environ.get("PORT", "8000"),
    type=click.IntRange(1, 65535),
    help="[PORT or 8000]",
)
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option(
    "--threads", default=4, show_default=True, type=click.IntRange(1, 64), help="Threads per process."
)
@click.option(
    "--behind-proxy", is_flag=True, help="Believe X-Forwarded-For and -Proto of the one proxy before us."
)
@pass_script_info
def serve(info: ScriptInfo, host: str, port: int, workers: int, threads: int, behind_proxy: bool) -> None:
    """Start the web server (gunicorn). Jobs run beside it: `jobs run`."""
    app = info.load_app()
    if no := too_few_connections(app.config["SETTINGS"], threads):
        raise click.ClickException(no)
    require_current(app)
    if behind_proxy:  # else every phone would have the proxy's address, and share its sign-in attempts
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
        app.config["BEHIND_PROXY"] = True
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    counted = _count_together()
    Server(app, GUNICORN | {"bind": bind, "workers": workers, "threads": threads, "on_exit": counted}).run()


def too_few_connections(settings: Settings, threads: int) -> str:
    """What to say when threads would wait for each other's connections; empty when they need not."""
    most = settings.database_pool + settings.database_overflow
    if settings.database_url.startswith("sqlite") or most >= threads:
        return ""
    return f"DATABASE_POOL and DATABASE_OVERFLOW allow {most} connections, --threads {threads} needs as many"


def _count_together() -> Callable[[Any], None]:
    """Give the workers a folder in which their counts meet; what removes it when the server has stopped."""
    if metrics.SHARED_FILES in os.environ:
        return lambda _server: None
    folder = tempfile.mkdtemp(prefix="nuanxun-metrics-")
    os.environ[metrics.SHARED_FILES] = folder
    return lambda _server: shutil.rmtree(folder, ignore_errors=True)


def init_app(app: Flask) -> None:
    app.cli.add_command(serve)
    app.cli.add_command(accounts.commands)
    app.cli.add_command(audit.commands)
    app.cli.add_command(demo.commands)
