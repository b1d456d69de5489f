from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import LoginSession, Throttle
from app.extensions import db, writing
from app.grading.models import CurrentGrade, GradeRecord
from app.jobs import lease, runner, scheduler, work
from app.jobs.models import JobRun
from app.jobs.work import Job
from app.notices.models import Notice
from app.plans.models import PlanItem
from app.shared import clock
from app.shared.ids import new_id
from tests.factories import Factory

NOON = datetime(2026, 6, 10, 4, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def now(monkeypatch):
    """Set the time: now(moment)."""

    def at(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    at(NOON)
    return at


def a_job(doing, **given) -> Job:
    known = {"name": "a-job", "help": "", "trigger": None, "limit": 5 * MINUTE, "rest": MINUTE}
    return Job(work=doing, **{**known, **given})  # type: ignore[arg-type]


def runs(app: Flask) -> list[tuple[bool, str]]:
    with app.app_context():
        return [(run.ok, run.result) for run in db.session.scalars(select(JobRun).order_by(JobRun.id))]


def test_two_schedulers_never_run_the_same_job(app, now):
    done: list[str] = []
    inner: list[str] = []

    def work_once() -> str:
        inner.append(runner.run(app, a_job(lambda: "again"), by="second"))
        done.append("x")
        return "worked"

    assert runner.run(app, a_job(work_once), by="first") == "done"
    assert (done, inner) == (["x"], ["elsewhere"])


def test_after_a_run_the_job_rests(app, now):
    job = a_job(lambda: "worked")
    assert runner.run(app, job, by="first") == "done"
    now(NOON + MINUTE / 2)
    assert runner.run(app, job, by="second") == "elsewhere"
    now(NOON + 2 * MINUTE)
    assert runner.run(app, job, by="second") == "done"


def test_the_job_of_a_scheduler_that_died_is_taken_over_when_its_lease_ends(context, now):
    assert lease.take("a-job", 5 * MINUTE, "first")
    assert not lease.take("a-job", 5 * MINUTE, "second")
    now(NOON + 6 * MINUTE)
    assert lease.take("a-job", 5 * MINUTE, "second")


def test_a_failing_job_is_noted_without_its_message_and_undone(app, now, caplog):
    def fail() -> str:
        db.session.add(Throttle(key="half done", window_started_at=NOON, count=1))
        db.session.flush()
        raise ValueError("张秀兰 370406195001010013")

    assert runner.run(app, a_job(fail)) == "failed"
    [(ok, result)] = runs(app)
    assert not ok and result.startswith("ValueError")
    assert "张秀兰" not in caplog.text
    with app.app_context():
        assert db.session.get(Throttle, "half done") is None


def test_runs_that_found_nothing_to_do_replace_one_another(app, now):
    for minute, result in enumerate(["", "", "3 sent", "", ""]):
        now(NOON + 2 * minute * MINUTE)
        runner.run(app, a_job(lambda result=result: result))
    assert runs(app) == [(True, "3 sent"), (True, "")]


def test_time_alone_makes_a_grade_old_and_the_night_regrades_and_replans(app, make: Factory, monkeypatch):
    patient_id = make.patient(conditions=["hypertension"])
    with app.app_context():
        before = db.session.get_one(CurrentGrade, patient_id).record_id
        writing.set(True)
        record = db.session.get_one(GradeRecord, before)
        record.reasons = ["ADVANCED_AGE"]  # as if yesterday had been another day
        db.session.commit()
    job = work.find("regrade")
    assert runner.run(app, job) == "done"
    with app.app_context():
        after = db.session.get_one(CurrentGrade, patient_id)
        assert after.record_id != before
        assert (
            db.session.scalar(select(GradeRecord.cause).where(GradeRecord.id == after.record_id)) == "nightly"
        )
        assert db.session.scalar(select(PlanItem).where(PlanItem.patient_id == patient_id)) is not None
        writing.set(True)
        assert work.regrade() == ""


def test_expired_sessions_old_counters_and_old_notices_are_cleaned_up(app, make: Factory, now):
    name = make.user("doctor")
    user_id = make.user_id(name)
    long_ago, lately = NOON - timedelta(days=401), NOON - timedelta(days=1)
    with app.app_context():
        writing.set(True)
        for moment in (long_ago, lately):
            db.session.add(
                LoginSession(
                    token_hash=f"{moment}",
                    user_id=user_id,
                    device_id="d",
                    created_at=moment,
                    last_seen_at=moment,
                    expires_at=moment + timedelta(hours=1),
                )
            )
            db.session.add(Throttle(key=f"{moment}", window_started_at=moment, count=1))
            db.session.add(
                Notice(id=new_id(), user_id=user_id, kind="k", title="t", text="", url="/", created_at=moment)
            )
        db.session.commit()
    assert runner.run(app, work.find("clean-up")) == "done"
    with app.app_context():
        for model in (LoginSession, Throttle, Notice):
            assert len(list(db.session.scalars(select(model)))) == 1, model


def test_a_missed_night_is_made_up_for_at_the_start(app, now):
    assert scheduler.missed(app)
    assert runner.run(app, work.find("regrade")) == "nothing"
    assert not scheduler.missed(app)
    now(NOON + timedelta(days=1))
    assert scheduler.missed(app)


def test_last_night_is_the_last_ten_past_midnight_in_shandong():
    assert work.last_night(datetime(2026, 6, 9, 16, 9, tzinfo=UTC)) == datetime(
        2026, 6, 8, 16, 10, tzinfo=UTC
    )
    assert work.last_night(datetime(2026, 6, 9, 16, 10, tzinfo=UTC)) == datetime(
        2026, 6, 9, 16, 10, tzinfo=UTC
    )


def test_every_job_is_planned_once_and_late_runs_are_one_run(app):
    planned = scheduler.build(app)
    found = {job.id: job for job in planned.get_jobs()}
    assert set(found) == {job.name for job in work.JOBS}
    defaults = planned._job_defaults
    assert (defaults["coalesce"], defaults["max_instances"]) == (True, 1)


def test_operators_see_what_ran(app):
    tool = app.test_cli_runner()
    assert "never ran" in tool.invoke(args=["jobs", "status"]).output
    done = tool.invoke(args=["jobs", "once", "send-sms"])
    assert (done.exit_code, done.output) == (0, "send-sms: nothing\n")
    assert "ok  nothing to do" in tool.invoke(args=["jobs", "status"]).output
