"""The pages, and their forms posted without script."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from app.shared import clock
from tests.app.orders.town import Town, in_days

SAME = {"Origin": "http://localhost"}


def test_three_choices_make_an_order_without_script(town: Town) -> None:
    page = town.family.get("/orders/new").get_data(as_text=True)
    times = re.findall(r'name="wanted_at"\s+value="([^"]+)"', page)
    assert times[:2] == [
        f"{clock.today() + timedelta(days=1)}T{hour}:00+08:00" for hour in ("09:00", "14:00")
    ]
    assert "13812345678" in page
    assert town.patient in page
    form = {
        "patient_id": town.patient,
        "service": "Y02",
        "wanted_at": times[0],
        "phone": "13812345678",
        "note": "",
    }
    answer = town.family.post("/orders", data=form, headers=SAME)
    assert answer.status_code == 303
    order_id = answer.headers["Location"].rsplit("/", 1)[1]
    assert town.record(order_id)["wanted_at"] == times[0]


def test_a_day_of_ones_own_is_picked_without_script(town: Town) -> None:
    day = (clock.today() + timedelta(days=5)).isoformat()
    form = {
        "patient_id": town.patient,
        "service": "M02",
        "wanted_at": "pick",
        "wanted_on": day,
        "wanted_hour": "14:00",
        "phone": "13812345678",
    }
    answer = town.family.post("/orders", data=form, headers=SAME)
    order_id = answer.headers["Location"].rsplit("/", 1)[1]
    assert town.record(order_id)["wanted_at"] == in_days(5, 14)


@pytest.mark.parametrize(
    "spoiled",
    [{"phone": "12"}, {"wanted_at": "pick"}, {"service": "H03"}, {"wanted_at": "x" * 99}, {"service": ""}],
)
def test_a_bad_order_shows_the_form_again_with_the_reason(town: Town, spoiled: dict[str, str]) -> None:
    form = {**town.wish(), **spoiled}
    answer = town.family.post("/orders", data=form, headers=SAME)
    assert answer.status_code == 422
    html = answer.get_data(as_text=True)
    assert 'class="message fault' in html
    assert 'id="order-form"' in html


def test_the_desk_takes_an_order_in_without_script(town: Town) -> None:
    order_id = town.order()
    assert f'id="record-{order_id}"' in town.village.get("/desk").get_data(as_text=True)
    form = {
        "order_id": order_id,
        "to": "scheduled",
        "scheduled_at": in_days(2)[:16],
        "assignee_id": town.provider.user_id,
        "note": "",
    }
    answer = town.village.post(f"/orders/{order_id}/transition?base=1&back=desk", data=form, headers=SAME)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/desk")
    record = town.record(order_id)
    assert (record["state"], record["scheduled_at"], record["assignee_name"]) == (
        "scheduled",
        in_days(2),
        "梅小暖",
    )


def test_rejecting_without_a_reason_shows_the_sheet_again(town: Town) -> None:
    order_id = town.order()
    form = {"order_id": order_id, "to": "rejected", "note": " "}
    answer = town.village.post(f"/orders/{order_id}/transition?base=1", data=form, headers=SAME)
    assert answer.status_code == 422
    html = answer.get_data(as_text=True)
    assert "请写明原因" in html
    assert re.search(rf'<dialog[^>]*id="reject-{order_id}"[^>]*\sopen', html)


def test_a_stale_form_says_what_the_order_is_now(town: Town) -> None:
    order_id = town.order()
    town.done(town.village, order_id, "scheduled", 1)
    answer = town.family.post(f"/orders/{order_id}/transition?base=1", data={"to": "cancelled"}, headers=SAME)
    assert answer.status_code == 409
    assert "已预约" in answer.get_data(as_text=True)
    for base in ("", "0", "-1", "x", "1" * 20):
        answer = town.family.post(
            f"/orders/{order_id}/transition?base={base}", data={"to": "cancelled"}, headers=SAME
        )
        assert answer.status_code == 422


def test_the_family_confirms_and_rates_without_script(town: Town) -> None:
    order_id = town.bring_to("done")
    assert "这次满意吗" in town.family.get(f"/orders/{order_id}").get_data(as_text=True)
    form = {
        "to": "confirmed",
        "rating.overall": "5",
        "rating.comment": "12",
        "rating.skill": "",
        "rating.by": "家属",
    }
    answer = town.family.post(f"/orders/{order_id}/transition?base=6", data=form, headers=SAME)
    assert answer.status_code == 303
    assert town.record(order_id)["rating"]["comment"] == "12"
    assert "满意" in town.family.get(f"/orders/{order_id}").get_data(as_text=True)


def test_confirming_without_a_mark_loses_no_word(town: Town) -> None:
    order_id = town.bring_to("done")
    form = {"to": "confirmed", "rating.comment": "下次早点来", "rating.by": "家属"}
    answer = town.family.post(f"/orders/{order_id}/transition?base=6", data=form, headers=SAME)
    assert answer.status_code == 303
    record = town.record(order_id)
    assert (record["rating"], record["events"][-1]["note"]) == (None, "下次早点来")


def test_the_performer_has_one_main_button_for_the_next_step(town: Town) -> None:
    words = {"scheduled": "接单", "accepted": "出发", "en_route": "开始服务", "in_service": "完成"}
    for state, button in words.items():
        html = town.provider.get(f"/orders/{town.bring_to(state)}").get_data(as_text=True)
        forms = re.findall(r'<form autocomplete="off" id="move-(\w+)"[^>]*?(hidden)?>', html, re.DOTALL)
        assert [hidden for _, hidden in forms].count("") == 1
        assert f">{button}</button>" in html


def test_the_family_is_shown_its_own_words_and_no_staff_words(town: Town) -> None:
    html = town.family.get(f"/orders/{town.bring_to('scheduled')}").get_data(as_text=True)
    assert "已预约" in html
    assert "已排班" not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert "tel:13700000002" in html  # who comes can be called


def test_staff_come_with_a_person_or_look_for_one(town: Town) -> None:
    html = town.village.get(f"/orders/new?patient={town.patient}").get_data(as_text=True)
    assert "给安心宁点服务" in html
    found = town.dispatcher.get("/orders/new?q=axn").get_data(as_text=True)
    assert f"/orders/new?patient={town.patient}" in found
    assert town.village.get("/orders/new?patient=nobody").status_code == 404
    answer = town.village.get(f"/orders/new?patient={town.patient}")
    assert "X-Page-Rev" not in answer.headers  # a phone must not keep one person's form as everybody's


def test_the_pack_holds_the_order_pages_a_role_needs_and_the_routes_give_the_same(town: Town) -> None:
    order_id = town.bring_to("scheduled")
    wanted = {
        town.family: {"/family", "/orders", "/orders/new", f"/orders/{order_id}"},
        town.village: {"/desk", "/orders", "/orders/new", f"/orders/{order_id}"},
        town.dispatcher: {"/desk", "/orders", f"/orders/{order_id}"},
        town.provider: {"/orders", f"/orders/{order_id}"},
    }
    for client, urls in wanted.items():
        lines = [json.loads(line) for line in client.get("/api/pack").get_data(as_text=True).splitlines()]
        pages = {line["url"]: line for line in lines if line["t"] == "page"}
        assert urls <= pages.keys()
        for url in urls:
            answer = client.get(url)
            assert answer.get_data(as_text=True) == pages[url]["html"]
            assert answer.headers["X-Page-Rev"] == pages[url]["rev"]


def test_an_order_taken_away_leaves_the_pack(town: Town) -> None:
    order_id = town.bring_to("scheduled")
    cursor = json.loads(town.provider.get("/api/pack").get_data(as_text=True).splitlines()[-1])["cursor"]
    town.done(town.village, order_id, "scheduled", 2, assignee_id=town.nurse.user_id)
    text = town.provider.get(f"/api/pack?cursor={cursor}").get_data(as_text=True)
    assert {"t": "gone", "url": f"/orders/{order_id}"} in [json.loads(line) for line in text.splitlines()]


def test_roles_without_orders_find_the_doors_shut(town: Town) -> None:
    assert town.provider.get("/desk").status_code == 403
    assert town.family.get("/desk").status_code == 403
    assert town.provider.get("/orders/new").status_code == 403
    assert town.make.signed_in("admin").get("/orders").status_code == 403
