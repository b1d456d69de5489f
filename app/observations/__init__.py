"""Measured facts of a patient: one row per thing a visit measured or asked."""

from flask import Flask


def init_app(app: Flask) -> None:
    from app.observations import models  # noqa: F401  (its table joins the metadata)
