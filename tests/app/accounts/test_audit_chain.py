"""The chain of the audit: what was done to it is found, and the database itself refuses to do it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError

from app.accounts import audit, audit_chain
from app.accounts.models import AuditChain, AuditLine
from app.extensions import db, writing
from app.jobs import runner, work
from app.shared import clock
from app.shared.ids import new_id


@pytest.fixture
def tool(app: Flask):
    return app.test_cli_runner()


def noted(app: Flask, count: int) -> None:
    with app.app_context():
        token = writing.set(True)
        for number in range(count):
            audit.note("patient.read", object_id=f"o{number}", patient_id="p")
        db.session.commit()
        writing.reset(token)


def verified(tool) -> str:
    done = tool.invoke(args=["audit", "verify"])
    assert done.exit_code == 0, done.output
    return done.output


def lines(app: Flask) -> list[tuple[int, int]]:
    """(id, position) in order."""
    with app.app_context():
        found = db.session.execute(select(AuditLine.id, AuditLine.position).order_by(AuditLine.position))
        return [(row.id, row.position) for row in found]


@contextmanager
def by_force(app: Flask) -> Iterator[Connection]:
    """What somebody does who has the database and switches its triggers off."""
    with app.app_context():
        token = writing.set(True)
        with db.engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                for name in ("audit_lines_kept", "audit_lines_unchanged"):
                    connection.execute(text(f"DROP TRIGGER {name}"))
            else:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
            yield connection
        writing.reset(token)


def change(c: Connection, middle: int, last: int) -> str:
    c.execute(text("UPDATE audit_lines SET user_id = 'somebody else' WHERE id = :i"), {"i": middle})
    return f"line {middle}, "


def delete_in_the_middle(c: Connection, middle: int, last: int) -> str:
    at = c.execute(text("SELECT position FROM audit_lines WHERE id = :i"), {"i": middle}).scalar_one()
    c.execute(text("DELETE FROM audit_lines WHERE id = :i"), {"i": middle})
    return f"position {at}: missing"


def delete_the_tail(c: Connection, middle: int, last: int) -> str:
    at = c.execute(text("SELECT position FROM audit_lines WHERE id = :i"), {"i": middle}).scalar_one()
    c.execute(text("DELETE FROM audit_lines WHERE position >= :at"), {"at": at})
    return f"position {at}: missing"


def insert(c: Connection, middle: int, last: int) -> str:
    """A copy of a true line about somebody else, with a place of its own at the end."""
    c.execute(
        text(
            "INSERT INTO audit_lines (id, event_id, at, user_id, role, action, object_id, patient_id, result,"
            " request_id, mac) SELECT id + 1000, :event, at, 'framed', role, action, object_id, patient_id,"
            " result, request_id, mac FROM audit_lines WHERE id = :i"
        ),
        {"i": middle, "event": new_id()},
    )
    return f"line {middle + 1000}: "


def reorder(c: Connection, middle: int, last: int) -> str:
    place = text("SELECT position FROM audit_lines WHERE id = :i")
    at, far = (c.execute(place, {"i": line}).scalar_one() for line in (middle, last))
    for line, to in ((middle, -1), (last, at), (middle, far)):
        c.execute(text("UPDATE audit_lines SET position = :to WHERE id = :i"), {"i": line, "to": to})
    return f"line {last}, position {at}"


def forget_the_end(c: Connection, middle: int, last: int) -> str:
    """Delete the tail and tell the chain's row so, without the key."""
    delete_the_tail(c, middle, last)
    c.execute(text("UPDATE audit_chain SET position = (SELECT MAX(position) FROM audit_lines)"))
    return "chain: "


def begin_anew(c: Connection, middle: int, last: int) -> str:
    c.execute(text("DELETE FROM audit_lines WHERE id = :i"), {"i": middle})
    c.execute(text("UPDATE audit_lines SET position = NULL, hash = NULL"))
    c.execute(text("DELETE FROM audit_chain"))
    return "chain: "


