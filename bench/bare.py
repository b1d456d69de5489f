"""What Flask costs by itself: a bare application under the same server with the same settings.

GET /page?bytes=20000   one Jinja page of about that size
GET /file               the file given as `--file`, as it lies on the disk
POST /take              reads what comes and says how much it was
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask, Response, jsonify, render_template_string, request, send_file

from app.cli import GUNICORN, Server
from tests.faults.server import PAUSE_S, ROOT, free_port
from tests.faults.server import request as ask

THREADS = 4
PAGE = """<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>{{ title }}</title></head><body>
<h1>{{ title }}</h1><ul>{% for row in rows %}
<li class="row"><a href="/patients/{{ row.id }}"><b>{{ row.name }}</b> <span>{{ row.village }}</span></a></li>
{%- endfor %}</ul></body></html>"""
ROW_BYTES = 117


def bare(file: Path | None) -> Flask:
    app = Flask(__name__, static_folder=None)

    @app.get("/page")
    def page() -> str:
        count = request.args.get("bytes", 1000, int) // ROW_BYTES
        rows = [{"id": n, "name": "张秀兰", "village": "西集镇向阳村"} for n in range(count)]
        return render_template_string(PAGE, title="老人", rows=rows)

    @app.get("/file")
    def stored() -> Response:
        assert file is not None
        return send_file(file, max_age=0)

    @app.post("/take")
    def take() -> Response:
        return jsonify({"bytes": len(request.get_data(cache=False))})

    return app


@contextmanager
def served(*, file: Path | None = None, workers: int = 2) -> Iterator[int]:
    """The port on which it answers, in processes of its own."""
    port = free_port()
    command = [sys.executable, "-m", "bench.bare", f"--port={port}", f"--workers={workers}"]
    command += [f"--file={file}"] if file else []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            _wait(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            if ask(port, "GET", "/page")[0] == 200:
                return
        except OSError:
            time.sleep(PAUSE_S)
    raise RuntimeError("the bare server did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--file", type=Path)
    asked = parser.parse_args()
    settings = GUNICORN | {"bind": f"127.0.0.1:{asked.port}", "workers": asked.workers, "threads": THREADS}
    Server(bare(asked.file), settings).run()


if __name__ == "__main__":
    main()
