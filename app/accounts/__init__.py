"""Who somebody is: users, roles, sign-in, sessions, devices, and the audit of what they did."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.accounts import own_routes, people_routes, sessions, sign_in_routes  # noqa: F401  add their pages
    from app.accounts.routes import bp

    sessions.init_app(app)
    app.register_blueprint(bp)