EDITS = (change, delete_in_the_middle, delete_the_tail, insert, reorder, forget_the_end, begin_anew)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_found_and_the_first_bad_line_named(
    app: Flask, tool, edit: Callable[[Connection, int, int], str]
) -> None:
    noted(app, 20)
    assert "ok: 20 lines, 20 linked" in verified(tool)
    ids = [line for line, _ in lines(app)]
    with by_force(app) as connection:
        named = edit(connection, ids[9], ids[-1])
    done = tool.invoke(args=["audit", "verify"])
    assert done.exit_code == 1 and named in done.output, done.output


@pytest.mark.parametrize("edit", [change, insert])
def test_lines_that_still_wait_to_be_linked_are_covered_too(app: Flask, tool, edit) -> None:
    noted(app, 5)
    ids = [line for line, _ in lines(app)]
    with by_force(app) as connection:
        edit(connection, ids[2], ids[-1])
    assert tool.invoke(args=["audit", "verify"]).exit_code == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_lines SET result = 'x'",
        "UPDATE audit_lines SET position = NULL, hash = NULL",
        "DELETE FROM audit_lines",
    ],
)
@pytest.mark.parametrize("linked", [True, False])
def test_the_database_refuses_to_change_or_delete_lines(app: Flask, tool, statement, linked) -> None:
    noted(app, 3)
    if linked:
        verified(tool)
    elif "NULL" in statement:
        return  # nothing would change
    with app.app_context():
        writing.set(True)
        with pytest.raises(DBAPIError, match="audit lines are never"):
            db.session.execute(text(statement))
        db.session.rollback()


def test_the_job_links_what_was_written_meanwhile_and_says_where_the_chain_ends(app, tool, caplog) -> None:
    noted(app, 3)
    with caplog.at_level("INFO", "nuanxun.jobs"):
        assert runner.run(app, work.find("link-audit"), by="first") == "nothing"
    assert "3 linked, the chain ends at 3:" in caplog.text
    assert "ok: 3 lines, 0 linked" in verified(tool)


def test_a_line_committed_later_than_its_neighbours_is_linked_after_them(app: Flask, tool) -> None:
    noted(app, 3)
    first, late, third = (line for line, _ in lines(app))
    with app.app_context():
        writing.set(True)
        content = db.session.get_one(AuditLine, late)
        values = {column.name: getattr(content, column.name) for column in AuditLine.__table__.columns}
        db.session.rollback()
    with by_force(app) as connection:
        connection.execute(text("DELETE FROM audit_lines WHERE id = :i"), {"i": late})
    verified(tool)
    with app.app_context():
        writing.set(True)
        db.session.add(AuditLine(**values))
        db.session.commit()
    verified(tool)
    assert lines(app) == [(first, 1), (third, 2), (late, 3)]


def test_the_key_may_change_as_long_as_the_former_one_is_known(app: Flask, tool, monkeypatch) -> None:
    noted(app, 2)
    verified(tool)
    former = app.config["SECRET_KEY"]
    monkeypatch.setitem(app.config, "SECRET_KEY", "another secret of the same clinic, 32+")
    assert "another SECRET_KEY" in tool.invoke(args=["audit", "verify"]).output
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [former])
    noted(app, 2)
    assert "ok: 4 lines, 2 linked" in verified(tool)
    assert "ok: 4 lines" in verified(tool)


def test_an_end_noted_elsewhere_shows_that_the_chain_was_rewritten(app: Flask, tool) -> None:
    noted(app, 4)
    end = verified(tool).split("end of the chain: ")[1].strip()
    assert tool.invoke(args=["audit", "verify", "--expect", end]).exit_code == 0
    noted(app, 1)
    assert tool.invoke(args=["audit", "verify", "--expect", end]).exit_code == 0
    for wrong in (f"4:{'0' * 64}", f"99:{end[2:]}", "nothing"):
        assert tool.invoke(args=["audit", "verify", "--expect", wrong]).exit_code == 1


