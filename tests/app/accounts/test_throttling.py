"""Guessing is slowed down by name and address; a township behind one address is not locked out."""

from __future__ import annotations

from tests.app.accounts.door import login, pass_by, post
from tests.factories import PASSWORD


def test_guessing_waits_longer_each_time_and_the_right_password_waits_too(make, client, monkeypatch) -> None:
    doctor = make.user("doctor")
    for _ in range(5):
        assert login(client, doctor, "wrong").status_code == 401
    for wait in (60, 120, 240, 480, 900, 900):
        answer = login(client, doctor)
        assert answer.status_code == 429, wait
        assert wait - 5 <= int(answer.headers["Retry-After"]) <= wait + 1
        pass_by(monkeypatch, seconds=wait + 1)
        assert login(client, doctor, "wrong").status_code == 401, wait
    pass_by(monkeypatch, seconds=901)
    assert login(client, doctor).status_code == 200
    assert login(client, doctor, "wrong").status_code == 401  # begun anew
    assert login(client, doctor).status_code == 200


def test_a_locked_name_is_locked_at_that_address_only(make, client) -> None:
    doctor, nurse = make.user("doctor"), make.user("nurse")
    for _ in range(5):
        login(client, doctor, "wrong", address="10.0.0.1")
    assert login(client, doctor, address="10.0.0.1").status_code == 429
    assert login(client, nurse, address="10.0.0.1").status_code == 200
    assert login(client, doctor, address="10.0.0.2").status_code == 200


def test_the_page_says_how_long_and_keeps_to_it(make, client) -> None:
    doctor = make.user("doctor")
    for _ in range(5):
        assert post(client, "/sign-in", username=doctor, password="wrong").status_code == 401
    answer = post(client, "/sign-in", username=doctor, password=PASSWORD)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) <= 61
    assert "操作太频繁，请 1 分钟后再试" in answer.get_data(as_text=True)


def test_guessing_one_account_from_many_addresses_stops_at_ten(make, client) -> None:
    doctor = make.user("doctor", phone="13900000001")
    login(client, doctor, device_id="her-phone", address="10.9.9.9")
    for number in range(10):
        name = doctor if number % 2 else "13900000001"  # two names, one account
        assert login(client, name, "wrong", address=f"10.0.0.{number}").status_code == 401
    assert login(client, doctor, address="10.0.1.1").status_code == 429
    # Her own phone goes in all the same, wherever it is: this is no way to lock her out.
    assert login(client, doctor, device_id="her-phone", address="10.0.1.2").status_code == 200


def test_a_phone_that_is_known_may_not_guess_by_changing_addresses(make, client) -> None:
    doctor = make.user("doctor")
    login(client, doctor, device_id="stolen")
    for number in range(5):
        login(client, doctor, "wrong", device_id="stolen", address=f"10.0.0.{number}")
    assert login(client, doctor, "wrong", device_id="stolen", address="10.0.1.1").status_code == 429


def test_an_address_that_guesses_many_names_still_lets_known_phones_in(
    make, app, client, monkeypatch
) -> None:
    app.config["SIGN_IN_ADDRESS_TRIES"] = 20
    doctor, nurse = make.user("doctor"), make.user("nurse")
    login(client, doctor, device_id="her-phone")
    for number in range(20):
        assert login(client, f"nobody{number}", "wrong").status_code == 401
    assert login(client, "nobody-else", "wrong").status_code == 429
    assert login(client, nurse).status_code == 429  # a phone never seen, from a guessing address
    assert login(client, doctor, device_id="her-phone").status_code == 200
    assert login(client, nurse, address="10.0.0.2").status_code == 200
    pass_by(monkeypatch, minutes=61)
    assert login(client, nurse).status_code == 200


def test_all_guesses_together_have_a_ceiling_that_known_phones_do_not_feel(make, app, client) -> None:
    app.config["SIGN_IN_ALL_TRIES"] = 12
    doctor = make.user("doctor")
    login(client, doctor, device_id="her-phone")
    for number in range(12):
        assert login(client, f"nobody{number}", "wrong", address=f"10.0.0.{number}").status_code == 401
    assert login(client, doctor, address="10.0.1.1").status_code == 429
    assert login(client, doctor, device_id="her-phone", address="10.0.1.2").status_code == 200


def test_right_sign_ins_never_use_anything_up(make, app, client) -> None:
    app.config |= {"SIGN_IN_ADDRESS_TRIES": 20, "SIGN_IN_ALL_TRIES": 20}
    doctor = make.user("doctor")
    for number in range(25):
        assert login(client, doctor, device_id=f"phone{number}").status_code == 200


def test_a_name_that_nobody_has_waits_like_one_that_somebody_has(make, client) -> None:
    doctor = make.user("doctor")
    said = []
    for name in (doctor, "nobody-at-all"):
        answers = [login(client, name, "wrong", address="10.0.0.7") for _ in range(7)]
        said.append([(a.status_code, a.get_json()["code"], a.get_json()["detail"]) for a in answers])
    assert said[0] == said[1] and [status for status, *_ in said[0]] == [401] * 5 + [429] * 2


def test_the_account_ceiling_tells_nothing_of_who_exists(make, client) -> None:
    doctor = make.user("doctor")
    for name in (doctor, "nobody-at-all"):
        answers = [login(client, name, "wrong", address=f"10.1.0.{n}").status_code for n in range(12)]
        assert answers == [401] * 10 + [429] * 2, name
