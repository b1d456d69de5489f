"""How long a backup, its proof and a restore take with 100,000 visits: what RPO and RTO rest on.

The teams of the district are copies of one, which compress well: real files are larger.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask import Flask

from app.backup import restoring, service
from app.extensions import db
from bench.measure import Options, Row
from tests.app.backup.conftest import an_app


def run(folder: Path, options: Options) -> Iterable[Row]:
    backups = folder / "backups"
    backups.mkdir()
    with options.grounds.copy(options.grounds.one(), options.database) as url:
        app = an_app(url, backups)
        try:
            yield _row(app)
        finally:
            with app.app_context():
                db.session.remove()
                db.engine.dispose()


def _row(app: Flask) -> Row:
    took: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began, busy = time.monotonic(), time.process_time()
        done = work()
        took[f"{name}_s"] = round(time.monotonic() - began, 1)
        took[f"{name}_cpu_s"] = round(time.process_time() - busy, 1)
        return done

    with app.app_context():
        made = timed("create", service.create)
        timed("verify", lambda: service.verify(made.path))
        restored = timed("restore", lambda: restoring.restore(made.path))
    rows = restored.manifest["tables"]
    visits = rows["visits"]["rows"]
    figures = {"rows": made.rows, "file_mb": round(made.size / 1e6, 1), **took}
    return Row(f"{visits:,} visits", figures)
