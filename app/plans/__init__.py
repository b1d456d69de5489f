"""What is due, for whom, by when; the lists 今日 and 老人."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.patients.events import patient_changed
    from app.plans import pages, routes, service

    app.register_blueprint(routes.bp)
    patient_changed.connect(service.on_patient_changed)
    pages.register()