def test_some_days_are_exported_with_their_links_and_verified_by_themselves(
    app: Flask, tool, tmp_path: Path, monkeypatch
) -> None:
    now = clock.now()
    for days in (3, 2, 1):
        monkeypatch.setattr(clock, "now", lambda days=days: now - timedelta(days=days))
        noted(app, 4)
    monkeypatch.setattr(clock, "now", lambda: now)
    day = (clock.today() - timedelta(days=2)).isoformat()
    out = tmp_path / "lines.ndjson"
    done = tool.invoke(args=["audit", "export", "--from", day, "--to", day, "--out", str(out)])
    assert done.exit_code == 0 and "4 lines, sha256 " in done.output
    rows = [json.loads(row) for row in out.read_text().splitlines()]
    assert [row["position"] for row in rows] == [5, 6, 7, 8]
    assert rows[1]["previous"] == rows[0]["hash"]
    assert tool.invoke(args=["audit", "verify", "--file", str(out)]).output == "ok: 4 lines\n"
    rows[2]["user_id"] = "somebody else"
    out.write_text("\n".join(json.dumps(row) for row in rows))
    spoilt = tool.invoke(args=["audit", "verify", "--file", str(out)])
    assert spoilt.exit_code == 1 and "position 7" in spoilt.output
    again = tool.invoke(args=["audit", "export", "--from", day, "--to", day, "--out", str(out)])
    assert again.exit_code != 0  # a file that is there is never written over
    assert "ok: 13 lines" in verified(tool)  # the export is in the audit itself


def test_a_table_of_the_audit_calculates_nothing(app: Flask, tool) -> None:
    with app.app_context():
        writing.set(True)
        audit.note("session.begin", object_id="=HYPERLINK(1)", device_id="@cmd")
        db.session.commit()
    today = clock.today().isoformat()
    csv = tool.invoke(args=["audit", "export", "--from", today, "--to", today, "--format", "csv"]).output
    assert "'=HYPERLINK(1)" in csv and "'@cmd" in csv and ",=" not in csv and ",@" not in csv


def test_old_lines_go_to_a_file_and_the_rest_stays_verifiable(app, tool, tmp_path, monkeypatch) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now - timedelta(days=1200))
    noted(app, 1100)
    monkeypatch.setattr(clock, "now", lambda: now - timedelta(days=1000))
    noted(app, 3)
    monkeypatch.setattr(clock, "now", lambda: now)
    out = tmp_path / "old.ndjson"
    done = tool.invoke(args=["audit", "prune", "--out", str(out)])
    assert done.exit_code == 0 and "1100 lines deleted, the chain begins at 1101" in done.output
    assert tool.invoke(args=["audit", "verify", "--file", str(out)]).output == "ok: 1100 lines\n"
    assert "ok: 4 lines" in verified(tool)
    assert "nothing is older" in tool.invoke(args=["audit", "prune", "--out", str(tmp_path / "b")]).output
    with by_force(app) as connection:
        connection.execute(text("DELETE FROM audit_lines WHERE position = 1101"))
    assert "position 1101: missing" in tool.invoke(args=["audit", "verify"]).output


def test_nothing_is_taken_out_that_must_be_kept_or_of_a_broken_chain(app, tool, tmp_path) -> None:
    noted(app, 3)
    verified(tool)
    early = tool.invoke(args=["audit", "prune", "--out", str(tmp_path / "a"), "--before", "2999-01-01"])
    assert early.exit_code == 1 and "must be kept" in early.output
    middle = lines(app)[1][0]
    with by_force(app) as connection:
        change(connection, middle, 0)
    broken = tool.invoke(args=["audit", "prune", "--out", str(tmp_path / "a")])
    assert broken.exit_code == 1 and not (tmp_path / "a").exists()


def test_linking_stops_where_the_row_of_the_chain_is_not_ours(app: Flask, tool) -> None:
    noted(app, 1)
    with app.app_context():
        writing.set(True)
        db.session.get_one(AuditChain, 1).position = 7
        db.session.commit()
        with pytest.raises(ValueError, match="altered"):
            audit_chain.link()
        db.session.rollback()
