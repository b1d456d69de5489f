"""The list that follows signing in: whoever has a row on it, and the rest when the pack is there."""

from __future__ import annotations

import pytest

from tests.factories import PASSWORD

PANEL = 'id="panel"'
DOOR = {"Referer": "http://localhost/sign-in?next=%2Ftoday"}


@pytest.mark.parametrize("url", ["/today", "/patients"])
def test_after_the_door_the_list_is_the_same_but_for_those_without_a_row(make, url: str) -> None:
    doctor = make.signed_in("doctor")
    for _ in range(3):
        make.patient()
    whole = doctor.get(url)
    first = doctor.get(url, headers=DOOR)
    html, left = whole.get_data(as_text=True), first.get_data(as_text=True)
    before, _, rest = html.partition(f'<script type="application/json" {PANEL}>')
    assert left == before + rest.partition("</script>")[2]
    assert PANEL in html and PANEL not in left and '"rows"' not in left
    assert left.count('class="row"') == html.count('class="row"') > 0
    assert first.headers["X-Page-User"] == doctor.user_id


def test_what_is_left_out_is_never_kept_on_a_phone(make) -> None:
    doctor = make.signed_in("doctor")
    make.patient()
    assert "X-Page-Rev" in doctor.get("/today").headers
    first = doctor.get("/today", headers=DOOR)
    assert "X-Page-Rev" not in first.headers and first.headers["Cache-Control"] == "no-store"
    # The page itself says which version it is, so that the whole one takes its place only if it is another.
    assert doctor.get("/today").headers["X-Page-Rev"] in first.get_data(as_text=True)


@pytest.mark.parametrize(
    "referrer",
    [None, "http://localhost/today", "http://localhost/unlock?next=%2Ftoday", "nonsense", "http://["],
)
def test_from_anywhere_else_the_list_has_everybody(make, referrer: str | None) -> None:
    doctor = make.signed_in("doctor")
    make.patient()
    answer = doctor.get("/today", headers={"Referer": referrer} if referrer else {})
    assert PANEL in answer.get_data(as_text=True)


def test_a_choice_made_before_the_others_are_there_is_answered_in_full(make) -> None:
    doctor = make.signed_in("doctor")
    make.patient()
    assert PANEL in doctor.get("/today?state=all", headers=DOOR).get_data(as_text=True)


@pytest.mark.parametrize(
    ("role", "home"),
    [("doctor", "/today"), ("manager", "/patients"), ("family", "/family"), ("dispatcher", "/desk")],
)
def test_signing_in_leads_straight_home(client, make, role: str, home: str) -> None:
    username = make.user(role)
    for asked in ({}, {"next": ""}, {"next": "/"}):
        answer = client.post(
            "/sign-in",
            data={"username": username, "password": PASSWORD, **asked},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        assert (answer.status_code, answer.headers["Location"]) == (303, home)
