"""Services a family orders, from three taps to rated: catalogue, life cycle, desk, ratings."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.orders import announce, sync
    from app.orders.pack import gone_since, pack_pages
    from app.orders.routes import bp
    from app.patients.events import binding_narrowed, patient_restricted
    from app.pwa.registry import register_pages

    app.register_blueprint(bp)
    sync.register()
    binding_narrowed.connect(announce.narrowed)
    patient_restricted.connect(announce.restricted)
    register_pages(pack_pages, gone_since)
