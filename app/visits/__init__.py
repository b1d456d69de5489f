"""Recording a home visit, correcting it, and the pages of both."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.forms.engine import all_definitions
    from app.shared import labels
    from app.visits import pack, routes, sync

    app.register_blueprint(routes.bp)
    sync.register()
    pack.register()
    for form in all_definitions().values():
        labels.add({key: field["zh"] for key, field in {**form.fields, **form.computed}.items()})
