"""An order from asked for to rated, through the wire contract, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.orders import service
from app.orders.machine import machine
from app.shared import clock
from tests.app.orders.test_order_rules import LEGAL
from tests.app.orders.town import Town, in_days
from tests.factories import OTHER_TOWN, OTHER_VILLAGE

SAME = {"Origin": "http://localhost"}
TARGETS = [key for key in machine().states if key != "draft"]


def test_a_family_asks_somebody_comes_the_family_confirms_and_rates(town: Town) -> None:
    order_id = town.bring_to("done")
    rating = {"overall": 5, "attitude": 4, "recommend": 10, "comment": "洗得很仔细", "by": "本人"}
    town.done(town.family, order_id, "confirmed", 6, rating=rating)
    record = town.record(order_id)
    assert (record["state"], record["revision"], record["price"]) == ("confirmed", 7, 100)
    assert [e["to"] for e in record["events"]] == [
        "submitted", "scheduled", "accepted", "en_route", "in_service", "done", "confirmed",
    ]  # fmt: skip
    assert record["rating"] == {**rating, "skill": None, "timely": None, "explain": None, "fee": None}
    assert record["assignee_name"] == "梅小暖"
    changes = town.family.get("/api/sync/pull").get_json()["changes"]
    assert [c["state"] for c in changes if c["id"] == order_id][-1] == "confirmed"


def test_the_desk_that_names_no_time_takes_the_wanted_one(town: Town) -> None:
    order_id = town.order(wanted_at=in_days(3, 14))
    town.done(town.nurse, order_id, "scheduled", 1)
    assert town.record(order_id)["scheduled_at"] == in_days(3, 14)


def test_staff_may_order_on_behalf_and_are_recorded(town: Town) -> None:
    for client in (town.village, town.doctor, town.nurse, town.dispatcher):
        result = town.ask(client)
        record = town.record(result["entity_id"])
        assert (record["on_behalf_by"], record["requester_id"]) == (client.user_id, client.user_id)
    assert town.record(town.order())["on_behalf_by"] is None


@pytest.mark.parametrize(
    "state",
    [
        "submitted",
        "scheduled",
        "accepted",
        "en_route",
        "in_service",
        "done",
        "confirmed",
        "rejected",
        "cancelled",
    ],
)
def test_every_step_the_table_does_not_name_is_refused_and_changes_nothing(town: Town, state: str) -> None:
    order_id = town.bring_to(state)
    before = town.record(order_id)
    revision = before["revision"]
    clients = {
        "family": town.family, "village": town.village, "doctor": town.doctor, "nurse": town.nurse,
        "dispatcher": town.dispatcher, "provider": town.provider,
    }  # fmt: skip
    more = {"note": "原因"}
    for role, client in clients.items():
        ops = [town.op(client, order_id, to, revision, **more) for to in TARGETS]
        for op, result in _answered(town, client, _illegal(ops, state, role)):
            named = (state, op["payload"]["to"]) in LEGAL and op["payload"]["to"] != state
            expected = ("rejected", "forbidden") if named else ("conflict", "bad_transition")
            assert (result["status"], result["code"]) == expected, (role, op["payload"], result)
            if result["status"] == "conflict":
                assert result["current"]["revision"] == revision
                assert result["current"]["state"] == state
                assert result["current"]["state_words"]
    after = town.record(order_id)
    kept = [e for e in after["events"] if e["kept_only"]]
    assert [e for e in after["events"] if not e["kept_only"]] == before["events"]
    assert {**after, "events": 0} == {**before, "events": 0}
    assert not kept or state in ("confirmed", "rejected", "cancelled")


def _illegal(ops: list[dict], state: str, role: str) -> list[dict]:
    def legal(to: str) -> bool:
        who = LEGAL.get((state, to), set())
        assigned = role == "provider" and state != "submitted"
        if to == state:
            return False  # 改派 names a performer; these name none
        return role in who or ("assignee" in who and assigned) or ("requester" in who and role == "family")

    return [op for op in ops if not legal(op["payload"]["to"])]


def _answered(town: Town, client: object, ops: list[dict]) -> list[tuple[dict, dict]]:
    results = town.make.push(client, *ops)  # type: ignore[arg-type]
    # a provider sees no order that is not theirs
    return [(o, r) for o, r in zip(ops, results, strict=True) if r["code"] != "not_found"]


def test_two_people_decide_and_one_of_them_is_told(town: Town) -> None:
    order_id = town.order()
    town.done(town.village, order_id, "scheduled", 1)
    late = town.move(town.dispatcher, order_id, "rejected", 1, note="人手已满")
    assert (late["status"], late["code"]) == ("conflict", "stale_revision")
    assert late["current"]["revision"] == 2
    assert late["current"]["state"] == "scheduled"
    assert late["current"]["by"] == town.village.user_id
    assert "已排班" in late["detail"]
    assert town.record(order_id)["state"] == "scheduled"


def test_a_revision_from_the_future_is_stale_too(town: Town) -> None:
    order_id = town.order()
    assert town.move(town.village, order_id, "scheduled", 9)["code"] == "stale_revision"


def test_the_same_step_sent_twice_is_taken_once(town: Town) -> None:
    order_id = town.order()
    op = town.op(town.village, order_id, "scheduled", 1)
    first, again = town.make.push(town.village, op, op)
    assert (first["status"], again["status"]) == ("applied", "duplicate")
    assert again["revision"] == 2
    assert town.record(order_id)["revision"] == 2


def test_whole_rounds_done_without_signal_arrive_in_one_batch(town: Town) -> None:
    order_id = town.bring_to("scheduled")
    way = ["accepted", "en_route", "in_service", "done"]
    ops = [town.op(town.provider, order_id, to, base) for base, to in enumerate(way, start=2)]
    assert [r["status"] for r in town.make.push(town.provider, *ops)] == ["applied"] * 4
    assert town.record(order_id)["state"] == "done"


def test_field_work_is_kept_on_an_order_that_was_cancelled_meanwhile(town: Town) -> None:
    order_id = town.bring_to("accepted")
    town.done(town.family, order_id, "cancelled", 3)
    way = [("en_route", 3), ("in_service", 4), ("done", 5)]
    ops = [town.op(town.provider, order_id, to, base, note="已洗好，血压 130/80") for to, base in way]
    results = town.make.push(town.provider, *ops)
    assert [r["status"] for r in results] == ["conflict"] * 3
    assert "kept" not in results[0]["current"]
    assert results[2]["current"]["state"] == "cancelled"
    assert results[2]["current"]["kept"]["to"] == "done"
    town.make.push(town.provider, *ops)  # a phone that did not hear the answer
    record = town.record(order_id)
    assert (record["state"], record["revision"]) == ("cancelled", 4)
    kept = [e for e in record["events"] if e["kept_only"]]
    assert [(e["to"], e["note"]) for e in kept] == [
        ("in_service", "已洗好，血压 130/80"),
        ("done", "已洗好，血压 130/80"),
    ]


def test_field_work_of_somebody_the_order_was_taken_from_is_kept(town: Town) -> None:
    order_id = town.bring_to("scheduled")
    town.done(town.village, order_id, "scheduled", 2, assignee_id=town.nurse.user_id)
    assert town.provider.get(f"/api/orders/{order_id}").status_code == 404
    result = town.move(town.provider, order_id, "done", 5, note="其实已经做了")
    assert (result["status"], result["code"]) == ("conflict", "stale_revision")
    assert [e["note"] for e in town.record(order_id)["events"] if e["kept_only"]] == ["其实已经做了"]
    assert town.move(town.provider, order_id, "accepted", 2)["code"] == "not_found"


def test_a_stranger_adds_no_field_work(town: Town) -> None:
    order_id = town.bring_to("scheduled")
    other = town.make.signed_in("provider")
    assert town.move(other, order_id, "done", 5)["code"] == "not_found"
    assert town.move(town.doctor, order_id, "done", 5)["code"] == "stale_revision"
    assert not [e for e in town.record(order_id)["events"] if e["kept_only"]]


def test_what_a_new_performer_needs_comes_with_the_next_pull(town: Town) -> None:
    order_id = town.order()
    cursor = town.provider.get("/api/sync/pull").get_json()["cursor"]
    town.done(town.village, order_id, "scheduled", 1, assignee_id=town.provider.user_id)
    page = town.provider.get(f"/api/sync/pull?cursor={cursor}").get_json()
    assert [(c["kind"], c["revision"]) for c in page["changes"]] == [
        ("order.create", 1),
        ("order.transition", 2),
    ]
    town.done(town.dispatcher, order_id, "scheduled", 2, assignee_id=town.nurse.user_id)
    page = town.provider.get(f"/api/sync/pull?cursor={page['cursor']}").get_json()
    assert {"id": order_id} in page["removed"]


def test_a_performer_of_another_town_cannot_be_sent(town: Town) -> None:
    far = town.make.user("provider", place_code=OTHER_TOWN)
    order_id = town.order()
    for wrong in (town.make.user_id(far), town.family.user_id, "nobody"):
        result = town.move(town.village, order_id, "scheduled", 1, assignee_id=wrong)
        assert result["code"] == "invalid"
        assert result["errors"][0]["pointer"] == "/payload/assignee_id"


def test_an_order_nobody_was_named_for_belongs_to_who_takes_it(town: Town) -> None:
    order_id = town.order()
    town.done(town.dispatcher, order_id, "scheduled", 1)
    assert town.move(town.provider, order_id, "accepted", 2)["code"] == "not_found"
    town.done(town.village, order_id, "accepted", 2)
    assert town.record(order_id)["assignee_id"] == town.village.user_id
    assert town.move(town.nurse, order_id, "en_route", 3)["code"] == "forbidden"


def test_cancelling_within_two_hours_is_marked(town: Town) -> None:
    early, late = town.bring_to("scheduled"), town.bring_to("accepted")
    town.set(late, scheduled_at=clock.now() + timedelta(minutes=90))
    town.done(town.family, early, "cancelled", 2)
    town.done(town.family, late, "cancelled", 3)
    assert not town.record(early)["late_cancel"]
    assert town.record(late)["late_cancel"]


def test_a_performer_who_cancels_gives_a_reason(town: Town) -> None:
    order_id = town.bring_to("accepted")
    result = town.move(town.provider, order_id, "cancelled", 3)
    assert (result["code"], result["errors"][0]["pointer"]) == ("invalid", "/payload/note")
    town.done(town.provider, order_id, "cancelled", 3, note="车坏在路上")


def test_what_the_family_leaves_unconfirmed_confirms_itself_after_three_days_once(town: Town) -> None:
    old, fresh = town.bring_to("done"), town.bring_to("done")
    town.set(old, updated_at=clock.now() - timedelta(hours=72, minutes=1))
    town.set(fresh, updated_at=clock.now() - timedelta(hours=71))
    with town.app.app_context():
        assert service.confirm_overdue() == 1
        assert service.confirm_overdue() == 0
    record = town.record(old)
    assert (record["state"], record["revision"]) == ("confirmed", 7)
    assert record["events"][-1]["by"] == "system"
    assert town.record(fresh)["state"] == "done"
    changes = town.family.get("/api/sync/pull").get_json()["changes"]
    assert [c["author_id"] for c in changes if c["id"] == old][-1] == "system"


BAD_ORDERS = [
    ("service", "X99"), ("service", "H03"), ("service", "E01"), ("service", ""), ("service", 5),
    ("wanted_at", in_days(-3)), ("wanted_at", in_days(400)), ("wanted_at", "2026-02-30T09:00:00+08:00"),
    ("wanted_at", "tomorrow"), ("wanted_at", "2026-06-01T09:00:00"), ("wanted_at", None),
    ("wanted_at", "0001-01-01T00:00:00+14:00"), ("wanted_at", "9999-12-31T23:59:59-12:00"),
    ("phone", "120"), ("phone", "12345"), ("phone", "１２"), ("phone", ""), ("phone", 13812345678),
    ("address", "长" * 201), ("note", "长" * 501), ("note", None), ("patient_id", ""), ("patient_id", None),
    ("surprise", 1),
]  # fmt: skip


def test_a_bad_order_is_refused_by_the_name_of_its_field_and_nothing_is_kept(town: Town) -> None:
    ops = [
        town.make.op(town.family, "order.create", town.wish(**{name: value})) for name, value in BAD_ORDERS
    ]
    for (name, value), result in zip(BAD_ORDERS, town.make.push(town.family, *ops), strict=True):
        assert (result["status"], result["code"]) == ("rejected", "invalid"), (name, value, result)
        assert result["errors"][0]["pointer"] == f"/payload/{name}", (name, value, result)
        assert any("\u4e00" <= ch <= "\u9fff" for ch in result["errors"][0]["message"]), result
    assert not [
        c for c in town.family.get("/api/sync/pull").get_json()["changes"] if c["kind"] == "order.create"
    ]


BAD_STEPS = [
    ("to", "flying"), ("to", "draft"), ("to", None), ("note", 5), ("note", "长" * 501), ("order_id", 7),
    ("scheduled_at", "soon"), ("scheduled_at", in_days(-3)), ("scheduled_at", in_days(500)),
    ("assignee_id", 5), ("rating", {"overall": 5}), ("surprise", True),
]  # fmt: skip


def test_a_bad_step_is_refused_by_the_name_of_its_field(town: Town) -> None:
    order_id = town.order()
    ops = []
    for name, value in BAD_STEPS:
        payload = {"order_id": order_id, "to": "scheduled", name: value}
        ops.append(town.make.op(town.village, "order.transition", payload, base_revision=1))
    for (name, value), result in zip(BAD_STEPS, town.make.push(town.village, *ops), strict=True):
        assert (result["status"], result["code"]) == ("rejected", "invalid"), (name, value, result)
        assert result["errors"][0]["pointer"].startswith(f"/payload/{name}"), (name, value, result)
    no_base = town.make.op(town.village, "order.transition", {"order_id": order_id, "to": "scheduled"})
    assert town.make.push(town.village, no_base)[0]["errors"][0]["pointer"] == "/base_revision"
    assert town.record(order_id)["revision"] == 1


BAD_RATINGS = [
    {}, {"overall": 0}, {"overall": 6}, {"overall": True}, {"overall": 4.5}, {"overall": "5"}, 5, None, [],
    {"overall": 5, "recommend": 11}, {"overall": 5, "by": "邻居"}, {"overall": 5, "x": 1},
]  # fmt: skip


def test_a_rating_out_of_range_is_refused_and_the_order_stays_done(town: Town) -> None:
    order_id = town.bring_to("done")
    ops = [town.op(town.family, order_id, "confirmed", 6, rating=rating) for rating in BAD_RATINGS]
    for rating, result in zip(BAD_RATINGS, town.make.push(town.family, *ops), strict=True):
        assert (result["status"], result["code"]) == ("rejected", "invalid"), rating
        assert result["errors"][0]["pointer"].startswith("/payload/rating"), rating
    assert town.record(order_id)["state"] == "done"


def test_staff_may_not_confirm_for_the_family(town: Town) -> None:
    order_id = town.bring_to("done")
    for client in (town.village, town.doctor, town.nurse, town.dispatcher, town.provider):
        assert town.move(client, order_id, "confirmed", 6)["code"] == "forbidden"


def test_orders_of_other_places_are_as_good_as_absent(town: Town) -> None:
    order_id = town.order()
    strangers = [
        town.make.signed_in(town.make.user("village", place_code=OTHER_VILLAGE)),
        town.make.signed_in(town.make.user("doctor", place_code=OTHER_TOWN)),
        town.make.signed_in(town.make.user("dispatcher", place_code=OTHER_TOWN)),
        town.make.signed_in("family"),
        town.make.signed_in("provider"),
    ]
    for client in strangers:
        assert client.get(f"/api/orders/{order_id}").status_code == 404
        assert client.get(f"/orders/{order_id}").status_code == 404
        assert town.move(client, order_id, "cancelled", 1, note="x")["code"] == "not_found"
        assert not client.get("/api/sync/pull").get_json()["changes"]
        assert town.ask(client)["code"] in ("not_found", "forbidden")
        assert (
            client.post(
                f"/orders/{order_id}/transition?base=1", data={"to": "cancelled"}, headers=SAME
            ).status_code
            == 404
        )
    for role in ("supervisor", "admin"):
        client = town.make.signed_in(role)
        assert client.get(f"/api/orders/{order_id}").status_code == 404
        assert town.ask(client)["code"] == "forbidden"


def test_hostile_words_come_back_as_they_were_and_harm_no_page(town: Town) -> None:
    nasty = "<script>alert(1)</script>'\"\u202e{{7*7}}{% raw %}\r\n=cmd|'/c calc'!A1 🧓🏽"
    order_id = town.order(note=nasty, address=nasty)
    assert town.record(order_id)["note"] == nasty
    town.done(town.village, order_id, "rejected", 1, note=nasty)
    for client, path in (
        (town.family, f"/orders/{order_id}"), (town.family, "/notices"), (town.family, "/orders"),
        (town.family, "/family"), (town.village, f"/orders/{order_id}"), (town.village, "/desk"),
    ):  # fmt: skip
        html = client.get(path).get_data(as_text=True)
        assert "<script>alert(1)" not in html
        assert "{{7*7}}" in html or "7*7" not in html


def test_who_comes_too_late_is_told_by_whom_and_since_when_the_order_is_otherwise(town: Town) -> None:
    order_id = town.bring_to("scheduled")
    revision = town.record(order_id)["revision"]
    town.done(town.family, order_id, "cancelled", revision, note="孩子回来了")
    late = town.move(town.provider, order_id, "accepted", revision)
    assert (late["status"], late["detail"]) == ("conflict", "订单已被家属取消")
    current = late["current"]
    assert (current["state"], current["state_words"]) == ("cancelled", "已取消")
    assert (current["by_name"], current["note"]) == ("小红", "孩子回来了")
    told = town.move(town.family, order_id, "cancelled", revision)
    assert told["current"]["state_words"] == "已取消"


def test_a_family_is_told_in_its_own_words(town: Town) -> None:
    order_id = town.order()
    town.done(town.village, order_id, "scheduled", 1)
    late = town.move(town.family, order_id, "cancelled", 1)
    assert late["current"]["state_words"] == "已预约"
    assert late["current"]["by_name"] == "李村医"
    assert "已预约" in late["detail"]
