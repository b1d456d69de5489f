"""A person's rights over their data, as pages: full numbers, a copy of everything, restriction."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.rights import routes

    app.register_blueprint(routes.bp)
