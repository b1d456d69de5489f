"""How a real phone sends: several requests at once, the first before it has heard who is signed in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.gate import Gate
from tests.e2e.storms.ground import ADL, add, patients_on
from tests.e2e.world import Server, until
from tests.factories import an_id_card

pytestmark = pytest.mark.xdist_group("browser")

HELD_MS = 3600000  # nothing goes by itself: the sending that is looked at is begun by the test
PUSH, GREETING = "/api/sync/push", "/api/auth/me"
BEGIN = """() => {
  window.sending = import('/static/js/offline/sender.js').then(({ send }) => send({ reason: 'button' }));
}"""
END = "() => window.sending"
QUIET = "async () => (await import('/static/js/offline/sender.js')).send({ reason: 'timer' })"
STATES = """async () => {
  const db = await (await import('/static/js/offline/outbox.js')).openStore();
  return (await db.getAll('ops')).map((row) => row.state).sort();
}"""
STATES_OF = """async (ids) => {
  const outbox = await import('/static/js/offline/outbox.js');
  return Promise.all(ids.map(async (id) => (await outbox.get(id)).state));
}"""
ALL_DONE = f"async () => (await ({STATES})()).every((state) => state === 'done')"
ADD = """async (ops) => {
  const outbox = await import('/static/js/offline/outbox.js');
  const ids = [];
  for (const op of ops) ids.push((await outbox.add({ label: '记录', hold_ms: 3600000, ...op })).op_id);
  return ids;
}"""
SIGN_IN = """async ({ username, password }) => {
  const { deviceId } = await import('/static/js/ids.js');
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify({ username, password, device_id: deviceId() });
  return (await fetch('/api/auth/login', { method: 'POST', headers, body })).status;
}"""


def at_outbox(through: Callable[[str], Any], account: dict[str, Any]) -> Page:
    phone = through("doctor")
    phone.sign_in(account)
    page: Page = phone.page
    page.goto("/outbox")
    page.evaluate(QUIET)
    return page


def small_batches(page: Page, gate: Gate, count: int) -> None:
    """A server that takes `count` operations at once, and a phone that knows it."""

    def fewer(text: bytes) -> bytes:
        me = json.loads(text)
        me["limits"]["max_ops"] = count
        return json.dumps(me).encode()

    gate.rewrite[GREETING] = fewer
    page.evaluate(QUIET)


def waits(page: Page, patients: list[str], mark: str) -> list[str]:
    ids = [add(page, patient, [f"{mark} {n};"], HELD_MS)[0] for n, patient in enumerate(patients)]
    page.evaluate(QUIET)
    return ids


def register(server: Server, account: dict[str, Any], count: int) -> list[dict[str, Any]]:
    [[village]] = server.rows("SELECT village_code FROM patients WHERE id = ?", account["patient_id"])
    return [
        {
            "kind": "patient.create",
            "payload": {
                "name": "宁如意", "id_card": an_id_card(n, "19400102", "2"), "phone": "13900001234",
                "village_id": village,
            },
        }
        for n in range(count)
    ]  # fmt: skip


def registered(page: Page, server: Server, account: dict[str, Any], count: int) -> list[str]:
    """People whom the server knows already."""
    people: list[str] = page.evaluate(ADD, register(server, account, count))
    page.evaluate(BEGIN)
    assert page.evaluate(END)["sent"] == count
    return people


def held(server: Server, mark: str) -> int:
    return len(server.rows("SELECT 1 FROM revisions WHERE instr(payload, ?)", mark))


def refusals(server: Server) -> list[tuple[Any, ...]]:
    return server.rows("SELECT action, result FROM audit_lines WHERE result LIKE 'rejected%'")


def states_of(page: Page, ids: list[str]) -> list[str]:
    found: list[str] = page.evaluate(STATES_OF, ids)
    return found


def until_pushed(page: Page, gate: Gate, count: int) -> None:
    for _ in range(400):
        if len(gate.pushed) >= count:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{len(gate.pushed)} of {count} requests have come")


def test_visits_of_250_people_go_in_four_requests_at_once_and_before_the_greeting(
    server, gate, through
) -> None:
    doctor = server.account("doctor")
    page = at_outbox(through, doctor)
    people = registered(page, server, doctor, 250)
    page.evaluate(
        ADD,
        [
            {
                "kind": "visit.create",
                "payload": {
                    "patient_id": person, "form": "adl", "form_version": 1, "mode": "home",
                    "visited_at": "2026-06-01T09:00:00+08:00",
                    "answers": ADL,
                },
            }
            for person in people
        ],
    )  # fmt: skip
    page.evaluate(QUIET)
    before, already = len(gate.pushed), server.rows("SELECT count(*) FROM visits")[0][0]
    greeting = gate.held[GREETING] = threading.Event()
    answers = gate.held[PUSH] = threading.Event()
    page.evaluate(BEGIN)
    until_pushed(page, gate, before + 4)
    assert [len(ops) for ops in gate.pushed[before:]] == [63, 63, 62, 62]
    states = page.evaluate(STATES)
    assert (states.count("sending"), states.count("done")) == (250, 250)
    answers.set()
    until(page, ALL_DONE)  # and nobody has said yet who is signed in
    greeting.set()
    assert page.evaluate(END)["sent"] == 250
    assert len(gate.pushed) == before + 4
    assert server.rows("SELECT count(*) FROM visits")[0][0] == already + 250
    assert refusals(server) == []


def test_a_visit_waits_for_the_person_registered_and_a_correction_for_its_visit(
    server, gate, through
) -> None:
    doctor = server.account("doctor")
    page = at_outbox(through, doctor)
    one, two, three, four = patients_on(page)[:4]
    small_batches(page, gate, 2)
    [first] = waits(page, [one], "the first")
    [new] = page.evaluate(ADD, register(server, doctor, 1))
    visits = waits(page, [new, two], "after it")
    [corrected] = page.evaluate(ADD, [correction(page, first, one)])
    later = waits(page, [one, three, four], "at last")
    answers = gate.held[PUSH] = threading.Event()
    before = len(gate.pushed)
    page.evaluate(BEGIN)
    until_pushed(page, gate, before + 3)
    page.wait_for_timeout(300)
    # What stands first goes first; beside it only people whom nothing before them concerns.
    assert [set(ops) for ops in gate.pushed[before:]] == [
        {first, new},
        {visits[1], later[1]},
        {later[2]},
    ]
    answers.set()
    assert page.evaluate(END)["sent"] == 8
    # How these are put together depends on which answer came first; not what comes after what.
    rest = [op_id for ops in gate.pushed[before + 3 :] for op_id in ops]
    assert sorted(rest) == sorted([visits[0], corrected, later[0]])
    assert rest.index(corrected) < rest.index(later[0])
    assert refusals(server) == []
    assert page.evaluate(STATES) == ["done"] * 8


def correction(page: Page, visit_id: str, patient_id: str) -> dict[str, Any]:
    return {
        "kind": "visit.correct",
        "base_revision": 1,
        "patient_id": patient_id,
        "payload": {
            "visit_id": visit_id, "reason": "写错了", "form": "adl", "form_version": 1, "mode": "home",
            "visited_at": "2026-06-01T09:00:00+08:00",
            "answers": ADL | {"note": "改过"},
        },
    }  # fmt: skip


def test_another_person_is_signed_in_and_nothing_is_refused_or_sent_under_a_wrong_name(
    server, gate, through
) -> None:
    first, second = server.account("doctor", 0), server.account("doctor", 1)
    page = at_outbox(through, first)
    people = registered(page, server, first, 12)
    small_batches(page, gate, 2)
    ids = waits(page, people, "hers")
    assert page.evaluate(SIGN_IN, second) == 200  # in another tab: this page does not know
    before, greeting = len(gate.pushed), threading.Event()
    gate.held["/api/auth/me"] = greeting
    page.evaluate(BEGIN)
    while len(gate.pushed) == before:  # it is tried, before the greeting is answered
        page.wait_for_timeout(20)
    greeting.set()
    result = page.evaluate(END)
    assert (result["outcome"], result["sent"], result["user_id"]) == ("idle", 0, second["id"])
    assert held(server, "hers") == 0 and refusals(server) == []
    assert states_of(page, ids) == ["saved"] * 12

    assert page.evaluate(SIGN_IN, first) == 200
    page.evaluate(BEGIN)
    result = page.evaluate(END)
    assert (result["outcome"], result["sent"]) == ("sent", 12)
    assert held(server, "hers") == 12 and refusals(server) == []
    authors = server.rows("SELECT DISTINCT author_id FROM revisions WHERE instr(payload, 'hers')")
    assert authors == [(first["id"],)]


@pytest.mark.parametrize("how", ["garbled", "lost"])
def test_one_of_four_fails_and_all_arrive_exactly_once(server, gate, through, how) -> None:
    doctor = server.account("doctor")
    page = at_outbox(through, doctor)
    people = registered(page, server, doctor, 12)
    small_batches(page, gate, 2)
    ids = waits(page, people, "once")
    turns: list[str] = []

    def the_second(text: bytes) -> bytes:
        turns.append("answered")
        return b"not json" if len(turns) == 2 else text

    def all_but_one(what: str) -> bool:
        """A browser sends a request of which it heard nothing once more by itself."""
        if what == "came":
            turns.append(what)
        return len(turns) > 1

    if how == "garbled":
        gate.rewrite[PUSH] = the_second
    else:
        gate.at_push = all_but_one
    page.evaluate(BEGIN)
    result = page.evaluate(END)
    assert result["outcome"] == "unreachable"
    states = states_of(page, ids)
    assert states.count("done") == result["sent"] and set(states) <= {"done", "saved"}
    assert "saved" in states and (how == "lost" or "done" in states)
    gate.rewrite.pop(PUSH, None)
    gate.at_push = None
    page.evaluate(BEGIN)
    assert page.evaluate(END)["outcome"] == "sent"
    assert states_of(page, ids) == ["done"] * 12
    assert held(server, "once") == 12 and refusals(server) == []


def test_a_session_that_ends_among_four_costs_nothing(server, gate, through) -> None:
    doctor = server.account("doctor")
    page = at_outbox(through, doctor)
    people = registered(page, server, doctor, 40)
    small_batches(page, gate, 2)
    ids = waits(page, people, "kept")
    done: list[str] = []

    def end_it(what: str) -> bool:
        if what == "done":
            done.append(what)
            if len(done) == 1:
                server.change("UPDATE login_sessions SET expires_at = created_at")
        return False

    gate.at_push = end_it
    page.evaluate(BEGIN)
    result = page.evaluate(END)
    assert result["outcome"] == "signed_out"
    states = states_of(page, ids)
    assert 2 <= states.count("done") == result["sent"] < 40
    assert states.count("saved") == 40 - result["sent"]
    gate.at_push = None
    assert page.evaluate(SIGN_IN, doctor) == 200
    page.evaluate(BEGIN)
    assert page.evaluate(END)["outcome"] == "sent"
    assert states_of(page, ids) == ["done"] * 40
    assert held(server, "kept") == 40 and refusals(server) == []
