"""红黄绿: the rules, the facts they speak of, and every grade ever given."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.grading import cli, routes

    app.register_blueprint(routes.bp)
    app.cli.add_command(cli.command)
