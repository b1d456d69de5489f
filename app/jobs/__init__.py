"""Work nobody waits for: a process of its own, `flask --app wsgi jobs run`."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.jobs import cli

    app.cli.add_command(cli.commands)
