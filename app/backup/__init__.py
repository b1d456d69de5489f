"""Copies of everything: made every night, proved, put back; and the move to another database."""

from flask import Flask


def init_app(app: Flask) -> None:
    from flask_migrate.cli import db as database_commands

    from app.backup import cli

    app.cli.add_command(cli.commands)
    database_commands.add_command(cli.copy)  # beside `db upgrade`, where one looks for it
