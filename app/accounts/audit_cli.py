"""`flask audit`: is it whole, hand it out, and shorten it when its time is over."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import TextIO

import click
from flask import current_app
from flask.cli import AppGroup

from app.accounts import audit, audit_chain, audit_files
from app.accounts.audit_chain import Fault, Link
from app.extensions import db, writing
from app.shared import clock, progress

commands = AppGroup("audit", help="Who saw and changed what.")
DAY = click.DateTime(["%Y-%m-%d"])


@commands.command("verify")
@click.option("--file", type=click.File(encoding="utf-8"), help="Verify an exported NDJSON file instead.")
@click.option("--expect", metavar="POSITION:HASH", help="This link, noted elsewhere, must be in the chain.")
def verify(file: TextIO | None, expect: str | None) -> None:
    """Check every line and link those that still wait. Names the first bad line; status 1."""
    if file is not None:
        with progress.shown():
            count, fault = audit_files.verify(file)
        _stop_at(fault)
        click.echo(f"ok: {count} lines")
        return
    with progress.shown():
        fault = audit_chain.verify()
    _stop_at(fault)
    linked, end = _link()
    if expect:
        _stop_at(audit_chain.differs(expect))
    click.echo(f"ok: {end.position - audit_chain.begin() + 1} lines, {linked} linked just now")
    click.echo(f"end of the chain: {end.position}:{end.hash}")


@commands.command("export")
@click.option("--from", "since", type=DAY, required=True, help="First day, YYYY-MM-DD.")
@click.option("--to", "until", type=DAY, required=True, help="Last day, YYYY-MM-DD.")
@click.option("--format", "form", type=click.Choice(["ndjson", "csv"]), default="ndjson", show_default=True)
@click.option("--out", type=click.File("x", encoding="utf-8"), help="A new file; standard output otherwise.")
def export(since: datetime, until: datetime, form: str, out: TextIO | None) -> None:
    """Write the lines of some days with their place in the chain. The SHA-256 goes to standard error."""
    _link()
    days = _begin(since.date()), _begin(until.date() + timedelta(days=1))
    found = audit_files.range_of(*days)
    first, last = found or (1, 0)
    with progress.shown():
        count, digest = audit_files.write(out or sys.stdout, first, last, as_csv=form == "csv")
    _note("audit.export", count)
    click.echo(f"{count} lines, sha256 {digest}", err=True)


@commands.command("prune")
@click.option("--out", required=True, type=click.Path(), help="A new file for what is taken out (NDJSON).")
@click.option("--before", type=DAY, help="Keep from this day on; at the latest AUDIT_KEEP_DAYS ago.")
def prune(out: str, before: datetime | None) -> None:
    """Write lines older than AUDIT_KEEP_DAYS to a file, then delete them. The rest stays verifiable."""
    latest = clock.today() - timedelta(days=current_app.config["AUDIT_KEEP_DAYS"])
    day = before.date() if before else latest
    if day > latest:
        raise click.ClickException(f"lines since {latest} must be kept (AUDIT_KEEP_DAYS)")
    _stop_at(audit_chain.verify())
    _link()
    last = audit_chain.last_before(_begin(day))
    first = audit_chain.begin()
    if last < first:
        click.echo(f"nothing is older than {day}")
        return
    try:
        count, digest = audit_files.write_new(out, first, last)
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}") from None
    with _to_write():
        gone = audit_files.prune(last)
    _note("audit.prune", gone)
    click.echo(f"{count} lines, sha256 {digest}")
    click.echo(f"{gone} lines deleted, the chain begins at {last + 1}")


@contextmanager
def _to_write() -> Iterator[None]:
    """Only around what writes: on SQLite nobody else can meanwhile, and reading it all takes its time."""
    db.session.rollback()
    token = writing.set(True)
    try:
        yield
    finally:
        db.session.rollback()
        writing.reset(token)


def _link() -> tuple[int, Link]:
    with _to_write():
        try:
            return audit_chain.link()
        except ValueError as error:
            raise click.ClickException(str(error)) from None


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), clock.LOCAL)


def _note(action: str, count: int) -> None:
    try:
        operator = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        operator = str(os.getuid())
    with _to_write():
        audit.note(action, result=f"ok:{count}", device_id=f"cli:{operator}"[:64])
        db.session.commit()


def _stop_at(fault: Fault | None) -> None:
    if fault is not None:
        raise click.ClickException(str(fault))
