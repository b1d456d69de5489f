"""What the tests of refused and carried records do on a phone: add, push past the phone, look."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.e2e import rounds
from tests.e2e.world import Phone, until

ADD = """async (op) => {
  const outbox = await import('/static/js/offline/outbox.js');
  return (await outbox.add(op)).op_id;
}"""
READ = """async (op_id) => {
  const outbox = await import('/static/js/offline/outbox.js');
  return (await outbox.get(op_id)) || null;
}"""
# The same person's other phone: what it pushes, this one does not know of.
PUSH = """async ([kind, payload, base_revision]) => {
  const { uuid7 } = await import('/static/js/ids.js');
  const { localIso } = await import('/static/js/when.js');
  const now = localIso(new Date());
  const op = {op_id: uuid7(), device_id: 'another-phone', author_id: document.body.dataset.user,
    kind, recorded_at: now, payload};
  if (base_revision) op.base_revision = base_revision;
  const answer = await fetch('/api/sync/push', {method: 'POST',
    headers: {'Content-Type': 'application/json'}, body: JSON.stringify({sent_at: now, ops: [op]})});
  return (await answer.json()).results[0];
}"""
NOW = "async () => (await import('/static/js/when.js')).localIso(new Date())"
STATE = """async ([op_id, wanted]) => {
  const outbox = await import('/static/js/offline/outbox.js');
  return ((await outbox.get(op_id))?.state || 'gone') === wanted;
}"""
SEND = "async () => (await import('/static/js/offline/triggers.js')).sendNow()"
ADL = {"meal": 0, "grooming": 1, "dressing": 3, "toileting": 1, "activity": 1}


def add(page: Page, kind: str, payload: dict[str, Any], label: str, **more: Any) -> str:
    """Save an operation as the forms do, past the form that would not have let it through."""
    return str(page.evaluate(ADD, {"kind": kind, "payload": payload, "label": label, **more}))


def push(page: Page, kind: str, payload: dict[str, Any], base: int | None = None) -> dict[str, Any]:
    result: dict[str, Any] = page.evaluate(PUSH, [kind, payload, base])
    assert result["status"] == "applied", result
    return result


def visit(page: Page, patient: str, **answers: Any) -> dict[str, Any]:
    return {
        "patient_id": patient,
        "form": "adl",
        "form_version": 1,
        "visited_at": page.evaluate(NOW),
        "mode": "home",
        "answers": {**ADL, **answers},
    }


def read(page: Page, op_id: str) -> dict[str, Any] | None:
    return page.evaluate(READ, op_id)  # type: ignore[no-any-return]


def becomes(page: Page, op_id: str, state: str) -> None:
    """`gone` for one that the phone does not hold any more."""
    until(page, STATE, [op_id, state], seconds=40)


def to_care(page: Page, op_id: str) -> None:
    """Open 待上传 and see the card of this record."""
    page.goto("/outbox")
    rounds.ready(page)
    expect(page.locator(f"#op-{op_id}")).to_be_visible()


def mend(page: Page, op_id: str) -> None:
    """From its card to the form it came from."""
    to_care(page, op_id)
    page.locator(f'#op-{op_id} [data-part="mend"]').click()
    page.wait_for_url(re.compile(op_id))
    rounds.ready(page)


def waiting_one(phone: Phone, but: set[str]) -> dict[str, Any]:
    """The one record that came new."""
    [found] = [record for record in phone.outbox() if record["op_id"] not in but]
    return found
