"""What many tests begin in: put together once a process on each database, and as new for every test.

A town where somebody is in every part takes a hundred requests; to copy its rows takes as long as one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from flask import Flask
from sqlalchemy import text

from app.extensions import db
from tests.factories import Factory

W = TypeVar("W")


class Begin(Protocol):
    def __call__(self, kind: Callable[[Flask, Factory], W], /) -> W: ...


@dataclass
class Kept:
    world: Any
    make: Factory
    put_back: Callable[[], None]


class Worlds:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: dict[tuple[Callable[..., Any], Flask], Kept] = {}

    def begin(self, kind: Callable[[Flask, Factory], W], app: Flask, make: Factory) -> W:
        """kind(app, make), as it is when nobody has done anything in it yet."""
        if make.has_made_something:  # what is there already would go
            return kind(app, make)
        kept = self._kept.get((kind, app))
        if kept is None:
            return self._first(kind, app, make)
        with app.app_context():
            kept.put_back()
        same: dict[int, Any] = {id(app): app, id(kept.make): make}
        vars(make).update(deepcopy(vars(kept.make), same))
        return deepcopy(kept.world, same)

    def _first(self, kind: Callable[[Flask, Factory], W], app: Flask, make: Factory) -> W:
        made = kind(app, make)
        same: dict[int, Any] = {id(app): app}  # one application is enough
        copy = deepcopy(made, same)
        self._kept[kind, app] = Kept(copy, deepcopy(make, same), self._keep(app, len(self._kept)))
        return made

    def _keep(self, app: Flask, number: int) -> Callable[[], None]:
        """Keep all rows as they are; returns what puts them back into an empty database."""
        with app.app_context():
            keep = _keep_file if db.engine.dialect.name == "sqlite" else _keep_tables
            return keep(self.folder / f"world_{number}")


def _keep_file(path: Path) -> Callable[[], None]:
    file = db.engine.url.database
    db.engine.dispose()  # with the last connection all is in this one file
    shutil.copy(str(file), path)

    def put_back() -> None:
        shutil.copyfile(path, str(file))

    return put_back


def _keep_tables(path: Path) -> Callable[[], None]:
    schema, back = path.name, []
    with db.engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
        for name in db.metadata.tables:
            if connection.scalar(text(f'SELECT EXISTS (SELECT FROM "{name}")')):
                connection.execute(text(f'CREATE TABLE {schema}."{name}" AS TABLE "{name}"'))
                back += [f'DELETE FROM "{name}"', f'INSERT INTO "{name}" SELECT * FROM {schema}."{name}"']

    def put_back() -> None:
        with db.engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))  # any order will do
            connection.execute(text(f"DO $$ BEGIN {'; '.join(back)}; END $$"))

    return put_back
