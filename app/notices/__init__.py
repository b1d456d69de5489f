"""What people are told: an inbox for each, and short messages through a provider."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.notices import routes

    app.register_blueprint(routes.bp)
