"""What those who run the server ask it: is it ready, and how does it fare."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.operations import routes

    app.register_blueprint(routes.bp)
