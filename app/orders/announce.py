"""Who is told of what. Short messages say only that something moved: a service can betray an illness."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.accounts import service as accounts
from app.accounts.models import User
from app.notices.service import forget, notify
from app.orders import queries
from app.orders.models import Order
from app.orders.words import when_words
from app.patients import service as patients
from app.patients.models import Patient
from app.sync import feed

FAMILY_SMS = {
    "scheduled": "您预约的服务排好时间了，请打开暖巡查看。",
    "en_route": "服务人员已经出发，请家里留人。",
    "done": "服务做完了，请打开暖巡确认。",
    "rejected": "您的服务申请没有受理，请打开暖巡看原因。",
    "cancelled": "您的服务订单已取消，请打开暖巡查看。",
}


def submitted(order: Order, patient: Patient, author: User) -> None:
    desk = [i for i in queries.desk_of(patient) if i != author.id]
    text = f"{patient.name}，想要{when_words(order.wanted_at)}"
    _tell(desk, order, f"新订单：{order.name}", text, "/desk")


def moved(order: Order, author: User, payload: dict[str, Any]) -> None:
    """Tell everybody concerned but the one who did it."""
    patient = queries.patients([order])[order.patient_id]
    family = _family_words(order, payload)
    if family is not None:
        title, text = family
        told = [i for i in patients.family_user_ids(patient.id, "orders") if i != author.id]
        _tell(told, order, title, f"{patient.name}，{text}", sms=FAMILY_SMS[order.state])
    if order.state == "scheduled" and order.assignee_id and order.assignee_id != author.id:
        text = f"{patient.name}，{when_words(order.when_at)}"
        _tell(
            [order.assignee_id],
            order,
            f"派给您：{order.name}",
            text,
            sms="您有一单新的服务，请打开暖巡接单。",
        )
    if order.state == "cancelled":
        desk = {*queries.desk_of(patient), order.assignee_id or author.id} - {author.id}
        late = "，离上门不到两小时" if order.late_cancel else ""
        text = f"{patient.name}，原定{when_words(order.when_at)}{late}"
        _tell(desk, order, f"订单取消：{order.name}", text)
    overall = payload.get("rating", {}).get("overall")
    if order.state == "confirmed" and overall is not None and overall <= 2:
        _tell(
            queries.desk_of(patient), order, f"家属不满意：{order.name}", f"{patient.name}，请 48 小时内回访"
        )


def narrowed(patient_id: str, relative_id: str) -> None:
    """A relative may no longer see this person's orders: what was told of them leaves the inbox."""
    forget([relative_id], [f"/orders/{order.id}" for order in queries.of_patient(patient_id)])


def restricted(patient_id: str) -> None:
    """Whoever was to come lets go of the order: they see it because it was given to them."""
    given = {order.assignee_id for order in queries.of_patient(patient_id) if order.assignee_id}
    feed.depart(patient_id, [f"user:{user_id}" for user_id in sorted(given)])


def kept(order: Order, author: User) -> None:
    """Field work came in after the order had moved on: somebody has to look."""
    patient = queries.patients([order])[order.patient_id]
    desk = [i for i in queries.desk_of(patient) if i != author.id]
    text = f"{patient.name}，{author.name}的现场记录晚到，订单已是“{order.state_words}”"
    _tell(desk, order, f"请核对：{order.name}", text, key="kept")


def _family_words(order: Order, payload: dict[str, Any]) -> tuple[str, str] | None:
    """(title, text) for the relatives; None for a step they need not hear of."""
    who = accounts.names({order.assignee_id}).get(order.assignee_id, "") if order.assignee_id else ""
    words = {
        "scheduled": ("已预约", f"{when_words(order.when_at)}{'，' + who if who else ''}上门"),
        "en_route": ("出发了", f"{who or '服务人员'}已出发，请家里留人"),
        "done": ("做完了", "请您确认，也可以评价"),
        "rejected": ("没有受理", str(payload.get("note", ""))),
        "cancelled": ("已取消", str(payload.get("note") or "需要时可以再点")),
    }.get(order.state)
    return None if words is None else (f"{order.name}{words[0]}", words[1])


def _tell(
    user_ids: Iterable[str],
    order: Order,
    title: str,
    text: str,
    url: str = "",
    *,
    sms: str | bool = False,
    key: str = "",
) -> None:
    own = f"order:{order.id}:{order.revision}:{key or order.state}:{url}"
    notify(user_ids, f"order.{order.state}", title, text, url or f"/orders/{order.id}", sms=sms, key=own)
