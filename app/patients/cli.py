"""`flask patients`: the roster of a township."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup
from sqlalchemy import or_, select

from app.accounts.models import User
from app.extensions import db, writing
from app.patients import roster
from app.shared import progress
from app.sync.registry import kinds

commands = AppGroup("patients", help="The register of patients.")
MOST_LINES = 200


@commands.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--as", "username", help="User in whose name people are registered. [the doctor of each village's team]"
)
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
def import_roster(file: Path, username: str | None, dry_run: bool) -> None:
    """Register everybody in FILE (.xlsx or .csv; first row: 姓名 身份证号 电话 村（社区） …).

    Rows that are wrong or already registered are listed and left out. Ends with code 1 if a row was wrong.
    """
    writing.set(not dry_run)
    authors = [_author(username)] if username else _clinicians()
    try:
        with progress.shown():
            report = roster.bring_in(file, authors, dry_run=dry_run)
    except roster.UnreadableFile as error:
        raise click.ClickException(str(error)) from None
    lines = [*report.errors, *report.duplicates]
    for line in lines[:MOST_LINES]:
        click.echo(line)
    if len(lines) > MOST_LINES:
        click.echo(f"……另有 {len(lines) - MOST_LINES} 处")
    click.echo(
        f"共 {report.rows} 行：{'可以导入' if dry_run else '已导入'} {report.good} 人，"
        f"重复 {len(report.duplicates)} 行，有误 {report.rows - report.good - len(report.duplicates)} 行"
    )
    if dry_run:
        click.echo("这是试运行，没有写入任何数据")
    if report.errors:
        raise SystemExit(1)


def _author(username: str) -> User:
    author = db.session.scalar(select(User).where(or_(User.username == username, User.phone == username)))
    if author is None:
        raise click.ClickException(f"--as {username}: no such user")
    if author.role not in kinds["patient.create"].roles:
        raise click.ClickException(f"--as {username}: a {author.role} does not register patients")
    return author


def _clinicians() -> list[User]:
    """Everybody who may register people, doctors before nurses before village clinics."""
    may = kinds["patient.create"].roles
    statement = select(User).where(User.role.in_(may), User.active).order_by(User.role, User.username)
    return list(db.session.scalars(statement))
