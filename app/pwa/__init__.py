"""What makes the pages installable and readable without a network: worker, manifest, shell, visit pack."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    from app.pwa import files, routes
    from app.pwa.registry import register_pages

    register_pages(routes.outbox_page)
    app.register_blueprint(routes.bp)
    app.view_functions["static"] = files.static  # in Flask's place
