"""The family's home: how the person is, in plain words, who comes when, and what can be done."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.family import home, routes
    from app.pwa.registry import register_pages

    app.register_blueprint(routes.bp)
    register_pages(home.pack_pages)
