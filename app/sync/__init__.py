"""Push, pull and the feed. Knows rooms only through what each registers (registry.py)."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.sync import auth, handover_pages, routes
    from app.sync.schema import MAX_INFLATED_BYTES

    app.config["MAX_CONTENT_LENGTH"] = MAX_INFLATED_BYTES
    app.register_blueprint(routes.bp)
    app.register_blueprint(auth.bp)
    app.register_blueprint(handover_pages.bp)
