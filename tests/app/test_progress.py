"""How far long work is goes to standard error; standard output stays what programs read."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from app.shared import progress
from tests.conftest import SECRET
from tests.factories import VILLAGE, Factory, an_id_card

ROOT = Path(__file__).parents[2]


def test_nobody_is_told_where_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    progress.step("rows", 1, 2)
    assert not progress.is_wanted()
    assert capsys.readouterr().err == ""


def test_without_a_terminal_long_work_says_a_plain_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    passing = iter(range(0, 1000, 4))
    monkeypatch.setattr(progress, "monotonic", lambda: next(passing))
    with progress.shown():
        for done in range(1, 7):
            progress.step("rows", done, 6)
        progress.step("MB", 7)
        progress.step("MB", 8)
        progress.step("MB", 9)
    said = capsys.readouterr()
    assert said.err == "rows: 3 / 6\nrows: 6 / 6\nMB: 9\n" and said.out == ""


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown():
        progress.step("rows", 6, 6)
    assert capsys.readouterr().err == ""


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    rows = [f"张秀兰,{an_id_card(n)},139000012{n:02d},{VILLAGE}" for n in range(1, 61)]
    path = tmp_path / "people.csv"
    path.write_text("\n".join(["姓名,身份证号,电话,村（社区）", *rows]), encoding="utf-8")
    return path


COMMANDS = {
    "patients import": (lambda tmp: ["patients", "import", str(tmp / "people.csv")], "导入"),
    "jobs once": (lambda tmp: ["jobs", "once", "regrade"], "people"),
    "backup create": (lambda tmp: ["backup", "create", "--to", str(tmp)], "read patients"),
    "db copy": (lambda tmp: ["db", "copy", "--to", f"sqlite:///{tmp}/copy.db"], "patients"),
    "grade": (lambda tmp: ["grade", str(tmp / "facts.ndjson")], "lines: 200"),
    "audit verify": (lambda tmp: ["audit", "verify"], "lines"),
    "audit export": (lambda tmp: ["audit", "export", "--from", "2020-01-01", "--to", "2099-01-01"], "lines"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_in_a_terminal_a_bar_is_drawn_and_standard_output_is_the_same(
    name: str, tmp_path: Path, roster: Path, sqlite_template: Path
) -> None:
    url = f"sqlite:///{tmp_path}/own.db"
    (tmp_path / "own.db").write_bytes(sqlite_template.read_bytes())
    _some_people(url)
    arguments, label = COMMANDS[name]
    (tmp_path / "facts.ndjson").write_text('{"systolic": 150, "diastolic": 95}\n' * 210)
    out, err = _in_a_terminal(url, arguments(tmp_path))
    assert label in err
    assert "[#####" in err or name == "grade"  # nobody knows how many lines a pipe will bring
    assert "#" not in out and "\r" not in out


def test_reading_a_backup_and_putting_it_back_draws_bars_too(tmp_path: Path, sqlite_template: Path) -> None:
    url = f"sqlite:///{tmp_path}/own.db"
    (tmp_path / "own.db").write_bytes(sqlite_template.read_bytes())
    _some_people(url)
    (tmp_path / "kept").mkdir()
    _in_a_terminal(url, ["backup", "create", "--to", str(tmp_path / "kept")])
    [made] = (tmp_path / "kept").iterdir()
    for arguments in (["backup", "verify", str(made)], ["backup", "restore", str(made), "--yes"]):
        out, err = _in_a_terminal(url, arguments)
        assert "read patients" in err and "[#####" in err, arguments
        assert "#" not in out and "\r" not in out


def _some_people(url: str) -> None:
    from app import create_app
    from app.accounts import audit_chain
    from app.extensions import db, writing

    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
    make = Factory(app)
    make.signed_in("doctor")
    make.patient()
    with app.app_context():
        token = writing.set(True)
        audit_chain.link()
        writing.reset(token)
        db.session.remove()
        db.engine.dispose()


def _in_a_terminal(url: str, arguments: list[str]) -> tuple[str, str]:
    """Standard output and error of a command whose standard error is a terminal."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "SECRET_KEY": SECRET, "DATABASE_URL": url, "TERM": "xterm"}
    running = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
        cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    with suppress(OSError):  # Linux's word for a terminal that nobody holds any more
        while piece := os.read(ours, 65536):
            said += piece
    os.close(ours)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 0, said.decode()
    return out.decode(), said.decode()
