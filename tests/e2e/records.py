"""What the server holds, asked with the session of the page that is open. Works in every engine."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

PULL = """async () => {
  const found = [];
  let cursor = '';
  for (;;) {
    const address = '/api/sync/pull?limit=500&cursor=' + encodeURIComponent(cursor);
    const answer = await (await fetch(address)).json();
    found.push(...answer.changes);
    cursor = answer.cursor;
    if (!answer.more) return found;
  }
}"""
RECORD = "async (path) => { const r = await fetch(path); return r.status === 200 ? r.json() : r.status; }"


def people(page: Page) -> list[dict[str, Any]]:
    """Everybody in scope, with what is known of them now."""
    ids = [c["id"] for c in page.evaluate(PULL) if c["kind"] == "patient.create"]
    return [{"id": i, **page.evaluate(RECORD, f"/api/patients/{i}")["record"]} for i in ids]


def pick(patients: list[dict[str, Any]], but: set[str], **wanted: str) -> dict[str, Any]:
    """Somebody who has, or has not, a condition."""
    for person in patients:
        conditions = person.get("conditions") or []
        if person["id"] not in but and wanted["has"] in conditions and wanted.get("lacks") not in conditions:
            but.add(person["id"])
            return person
    raise AssertionError(f"the demo has nobody with {wanted}")
