"""The family's home: how the person is, in plain words, who comes when, and what can be done."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.family import announce, bind_routes, home, join_routes, routes  # noqa: F401  (adds its routes)
    from app.patients.events import binding_claimed, binding_decided
    from app.pwa.registry import register_pages

    app.register_blueprint(routes.bp)
    register_pages(home.pack_pages)
    binding_claimed.connect(announce.claimed)
    binding_decided.connect(announce.decided)
