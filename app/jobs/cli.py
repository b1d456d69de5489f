"""`flask jobs`: the scheduler process, one job by hand, and what ran last."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup, ScriptInfo, pass_script_info

from app.database import require_current
from app.jobs import runner, scheduler, work
from app.shared import clock, progress

commands = AppGroup("jobs", help="Work nobody waits for.")


@commands.command("run", with_appcontext=False)
@pass_script_info
def run(info: ScriptInfo) -> None:
    """Run all jobs at their times, until stopped. Two such processes do no job twice."""
    app = info.load_app()
    require_current(app)
    scheduler.run(app)


@commands.command("once")
@click.argument("name", type=click.Choice([job.name for job in work.JOBS]))
def once(name: str) -> None:
    """Run job NAME now, unless it runs or ran a moment ago."""
    with progress.shown():
        outcome = runner.run(current_app._get_current_object(), work.find(name))  # type: ignore[attr-defined]
    click.echo(f"{name}: {outcome}")
    if outcome == "failed":
        raise SystemExit(1)


@commands.command("status")
def status() -> None:
    """The last run of every job."""
    for job in work.JOBS:
        last = runner.newest(job.name)
        if last is None:
            said = "never ran"
        else:
            at = clock.local(last.finished_at).strftime("%Y-%m-%d %H:%M:%S")
            said = f"{at}  {'ok' if last.ok else 'FAILED'}  {last.result or 'nothing to do'}"
        click.echo(f"{job.name:<16}{said}")
        click.echo(f"{'':<16}{job.help}")
