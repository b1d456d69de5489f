from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db


class RenderedPage(db.Model):
    """A page as it was rendered, but for its reader: a cache, which may be emptied at any time.

    `variant` is the kind of reader, `stamp` all else that the rendering depends on (app/pwa/rendered.py).
    """

    __tablename__ = "rendered_pages"

    url: Mapped[str] = mapped_column(String(100), primary_key=True)
    variant: Mapped[str] = mapped_column(String(20), primary_key=True)
    stamp: Mapped[str] = mapped_column(String(120))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    kept_at: Mapped[datetime] = mapped_column(index=True)
