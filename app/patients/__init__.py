"""The register of patients, who may see whom, family links, and the roster import."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.patients import cli, routes, sync

    app.register_blueprint(routes.bp)
    app.cli.add_command(cli.commands)
    sync.register()
