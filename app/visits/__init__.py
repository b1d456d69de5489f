"""Recording a home visit, correcting it, and the pages of both."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.visits import pack, routes, sync

    app.register_blueprint(routes.bp)
    sync.register()
    pack.register()
