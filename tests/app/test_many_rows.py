"""Many rows of a table put in at once stand as single ones would, and fail as single ones would."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, StatementError

from app.extensions import db
from app.shared import prepared
from app.shared.columns import UtcDateTime

THINGS = Table(
    "things_of_this_test",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("words", String(40), nullable=False),
    Column("day", Date),
    Column("at", UtcDateTime),
    Column("share", Float),
    Column("yes", Boolean, default=True, nullable=False),
    Column("said", JSON),
    Column("sealed", LargeBinary),
)
AWKWARD = ["", "\\N", "\\", "a\tb\nc\rd", "\\.", "老人 '\"%s {}", "null", "𠮷", " 空 "]
SAID: list[Any] = [
    None, [], {}, {"a\\": ["\n", "\\", 0.1, None, True]}, "字", 1e-05, [[1], {"b": {}}],
    {"NULL": "\\N"}, 7,
]  # fmt: skip


@pytest.fixture
def connection(app: Flask) -> Iterator[Connection]:
    with app.app_context(), db.engine.connect() as connection:
        THINGS.create(connection)
        connection.commit()
        yield connection
        connection.rollback()
        THINGS.drop(connection)
        connection.commit()


EAST = timezone(timedelta(hours=8))


def rows(first_id: int = 1) -> list[dict[str, Any]]:
    return [
        {
            "id": first_id + number,
            "words": words,
            "day": date(2026, 1, 31) if number % 2 else None,
            "at": datetime(2026, 2, 28, 23, 59, 59, number, EAST if number % 2 else UTC),
            "share": [0.1, None, -1e300, 5e-324][number % 4],
            "said": SAID[number],
            "sealed": [b"", b"\x00\\x\xff\n", None][number % 3],
        }
        for number, words in enumerate(AWKWARD)
    ]


def put(connection: Connection, given: list[dict[str, Any]]) -> None:
    prepared.insertion(THINGS, connection.dialect, tuple(given[0])).run(connection, given)


def stored(connection: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(select(THINGS).order_by(THINGS.c.id))]


def test_every_value_stands_as_an_insert_would_have_put_it(connection: Connection) -> None:
    put(connection, rows())
    together = stored(connection)
    connection.rollback()
    connection.execute(insert(THINGS), rows())
    assert [row[1:] for row in together] == [row[1:] for row in stored(connection)]
    assert all(row.yes is True for row in connection.execute(select(THINGS.c.yes))), "the default"


def test_a_row_that_is_there_already_is_refused_and_all_with_it(connection: Connection) -> None:
    put(connection, rows())
    before = stored(connection)
    with pytest.raises(IntegrityError), connection.begin_nested():
        put(connection, [*rows(100), *rows()])
    assert stored(connection) == before


def test_what_a_column_will_not_take_is_refused_and_all_with_it(connection: Connection) -> None:
    wrong = {**rows()[0], "id": 99, "words": None}
    with pytest.raises(IntegrityError), connection.begin_nested():
        put(connection, [*rows(), wrong])
    assert stored(connection) == []


def test_text_that_a_database_cannot_hold_is_refused_in_its_words(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        return  # it holds any text
    with pytest.raises((DataError, StatementError)), connection.begin_nested():
        put(connection, [{**rows()[0], "words": "x" * 41}])
    with pytest.raises((DataError, StatementError)), connection.begin_nested():
        put(connection, [{**rows()[0], "words": "a\x00b"}])
    assert stored(connection) == []


def test_a_connection_that_broke_meanwhile_is_not_used_again(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        return  # it has no line that could break
    pid = connection.scalar(text("SELECT pg_backend_pid()"))
    with db.engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
    with pytest.raises(OperationalError) as caught:
        put(connection, rows())
    assert caught.value.connection_invalidated
    connection.rollback()
    put(connection, rows())
    assert len(stored(connection)) == len(AWKWARD)
