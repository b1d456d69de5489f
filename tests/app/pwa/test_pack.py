"""The visit pack as SYNC §2 and DESIGN §4 describe it."""

import base64
import json
from datetime import timedelta

import pytest

from app.patients.models import Patient
from app.pwa import pack, registry
from app.pwa.registry import PackPage
from app.shared import clock
from app.sync import feed
from tests.factories import OTHER_TEAM, OTHER_VILLAGE


@pytest.fixture
def patient_pages(monkeypatch):
    """A room whose only pages are those of the patients a doctor sees."""

    def pages_of(user):
        from app.extensions import db
        from app.patients import scope

        found = list(
            db.session.scalars(db.select(Patient.id).where(scope.condition(user)).order_by(Patient.id))
        )
        touched = feed.touched(found)
        for number in found:
            yield PackPage(f"/patients/{number}", touched.get(number, 0), lambda n=number: f"<p>{n}</p>")

    monkeypatch.setattr(registry, "_pages", [pages_of])
    monkeypatch.setattr(registry, "_gone", [])
    return pages_of


def fetch(client, cursor=""):
    answer = client.get("/api/pack", query_string={"cursor": cursor})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.mimetype == "application/x-ndjson"
    assert answer.headers["Cache-Control"] == "no-store"
    lines = [json.loads(line) for line in answer.get_data(as_text=True).splitlines()]
    assert lines[0]["t"] == "pack" and lines[-1]["t"] == "end"
    return lines[0], lines[1:-1], lines[-1]


def held(*bodies):
    """What a phone holds that took these packs one after the other."""
    found = {}
    for lines in bodies:
        for line in lines:
            if line["t"] == "page":
                found[line["url"]] = line["rev"]
            else:
                found.pop(line["url"], None)
    return found


def test_a_first_pack_brings_every_page_in_scope(make, patient_pages) -> None:
    doctor = make.signed_in("doctor")
    mine = {f"/patients/{make.patient()}" for _ in range(3)}
    make.patient(village_id=OTHER_VILLAGE)
    head, lines, end = fetch(doctor)
    assert head["user"] == doctor.user_id and head["total"] == 3 and head["epoch"] and head["expires_at"]
    assert {line["url"] for line in lines} == mine
    assert end["count"] == 3 and end["digest"] == pack.digest(held(lines))


def test_the_head_tells_the_key_the_policy_and_when_the_pages_are_too_old(make, patient_pages) -> None:
    doctor = make.signed_in("doctor")
    make.app.config["OFFLINE_HOURS"] = 24
    head, _, _ = fetch(doctor)
    me = doctor.get("/api/auth/me").get_json()
    assert (head["seal"], head["policy"]) == (me["seal"], me["policy"])
    left = clock.parse_moment(head["expires_at"]) - clock.now()
    assert timedelta(hours=23) < left <= timedelta(hours=24)


def test_when_nothing_changed_the_pack_is_tiny(make, patient_pages) -> None:
    doctor = make.signed_in("doctor")
    make.patient()
    _, lines, end = fetch(doctor)
    answer = doctor.get("/api/pack", query_string={"cursor": end["cursor"]})
    assert len(answer.data) < 1024
    assert json.loads(answer.data.splitlines()[-1])["digest"] == pack.digest(held(lines))


def test_only_what_changed_is_sent_again(make, patient_pages) -> None:
    doctor = make.signed_in("doctor")
    patient, other = make.patient(), make.patient()
    _, first, end = fetch(doctor)
    changed = {"patient_id": patient, "phone": "13900009999"}
    make.push(doctor, make.op(doctor, "patient.update", changed, base_revision=1))
    _, second, end = fetch(doctor, end["cursor"])
    assert [line["url"] for line in second] == [f"/patients/{patient}"]
    assert end["digest"] == pack.digest(held(first, second)) and end["count"] == 2
    assert f"/patients/{other}" in held(first, second)


def test_a_patient_who_left_is_gone(make, patient_pages, app) -> None:
    from app.extensions import db, writing
    from app.patients import scope

    doctor = make.signed_in("doctor")
    patient = make.patient()
    _, first, end = fetch(doctor)
    with app.app_context():
        token = writing.set(True)
        row = db.session.get_one(Patient, patient)
        row.village_code, row.team_id = OTHER_VILLAGE, OTHER_TEAM
        feed.depart(patient, [f"user:{doctor.user_id}"])
        db.session.commit()
        seen = db.session.scalar(db.select(Patient.id).where(scope.condition(make.get_user(doctor.username))))
        writing.reset(token)
    assert seen is None
    _, second, end = fetch(doctor, end["cursor"])
    assert second == [{"t": "gone", "url": f"/patients/{patient}"}]
    assert end["count"] == 0 and held(first, second) == {}


