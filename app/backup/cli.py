"""`flask backup` and `flask db copy`: for the person who keeps the server."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext

from app.backup import copying, restoring, service
from app.backup.trouble import BackupError
from app.config import SettingError, database_address
from app.database import require_current
from app.shared import clock, progress

commands = AppGroup("backup", help="Copies of everything, and putting one back.")
FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def in_one_line(work: Callable[..., None]) -> Callable[..., None]:
    @wraps(work)
    def told(*args: Any, **given: Any) -> None:
        try:
            work(*args, **given)
        except (BackupError, SettingError) as error:
            raise click.ClickException(str(error)) from None

    return told


@commands.command("create")
@click.option("--to", "folder", type=FOLDER, help="Folder for the file. [BACKUP_DIR]")
@in_one_line
def create(folder: Path | None) -> None:
    """Make a backup now, encrypted. The server may go on meanwhile."""
    require_current(current_app._get_current_object())  # type: ignore[attr-defined]
    with progress.shown():
        made = service.create(folder)
    click.echo(f"{made.path}  {_size(made.size)}  {made.rows} rows")


@commands.command("verify")
@click.argument("file", type=FILE)
@in_one_line
def verify(file: Path) -> None:
    """Read all of FILE: every byte as it was written, every table with its rows and its sum."""
    with progress.shown():
        manifest = service.verify(file)
    for name, table in sorted(manifest["tables"].items()):
        click.echo(f"{name:<18}{table['rows']:>9}  {table['sum']}")
    click.echo(_about(manifest))
    click.echo("ok")


@commands.command("restore")
@click.argument("file", type=FILE)
@click.option("--yes", is_flag=True, help="Replace what is there.")
@in_one_line
def restore(file: Path, yes: bool) -> None:
    """Put FILE in the place of the database. Stop the web server and the scheduler first.

    Phones then send again what they had sent after the backup was made.
    """
    manifest, there = restoring.look(file)
    click.echo(_about(manifest))
    if not yes:
        would = f"this would replace {there}" if there else "the database is empty"
        raise click.ClickException(f"{would}; nothing was done: say --yes to restore")
    with progress.shown():
        restored = restoring.restore(file)
    click.echo(f"restored; the new epoch is {restored.epoch}")
    if restored.aside:
        click.echo(f"what was there is kept as {restored.aside}: delete it when all is well")


@commands.command("list")
@click.option("--in", "folder", type=FOLDER, help="Folder to look in. [BACKUP_DIR]")
@in_one_line
def list_(folder: Path | None) -> None:
    """The backups in the folder, oldest first."""
    for backup in service.listing(folder):
        if backup.trouble:
            click.echo(f"{backup.path.name}  {_size(backup.size)}  cannot be opened: {backup.trouble}")
        else:
            visits = backup.manifest["tables"].get("visits", {}).get("rows", 0)
            about = f"{backup.manifest['engine']}  version {backup.manifest['revision']}  {visits} visits"
            at = clock.local(backup.made_at)
            click.echo(f"{backup.path.name}  {_size(backup.size)}  {at:%Y-%m-%d %H:%M}  {about}")


@click.command("copy")
@click.option("--to", required=True, help="Address of an empty database, e.g. postgresql+psycopg://…")
@with_appcontext
@in_one_line
def copy(to: str) -> None:
    """Copy everything into the empty database TO: SQLite to PostgreSQL, or back."""
    require_current(current_app._get_current_object())  # type: ignore[attr-defined]
    address = database_address(to, "--to")
    with progress.shown():
        moved = copying.copy(address)
    for table in moved:
        click.echo(f"{table.table:<18}{table.rows:>9}  {table.sum}")
    rows = sum(table.rows for table in moved)
    click.echo(f"{rows} rows, equal on both sides. Now set DATABASE_URL to the new address.")


def _about(manifest: dict[str, Any]) -> str:
    rows = sum(table["rows"] for table in manifest["tables"].values())
    return (
        f"made {manifest['made_at']} from {manifest['engine']}, version {manifest['revision']}, "
        f"program {manifest['program']}: {rows} rows"
    )


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
