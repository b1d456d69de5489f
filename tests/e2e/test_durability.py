"""Every write that a page really makes asks the disk, not only the browser (tests/js looks at the source)."""

from __future__ import annotations

import pytest

from tests.e2e import rounds
from tests.e2e.storms.ground import save_visit
from tests.e2e.world import unlock

pytestmark = pytest.mark.xdist_group("browser")

# Notes each writing transaction in a place that outlives the page.
WATCH = """(() => {
  const real = IDBDatabase.prototype.transaction;
  IDBDatabase.prototype.transaction = function (stores, mode, options) {
    if (mode === 'readwrite') {
      const seen = JSON.parse(sessionStorage.getItem('writes') || '[]');
      seen.push([this.name.slice(0, 13), options?.durability || 'default']);
      sessionStorage.setItem('writes', JSON.stringify(seen));
    }
    return real.call(this, stores, mode, options);
  };
})()"""
WRITES = "() => JSON.parse(sessionStorage.getItem('writes') || '[]')"


def test_a_days_work_is_written_with_strict_durability_throughout(server, phone) -> None:
    doctor = phone("doctor")
    doctor.context.add_init_script(WATCH)
    account = server.account("doctor")
    doctor.sign_in(account)
    page = doctor.page
    patient = page.evaluate(
        "async () => Object.keys((await (await import('/static/js/offline/pages.js')).meta()).revs)"
        ".find((url) => /^.patients.[0-9a-f-]{36}$/.test(url)).slice(10)"
    )
    save_visit(page, patient, "一次随访")
    page.goto("/outbox")
    rounds.ready(page)
    page.click("#send-now")
    page.goto("/me")
    rounds.ready(page)
    page.locator("#lock-now").click()
    unlock(page)
    writes = page.evaluate(WRITES)
    assert {name for name, _ in writes} >= {"nuanxun-vault", "nuanxun-store", "nuanxun-outbo"}
    assert [write for write in writes if write[1] != "strict"] == []
