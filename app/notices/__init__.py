"""What people are told: an inbox for each, and short messages through a provider."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.accounts import hooks
    from app.notices import routes, service

    app.register_blueprint(routes.bp)
    app.extensions[hooks.NAME] = hooks.Hooks(
        send_code=service.send_code, send_code_to=service.send_code_to, tell=service.tell_of_account
    )
