"""The patient page: composes what the rooms below know. Reads only."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.chart import pages, routes

    app.register_blueprint(routes.bp)
    pages.register()
