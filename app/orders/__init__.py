"""Services a family orders, from three taps to rated: catalogue, life cycle, desk, ratings."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.orders import pages, routes, sync
    from app.pwa.registry import register_pages

    app.register_blueprint(routes.bp)
    sync.register()
    register_pages(pages.pack_pages, pages.gone_since)
