"""The register of patients, who may see whom, family links, and the roster import."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.patients import cli, family_routes, routes, sync
    from app.pwa import registry

    app.register_blueprint(routes.bp)
    app.register_blueprint(family_routes.bp)
    app.cli.add_command(cli.commands)
    sync.register()
    registry.register_pages(routes.pages_of)
