"""Who somebody is: users, roles, sign-in, sessions, devices, and the audit of what they did."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.accounts import routes, sessions

    sessions.init_app(app)
    app.register_blueprint(routes.bp)
