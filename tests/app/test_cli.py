from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from flask import Flask

from app.accounts import passwords
from app.accounts.models import User
from app.config import ROOT
from app.extensions import db
from app.shared.ids import new_id
from tests.conftest import SECRET
from tests.factories import TEAM, TOWN, VILLAGE, Factory

FLASK = [sys.executable, "-m", "flask", "--app", "wsgi"]


@pytest.fixture
def tool(app: Flask):
    return app.test_cli_runner()


def an_environment(database: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "SECRET_KEY": SECRET, "DATABASE_URL": f"sqlite:///{database}", **more}


def test_every_command_of_the_house_is_listed(tool):
    said = tool.invoke(args=["--help"]).output
    for command in ("serve", "jobs", "demo", "patients", "users", "audit", "grade", "backup", "db"):
        assert f"  {command} " in said


def test_a_user_is_created_who_can_sign_in(app: Flask, tool, make: Factory):
    make.places()
    args = ["users", "create", "wen", "--name", "温医生", "--role", "doctor", "--place", TOWN, "--team", TEAM]
    done = tool.invoke(args=[*args, "--phone", "13900000099", "--password-stdin"], input="long enough\n")
    assert done.exit_code == 0, done.output
    with app.app_context():
        user = db.session.query(User).filter_by(username="wen").one()
        assert (user.role, user.team_id, user.phone) == ("doctor", TEAM, "13900000099")
        assert passwords.matches("long enough", user.password_hash)
    again = tool.invoke(args=[*args, "--password-stdin"], input="long enough\n")
    assert again.exit_code == 1 and "wen" in again.output


def test_an_account_that_a_restore_lost_is_made_again_under_its_id(app: Flask, tool, make: Factory):
    make.places()
    lost, args = new_id(), ["users", "create", "wen", "--name", "温", "--role", "manager"]
    args += ["--place", TOWN, "--password-stdin"]
    done = tool.invoke(args=[*args, "--id", lost], input="long enough\n")
    assert done.exit_code == 0 and done.output.split() == ["wen", "manager", lost]
    args[2] = "other"
    for wrong in (lost, "7", lost.upper()):
        refused = tool.invoke(args=[*args, "--id", wrong], input="long enough\n")
        assert refused.exit_code == 1 and "--id" in refused.output and refused.output.count("\n") == 1


@pytest.mark.parametrize(
    ("role", "options", "words"),
    [
        ("doctor", ["--place", TOWN], "--team"),
        ("doctor", ["--team", TEAM], "--place"),
        ("village", ["--place", TOWN], "village"),
        ("manager", ["--place", VILLAGE], "town"),
        ("manager", ["--place", "999999999"], "no such place"),
        ("nurse", ["--place", TOWN, "--team", "nobody"], "no such team"),
    ],
)
def test_a_user_without_a_fitting_place_is_refused_in_one_line(tool, make, role, options, words):
    make.places()
    args = ["users", "create", "wen", "--name", "温", "--role", role, *options, "--password-stdin"]
    done = tool.invoke(args=args, input="long enough\n")
    assert done.exit_code == 1 and words in done.output and done.output.count("\n") == 1


def test_a_short_password_is_refused(tool, make):
    make.places()
    args = [
        "users",
        "create",
        "wen",
        "--name",
        "温",
        "--role",
        "admin",
        "--place",
        "370406",
        "--password-stdin",
    ]
    assert "at least 8" in tool.invoke(args=args, input="short\n").output


def test_facts_go_in_and_grades_come_out_line_by_line(tmp_path):
    facts = {"as_of": "2026-06-10", "birth_date": "1950-01-01", "conditions": ["hypertension"]}
    high = facts | {"bp": [{"date": "2026-06-10", "sbp": 186, "dbp": 104}]}
    done = subprocess.run(
        [*FLASK, "grade"],
        input=f"{json.dumps(facts)}\n{json.dumps(high)}\n",
        env=an_environment(tmp_path / "none.db"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["colour"], second["colour"], second["emergency"]) == ("yellow", "red", True)


@pytest.mark.parametrize("command", [["serve", "--port", "1"], ["jobs", "run"], ["demo", "reset"]])
def test_nothing_starts_on_a_database_without_tables(tmp_path, command):
    done = subprocess.run(
        [*FLASK, *command],
        env=an_environment(tmp_path / "empty.db"),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "flask --app wsgi db upgrade" in done.stderr and "Traceback" not in done.stderr


def test_the_server_answers_and_stops_when_told(sqlite_template, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [*FLASK, "serve", "--port", str(port), "--workers", "1"],
        env=an_environment(sqlite_template),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert _answer(port, server) == 200
    finally:
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=30)
    assert server.returncode == 0, said
    assert "Using worker: Worker" in said


def test_workers_count_together_and_speak_json(sqlite_template, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [*FLASK, "serve", "--port", str(port), "--workers", "2"],
        env=an_environment(sqlite_template, TMPDIR=str(tmp_path)),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        tries = 0
        while _answer(port, server) == 200 and tries < 30:
            tries += 1
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            figures = answer.read().decode()
        assert [folder.name[:16] for folder in tmp_path.iterdir() if folder.is_dir()] == ["nuanxun-metrics-"]
    finally:
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=30)
    asked = 'nuanxun_requests_total{endpoint="accounts.sign_in_page",method="GET",status="200"} 31.0'
    assert asked in figures, said
    lines = [json.loads(line) for line in said.splitlines()]
    assert {line["logger"] for line in lines} >= {"gunicorn.error", "nuanxun.request"}
    assert not [folder for folder in tmp_path.iterdir() if folder.is_dir()]  # gone with the server


def _answer(port: int, server: subprocess.Popen[str]) -> int:
    end = time.monotonic() + 30
    while time.monotonic() < end and server.poll() is None:
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/sign-in", timeout=5).status
        except OSError:
            continue
    raise AssertionError("the server never answered")
