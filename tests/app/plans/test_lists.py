"""The pages 今日 and 老人: order, counts, scope, the index, and how much is asked of the database."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import event

from app.extensions import db, writing
from app.patients.models import Patient
from app.plans import listing, queries
from app.plans.index import COLUMNS, embedded, index, short
from app.plans.models import PlanItem
from app.plans.queries import Due, Row
from app.shared import clock
from app.shared.ids import new_id
from tests.app.visits.sheets import EMERGENCY, payload
from tests.factories import NEXT_VILLAGE, OTHER_TOWN, OTHER_VILLAGE

TODAY = clock.today()


def day(offset):
    return TODAY + timedelta(days=offset)


def a_row(name="某人", due=0, colour="green", emergency=False, visited=None, village="向阳村", **given):
    made = {
        "id": new_id(), "name": name, "py": "mr", "sex": "2", "birth_date": day(-29000),
        "village_code": "370406102101", "village": village, "town_code": "370406102", "town": "西集镇",
        "phone4": "0123", "colour": colour, "emergency": emergency,
        "due": () if due is None else (Due("高血压随访", "hypertension", day(due)),),
        "visited_on": None if visited is None else day(visited),
    }  # fmt: skip
    return Row(**{**made, **given})


def names(rows):
    return [row.name for row in rows]


def test_the_most_urgent_come_first():
    rows = [
        a_row("绿 逾期 9", due=-9), a_row("黄 今天", colour="yellow"),
        a_row("红 逾期 1", due=-1, colour="red"),
        a_row("红 逾期 5", due=-5, colour="red"), a_row("危急 逾期 1", due=-1, colour="red", emergency=True),
        a_row("红 今天", colour="red"), a_row("待评 逾期 3", due=-3, colour="unrated"),
        a_row("红 以后", due=3, colour="red"), a_row("红 已访", due=30, colour="red", visited=0),
    ]  # fmt: skip
    order = names(queries.ordered(rows, "urgency", TODAY))
    assert order == [
        "危急 逾期 1", "红 逾期 5", "红 逾期 1", "待评 逾期 3", "绿 逾期 9",
        "红 今天", "黄 今天", "红 以后", "红 已访",
    ]  # fmt: skip
    assert names(queries.ordered(rows, "due", TODAY))[0] == "绿 逾期 9"


def test_counts_and_bands_agree():
    rows = [a_row(due=-1), a_row(due=0), a_row(due=0), a_row(due=2), a_row(due=40), a_row(due=14, visited=0)]
    assert listing.state_counts(rows, TODAY) == {"todo": 3, "late": 1, "done": 1, "all": 6}
    todo = listing.bands(rows, listing.choice("today", {}), TODAY)
    assert [(band["word"], len(band["rows"])) for band in todo] == [("逾期", 1), ("今天", 2), ("以后", 1)]
    done = listing.bands(rows, listing.choice("today", {"state": "done"}), TODAY)
    assert [(band["word"], len(band["rows"])) for band in done] == [("已访", 1)]


@pytest.mark.parametrize(
    ("text", "found"),
    [("张秀", True), ("zxl", True), ("ZX", True), ("xl", False), ("向阳", True), ("0123", True), ("23", True),
     ("13900000123", True), ("24", False), ("", True), ("  ", True), ("<script>", False)],
)  # fmt: skip
def test_search_by_name_initials_village_and_phone(text, found):
    assert listing.matches(a_row("张秀兰", py="zxl"), text) is found


def test_what_is_no_filter_counts_as_not_said():
    chosen = listing.choice("today", {"state": "x", "sort": "'; drop", "grade": "blue", "q": "a" * 500})
    assert (chosen.state, chosen.sort, chosen.grade, len(chosen.q)) == ("todo", "urgency", "", 50)


def test_six_hundred_people_make_a_small_index():
    rows = [a_row(f"张秀{chr(0x4E00 + n)}", due=n % 90 - 10, visited=-n % 90) for n in range(600)]
    block = embedded(index(rows, TODAY))
    assert len(block.encode()) < 45_000
    panel = json.loads(block)
    assert panel["name"][7] == rows[7].name
    columns = {key: panel[key].split(" ") for key in COLUMNS}
    assert {len(column) for column in columns.values()} == {600}


def test_the_index_cannot_leave_its_script_element():
    block = embedded(index([a_row("</script><b>&")], TODAY))
    assert "<" not in block and ">" not in block and "&" not in block
    assert json.loads(block)["name"][0] == "</script><b>&"


def panel_of(client, url="/today"):
    answer = client.get(url)
    assert answer.status_code == 200
    html = answer.get_data(as_text=True)
    return html, json.loads(re.search(r'id="panel">(.*?)</script>', html, re.S)[1])


def test_the_list_holds_the_panel_and_nobody_else(make):
    mine = make.patient(name="张秀兰", conditions=["hypertension"])
    make.patient(name="别队人", village_id=OTHER_VILLAGE)
    html, panel = panel_of(make.signed_in("doctor"))
    assert panel["name"] == ["张秀兰"] and panel["id"] == short(mine)
    assert "别队人" not in html
    assert panel_of(make.signed_in("village"))[1]["name"] == ["张秀兰"]
    other = make.user("doctor", place_code=OTHER_TOWN)
    assert panel_of(make.signed_in(other))[1]["name"] == ["别队人"]


def test_rows_are_plain_links_and_filters_work_on_the_server(make):
    patient = make.patient(name="张秀兰")
    make.patient(name="李德福", village_id=NEXT_VILLAGE)
    client = make.signed_in("doctor")
    html = client.get("/patients").get_data(as_text=True)
    assert f'href="/patients/{patient}"' in html

    def shown(query):
        return set(re.findall(r"<b>(张秀兰|李德福)</b>", client.get(query).get_data(as_text=True)))

    assert shown("/patients") == {"张秀兰", "李德福"}
    assert shown("/patients?q=zxl") == {"张秀兰"}
    assert shown(f"/patients?village={NEXT_VILLAGE}") == {"李德福"}
    assert shown("/patients?grade=red") == set()
    assert shown("/today?q=李") == {"李德福"}


def test_a_visited_person_moves_to_the_visited(make):
    patient = make.patient(name="张秀兰", conditions=["hypertension"])
    client = make.signed_in("doctor")
    make.push(client, make.op(client, "visit.create", payload(patient, answers=EMERGENCY)))
    html = client.get("/today?state=done").get_data(as_text=True)
    assert "<b>张秀兰</b>" in html and "危急" in html
    assert "<b>张秀兰</b>" not in client.get("/today").get_data(as_text=True).split('id="panel"')[0]


def test_who_may_open_which_list(make):
    answers = {
        role: [make.signed_in(role).get(url).status_code for url in ("/today", "/patients")]
        for role in (
            "doctor",
            "nurse",
            "village",
            "manager",
            "family",
            "provider",
            "dispatcher",
            "supervisor",
        )
    }
    assert answers == {
        "doctor": [200, 200], "nurse": [200, 200], "village": [200, 200], "manager": [403, 200],
        "family": [403, 403], "provider": [403, 403], "dispatcher": [403, 403], "supervisor": [403, 403],
    }  # fmt: skip


def test_a_hostile_name_is_shown_as_it_is_written(make):
    make.patient(name='<img src=x onerror="a()">')
    html, _ = panel_of(make.signed_in("doctor"), "/patients")
    assert "<img src=x" not in html and "&lt;img src=x" in html


def test_the_revision_of_the_list_follows_its_people(make):
    patient = make.patient(conditions=["hypertension"])
    client = make.signed_in("doctor")
    before = client.get("/today").headers["X-Page-Rev"]
    assert client.get("/today").headers["X-Page-Rev"] == before
    make.push(client, make.op(client, "visit.create", payload(patient)))
    assert client.get("/today").headers["X-Page-Rev"] != before


def test_the_list_asks_as_little_for_many_as_for_few(app, make):
    make.patient()
    doctor = make.signed_in("doctor")
    few = statements(app, lambda: doctor.get("/today"))
    many_patients(app, 60)
    assert statements(app, lambda: doctor.get("/today")) == few < 30


def statements(app, work) -> int:
    """How many statements `work` sends to the database."""
    seen = []
    with app.app_context():
        engine = db.engine
    listener = lambda *given: seen.append(given[2])  # noqa: E731
    event.listen(engine, "before_cursor_execute", listener)
    try:
        work()
    finally:
        event.remove(engine, "before_cursor_execute", listener)
    return len(seen)


def many_patients(app, count: int) -> None:
    """So many more people in 向阳村, each with something due."""
    with app.app_context():
        token = writing.set(True)
        pattern = db.session.query(Patient).first()
        columns = {c.key: getattr(pattern, c.key) for c in Patient.__mapper__.column_attrs}
        for number in range(count):
            new = {**columns, "id": new_id(), "id_card_index": f"{number:064d}", "name": f"老人{number}"}
            db.session.add(Patient(**new))
            db.session.flush()
            db.session.add(
                PlanItem(id=new_id(), patient_id=new["id"], form="adl", label="生活自理能力评估",
                         due_on=clock.today(), why="routine")
            )  # fmt: skip
        db.session.commit()
        writing.reset(token)
