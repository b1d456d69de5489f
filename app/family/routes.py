"""/family"""

from __future__ import annotations

from flask import Blueprint, Response
from flask_login import current_user

from app.accounts import audit
from app.family import home
from app.guard import roles
from app.pwa.registry import rev
from app.shared.page import page

bp = Blueprint("family", __name__)


@bp.get("/family")
@roles("family")
def index() -> Response:
    user = current_user._get_current_object()
    context = home.context(user)
    for person in context["people"]:
        audit.read("patient.read", person["patient"].id, patient_id=person["patient"].id)
    return page("family/home.html", rev=rev(home.newest(user)), **context)
