"""House tests of the doors: what is open, and what every answer carries."""

from flask import Flask
from flask.testing import FlaskClient

OPEN = {
    "static",
    "accounts.sign_in",
    "accounts.sign_in_page",
    "accounts.sign_in_code",
    "accounts.sign_in_code_page",
    "accounts.sms_ask",
    "accounts.sms_code",
    "accounts.sms_code_page",
    "accounts.sms_page",
    "auth.login",
    "family.join",
    "family.join_code",
    "family.join_code_page",
    "family.join_page",
    "auth.wiped",  # a revoked phone's session is refused everywhere; the view takes nothing else as proof
    "operations.ready",
    "operations.show_metrics",  # to this machine, or with a token
    "pwa.manifest",
    "pwa.offline",
    "pwa.unlock",
    "pwa.worker",
    "sync.health",
    "sync.published_contract",
}


def test_only_these_doors_are_open(app: Flask) -> None:
    found = {name for name, view in app.view_functions.items() if getattr(view, "is_public", False)}
    assert found | {"static"} == OPEN


def test_every_other_page_asks_for_a_login(app: Flask, client: FlaskClient) -> None:
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPEN:
            continue
        url = rule.rule
        for argument in rule.arguments:
            converter = rule._converters[argument]
            value = "visits" if "visits" in str(getattr(converter, "regex", "")) else "x"
            url = url.replace(f"<{argument}>", value)
        url = "/api/visits/x" if "<any" in url else url
        for method in (rule.methods or set()) & {"GET", "POST", "DELETE", "PUT"}:
            answer = client.open(url, method=method, json={} if method != "GET" else None)
            assert answer.status_code in (302, 401), (method, url, answer.status_code)


def test_an_absent_api_path_answers_problem_json(client: FlaskClient) -> None:
    answer = client.get("/api/nothing")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["code"] == "not_found"


def test_unsafe_methods_from_elsewhere_are_refused(make) -> None:
    doctor = make.signed_in("doctor")
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
    ):
        assert doctor.post("/sign-out", headers=headers).status_code == 403
    assert doctor.post("/sign-out", data={"a": "b"}).status_code == 403  # a form with neither header
    assert doctor.get("/api/auth/me").status_code == 200
    assert doctor.post("/sign-out", headers={"Origin": "http://localhost"}).status_code == 303


def test_every_answer_carries_the_security_headers(make, client: FlaskClient) -> None:
    doctor = make.signed_in("doctor")
    for answer in (client.get("/sign-in"), client.get("/api/nothing"), doctor.get("/me"), client.get("/")):
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy and "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Request-Id"]


def test_signing_in_sends_you_only_to_our_own_pages(make, client: FlaskClient) -> None:
    username = make.user("doctor")
    for target, wanted in (
        ("/patients", "/patients"),
        ("https://elsewhere.example/", "/today"),
        ("//elsewhere.example", "/today"),
        ("/\\elsewhere.example", "/today"),
        ("javascript:alert(1)", "/today"),
    ):
        answer = client.post(
            "/sign-in",
            data={"username": username, "password": "correct-horse-7", "next": target},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        assert answer.status_code == 303
        assert answer.headers["Location"] == wanted