def test_a_new_build_sends_everything_and_still_says_what_is_gone(make, patient_pages, monkeypatch) -> None:
    doctor = make.signed_in("doctor")
    make.patient()
    _, _, end = fetch(doctor)
    monkeypatch.setattr(registry, "build", lambda: "otherbuild")
    monkeypatch.setattr(pack, "build", lambda: "otherbuild")
    _, lines, _ = fetch(doctor, end["cursor"])
    assert len(lines) == 1 and lines[0]["rev"].startswith("otherbuild-")


def as_cursor(*parts):
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    ["x", "====", "W10", "bnVsbA", "\u6696", as_cursor("1", "b", "u", "e"), as_cursor(1, 2), "A" * 5000],
)
def test_a_cursor_nobody_made_begins_again(make, patient_pages, cursor) -> None:
    answer = make.signed_in("doctor").get("/api/pack", query_string={"cursor": cursor})
    assert answer.status_code == 410
    assert answer.mimetype == "application/problem+json" and answer.get_json()["code"] == "cursor_unknown"


def test_a_cursor_of_somebody_else_of_another_database_or_of_the_future_begins_again(
    make, patient_pages, app
) -> None:
    doctor, other = make.signed_in("doctor"), make.signed_in("doctor")
    _, _, end = fetch(other)
    with app.app_context():
        epoch = feed.epoch()
    foreign = [
        end["cursor"],
        as_cursor(0, "b", doctor.user_id, "another epoch"),
        as_cursor(10**9, "b", doctor.user_id, epoch),
        as_cursor(-1, "b", doctor.user_id, epoch),
        as_cursor(True, "b", doctor.user_id, epoch),
    ]
    for cursor in foreign:
        assert doctor.get("/api/pack", query_string={"cursor": cursor}).status_code == 410


def test_without_a_session_the_pack_is_a_problem_not_a_page(client) -> None:
    answer = client.get("/api/pack")
    assert answer.status_code == 401 and answer.get_json()["code"] == "session_expired"


def test_one_page_that_cannot_be_rendered_does_not_keep_the_others_back(make, monkeypatch, caplog) -> None:
    def broken():
        raise ValueError("宁如意")

    pages = [PackPage("/a", 1, lambda: "<p>a</p>"), PackPage("/b", 1, broken)]
    monkeypatch.setattr(registry, "_pages", [lambda user: pages])
    _, lines, end = fetch(make.signed_in("doctor"))
    assert [line["t"] for line in lines] == ["page", "gone"]
    assert end["count"] == 1 and end["digest"] == pack.digest(held(lines))
    assert "宁如意" not in caplog.text


@pytest.mark.parametrize(
    "role", ["doctor", "nurse", "village", "family", "dispatcher", "provider", "manager"]
)
def test_a_packed_page_is_the_page_its_own_address_gives(make, role) -> None:
    client = make.signed_in(role)
    patient = make.patient()
    if role == "family":
        make.bind(client.username, patient)
    _, lines, end = fetch(client)
    assert end["count"] == len(lines) and "/outbox" in held(lines)
    for line in lines:
        answer = client.get(line["url"])
        assert answer.status_code == 200, line["url"]
        assert answer.headers.get("X-Page-Rev") == line["rev"], line["url"]
        assert answer.headers["X-Page-User"] == client.user_id
        assert answer.get_data(as_text=True) == line["html"], line["url"]


def test_every_page_names_its_reader_so_that_a_portal_cannot_pass_for_one(make) -> None:
    doctor = make.signed_in("doctor")
    _, lines, _ = fetch(doctor)
    assert all(f'data-user="{doctor.user_id}"' in line["html"] for line in lines)


def test_a_pack_asked_for_after_a_pause_is_whole(make, monkeypatch) -> None:
    """After a minute of silence the contact is noted, which expires whoever was loaded before."""
    doctor = make.signed_in("doctor")
    make.patient(name="安心宁")
    later = clock.now() + timedelta(minutes=5)
    monkeypatch.setattr(clock, "now", lambda: later)
    _, lines, end = fetch(doctor)
    assert end["count"] == len(lines) > 4
    assert all(line["t"] == "page" for line in lines)
