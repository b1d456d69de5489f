"""No page, push or pull reads a whole table that grows with the district.

The hot paths are walked in a district of many small teams; every statement they send is shown to the
planner of both databases, which must find it an index. A time would tell the same only with millions of rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text

from app import create_app
from app.extensions import db, writing
from app.jobs import runner, work
from app.sync import queries
from bench import grow
from bench.grow import Size
from bench.pattern import Pattern, draw
from tests.app.backup.conftest import a_postgres_database
from tests.app.orders.town import in_days
from tests.app.visits import sheets
from tests.conftest import SECRET
from tests.factories import PASSWORD, Factory

# Everything that grows with people, visits, users or days. Places and teams are read whole on purpose.
BIG = {
    "patients", "visits", "observations", "revisions", "touches", "grade_records", "current_grades",
    "plan_items", "orders", "order_events", "order_ratings", "notices", "sms_messages", "audit_lines",
    "devices", "login_sessions", "family_links", "family_grants", "consents", "family_invitations",
    "departures", "disclosures", "restrictions", "handovers", "users", "throttles", "recovery_codes",
    "sign_in_steps",
}  # fmt: skip
FEW = 1000
SIZE = Size(teams=60, visits_each=6, users=20, small=True)
Asked = tuple[str, Any]


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Pattern:
    folder = tmp_path_factory.mktemp("pattern")
    return draw(folder, small=True, visits_each=SIZE.visits_each, users=SIZE.users, secret=SECRET)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def district(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pattern: Pattern
) -> Iterator[Flask]:
    if request.param == "sqlite":
        yield from _grown(f"sqlite:///{tmp_path_factory.mktemp('district') / 'd.db'}", pattern)
        return
    with a_postgres_database(request.getfixturevalue("postgres_url")) as url:
        yield from _grown(url, pattern)


def _grown(url: str, pattern: Pattern) -> Iterator[Flask]:
    app = grow.migrated(url, SECRET)
    grow.fill(app, pattern, SIZE.teams)
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
    app.config |= {"TESTING": True, "PROPAGATE_EXCEPTIONS": False}
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@contextmanager
def asked(app: Flask) -> Iterator[list[Asked]]:
    """The statements that are sent meanwhile, each once, with the values of its first time."""
    found: dict[str, Any] = {}

    def listen(_conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            found.setdefault(statement, values[0] if many else values)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", listen)
    statements: list[Asked] = []
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", listen)
        statements += found.items()


def plans(app: Flask, statements: list[Asked]) -> Iterator[tuple[str, list[Any]]]:
    """Each statement with what the planner makes of it: lines of SQLite, nodes of PostgreSQL."""
    with app.app_context(), db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            for statement, values in statements:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                yield statement, [row.detail for row in plan]
            return
        # Small tables are read whole because that is cheapest; the question is whether they must be.
        for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
            connection.execute(text(f"SET {setting} = off"))
        for statement, values in statements:
            plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
            tree = json.loads(plan) if isinstance(plan, str) else plan
            yield statement, list(_nodes(tree[0]["Plan"]))
        connection.rollback()


def whole_reads(app: Flask, statements: list[Asked]) -> list[str]:
    """What the planner says of those that read a whole table that grows, or a whole index of one."""
    return [
        f"{said} <- {statement}"
        for statement, plan in plans(app, statements)
        for step in plan
        for said in _whole(step, statement)
    ]


def _whole(step: Any, statement: str) -> Iterator[str]:
    if isinstance(step, dict):
        yield from _whole_node(step)
    elif _scans(step, statement):
        yield step


def _scans(detail: str, statement: str) -> bool:
    """SQLite says SCAN for the whole of a table or index, SEARCH for a part. It names tables by alias."""
    words = detail.split()
    if words[0] != "SCAN":
        return False
    return words[1] in BIG or any(f"{table} AS {words[1]}" in statement for table in BIG)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _whole_node(node: dict[str, Any]) -> Iterator[str]:
    """A whole index of a few hundred rows is read where that is cheapest; it says nothing of a large one."""
    kind, table, index = node["Node Type"], node.get("Relation Name", ""), node.get("Index Name", "")
    if kind == "Seq Scan" and table in BIG:
        yield f"Seq Scan on {table}"
    elif "Index" in kind and "Index Cond" not in node and table in BIG and node["Plan Rows"] > FEW:
        yield f"{kind} of all of {index}"


def signed_in(app: Flask, username: str) -> FlaskClient:
    client = app.test_client()
    given = {"username": username, "password": PASSWORD, "device_id": f"device-{username}"}
    answer = client.post("/api/auth/login", json=given)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    client.user_id = answer.get_json()["user"]["id"]  # type: ignore[attr-defined]
    client.username = username  # type: ignore[attr-defined]
    return client


def get(client: FlaskClient, path: str) -> bytes:
    answer = client.get(path, headers={"Accept-Encoding": "identity"})
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.get_data()


def a_patient(client: FlaskClient) -> str:
    changes = json.loads(get(client, "/api/sync/pull?limit=500"))["changes"]
    return next(change["id"] for change in changes if change["kind"] == "patient.create")


def pages(app: Flask) -> None:
    doctor = signed_in(app, "doctor1-7")
    patient = a_patient(doctor)
    for path in (
        "/today",
        "/patients",
        "/patients?q=nr",
        "/orders",
        "/me",
        "/notices",
        "/visits/new/general",
    ):
        get(doctor, path)
    for part in ("", "/family", "/rights", "/edit"):
        get(doctor, f"/patients/{patient}{part}")
    get(doctor, f"/api/patients/{patient}")
    village = signed_in(app, "village1-7")
    for path in ("/today", "/patients", "/orders", "/desk"):
        get(village, path)
    desk = signed_in(app, "dispatcher1-7")
    for path in ("/desk", "/orders", "/notices"):
        get(desk, path)
    provider = signed_in(app, "provider1-7")
    get(provider, "/orders")
    manager = signed_in(app, "manager1-7")
    for path in ("/patients", "/people", "/devices", "/restricted"):
        get(manager, path)


def family(app: Flask) -> None:
    relative = signed_in(app, "family1-7")
    for path in ("/family", "/orders", "/notices", "/api/sync/pull", "/api/pack?cursor="):
        get(relative, path)
    bound = json.loads(get(relative, "/api/sync/pull"))["changes"][0]["id"]
    for path in (f"/family/{bound}", f"/family/{bound}/readers", f"/orders/new?patient={bound}"):
        get(relative, path)


def pushes(app: Flask) -> None:
    doctor = signed_in(app, "doctor1-8")
    make, patient = Factory(app), a_patient(doctor)
    visit = make.op(doctor, "visit.create", sheets.payload(patient))
    wish = {"patient_id": patient, "service": "Y02", "phone": "13812345678"}
    order = make.op(doctor, "order.create", {**wish, "wanted_at": in_days(2)})
    for op in (
        visit,
        visit,
        make.op(doctor, "visit.correct", sheets.correction(visit["op_id"]), base_revision=1),
        order,
        make.op(doctor, "patient.update", {"patient_id": patient, "address": "村东头"}, base_revision=1),
    ):
        result = make.push(doctor, op)[0]
        assert result["status"] in ("applied", "duplicate"), result


def pulls(app: Flask) -> None:
    doctor = signed_in(app, "doctor1-9")
    make, patient = Factory(app), a_patient(doctor)
    cursor = json.loads(get(doctor, "/api/sync/pull?limit=500"))["cursor"]
    pack = json.loads(get(doctor, "/api/pack?cursor=").splitlines()[-1])["cursor"]
    assert (
        make.push(doctor, make.op(doctor, "visit.create", sheets.payload(patient)))[0]["status"] == "applied"
    )
    get(doctor, f"/api/sync/pull?cursor={cursor}")
    get(doctor, f"/api/pack?cursor={pack}")
    get(doctor, "/api/sync/receipts?device_id=device-1&since=2026-01-01&list=1")


def doors(app: Flask) -> None:
    doctor = signed_in(app, "doctor1-10")
    assert doctor.get("/api/auth/me").status_code == 200
    wrong = {"username": "doctor1-10", "password": "no", "device_id": "elsewhere"}
    assert doctor.post("/api/auth/login", json=wrong).status_code == 401
    assert doctor.post("/api/auth/logout", json={}).status_code == 204
    assert doctor.get("/healthz").status_code == 200


def jobs(app: Flask) -> None:
    """Those that run every few seconds. The nightly ones may take their time, in turns."""
    for name in ("send-sms", "link-audit", "confirm-orders"):
        assert runner.run(app, work.find(name)) != "failed"


@pytest.mark.parametrize("walk", [pages, family, pushes, pulls, doors, jobs], ids=lambda walk: walk.__name__)
def test_nothing_reads_a_whole_table(district: Flask, walk: Callable[[Flask], None]) -> None:
    with asked(district) as statements:
        walk(district)
    assert len(statements) > 5
    wrong = whole_reads(district, statements)
    assert not wrong, "\n\n".join(wrong)


def test_what_hot_pages_are_made_of_is_among_what_is_shown_to_the_planner(district: Flask) -> None:
    with asked(district) as statements:
        pages(district)
        family(district)
    told = [statement for statement, _ in statements]
    for table in (
        "login_sessions", "rendered_pages", "observations", "current_grades", "plan_items", "visits",
        "orders", "places", "family_links", "family_grants", "touches",
    ):  # fmt: skip
        assert any(f"FROM {table} " in one or f"JOIN {table} " in one for one in told), table


def test_an_old_cursor_costs_what_its_readers_own_people_cost(district: Flask) -> None:
    doctor = signed_in(district, "doctor1-11")
    with asked(district) as statements:
        changes = json.loads(get(doctor, "/api/sync/pull?limit=2"))["changes"]
    assert len(changes) == 2
    walks = [plan for statement, plan in plans(district, statements) if "revisions.seq + " in statement]
    assert len(walks) == 1 and "ix_revisions_patient_id_seq" in str(walks)
    assert "uq_revisions_seq" not in str(walks) and "sqlite_autoindex_revisions" not in str(walks)


def test_a_pull_goes_by_patient_though_it_be_planned_before_its_bounds_are_known(district: Flask) -> None:
    """What a driver has asked often enough, PostgreSQL plans once for all values."""
    with district.app_context(), db.engine.connect() as connection:
        if connection.dialect.name != "postgresql":
            return
        ids = [f"nobody-{number}" for number in range(600)]
        compiled = queries.numbers(ids, 0, 10**6).limit(500).compile(
            connection, compile_kwargs={"render_postcompile": True}
        )  # fmt: skip
        numbered = {name: f"${place}" for place, name in enumerate(compiled.params, 1)}
        statement = re.sub(r"%\((\w+)\)s", lambda found: numbered[found[1]], str(compiled))
        connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
        plan = connection.exec_driver_sql(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {statement}").scalar_one()
        connection.rollback()
    walks = [node for node in _nodes(plan[0]["Plan"]) if "Index Name" in node]
    assert [node["Index Name"] for node in walks] == ["ix_revisions_patient_id_seq"]
    # In a large feed bounds that an index could use would be taken for narrow, and the feed be walked.
    assert not any("seq" in node["Index Cond"] for node in walks)


def test_a_statement_without_an_index_is_noticed(district: Flask) -> None:
    with asked(district) as statements, district.app_context():
        for statement in ("SELECT id FROM visits WHERE summary = 'x'",
                          "SELECT v.id FROM visits AS v ORDER BY v.summary LIMIT 1",
                          "UPDATE plan_items SET why = 'x' WHERE label = 'x'"):  # fmt: skip
            token = writing.set(True)
            db.session.execute(text(statement))
            db.session.rollback()
            writing.reset(token)
    assert len(whole_reads(district, statements)) == 3
