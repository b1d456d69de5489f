"""The round in Firefox and in WebKit, behind a gate: their own offline switches do not reach the worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import rounds
from tests.e2e.engines import ENGINES, Driver, excused
from tests.e2e.engines.page import Page, expect
from tests.e2e.gate import Gate
from tests.e2e.records import PULL, RECORD, people, pick
from tests.e2e.world import PACK_IS_HERE, Phone, Server, unlock, until

# Every page and every file of the shell on this phone; answers what is not ours, or lost.
STRANGERS = """async (words) => {
  const pages = await import('/static/js/offline/pages.js');
  const found = [];
  for (const url of Object.keys((await pages.meta()).revs)) {
    const page = await pages.get(url);
    if (!page || page.html.includes(words)) found.push(url);
  }
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys())
      if ((await (await cache.match(request)).text()).includes(words)) found.push(request.url);
  }
  return found;
}"""
PORTAL_WORDS = "Free wi-fi"
META = """async () => {
  const { meta } = await import('/static/js/offline/pages.js');
  return await meta();
}"""
WORKER_RUNS = "async () => Boolean((await navigator.serviceWorker.getRegistration())?.active)"
HANGS = 5.0  # seconds: a page on the phone needs none of them, one that waits for the line never comes


class EnginePhone(Phone):
    """A phone with another browser. Signing in and all else a person does is Phone's own."""

    def __init__(self, engine: type[Driver], folder: Path, gate: Gate) -> None:
        self.engine, self.folder, self.gate, self.url = engine, folder, gate, gate.url
        self.open()

    def open(self) -> None:
        self.driver = self.engine.open(self.folder, "about:blank")
        self.page = Page(self.driver, self.url)

    def close(self) -> None:
        self.driver.close()

    def reopen(self) -> Page:
        """Leave the browser in order and start it again."""
        self.close()
        self.open()
        return self.page

    def die(self) -> None:
        """As when the battery is empty."""
        self.driver.kill()

    def wait_for_pack(self, user_id: str | None = None) -> None:
        """As everywhere; but WebKit leaves a page that was on its way while the first worker started without
        it for good, whatever the worker claims. The next page is in its hands."""
        until(self.page, WORKER_RUNS)
        until(self.page, PACK_IS_HERE)
        self.page.reload()
        super().wait_for_pack(user_id)

    def offline(self, off: bool = True) -> None:
        if off:
            self.gate.mode = "shut"
        else:
            self.gate.open()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> type[Driver]:
    chosen = ENGINES[request.param]
    if reason := excused(chosen):
        pytest.skip(reason)
    assert not chosen.lacks(), f"install it with tools/engines.sh: {chosen.lacks()}"
    return chosen


@pytest.fixture
def handset(engine: type[Driver], server: Server, tmp_path: Path) -> Iterator[EnginePhone]:
    gate = Gate(server.url)
    phone = EnginePhone(engine, tmp_path / "phone", gate)
    yield phone
    phone.die()
    gate.close()


def opens_from_the_phone(page: Page, path: str, words: str) -> None:
    begun = time.monotonic()
    page.goto(path)
    expect(page.locator("#main")).to_contain_text(words)
    assert time.monotonic() - begun < HANGS, path


def test_a_visit_without_signal_outlives_the_browser_and_arrives_once(server, handset) -> None:
    handset.sign_in(server.account("doctor"))
    page = handset.page
    patients = people(page)
    high = pick(patients, set(), has="hypertension", lacks="diabetes_t2")

    # -- no signal: a patient opens, a visit is recorded --------------------------------------------------
    handset.offline()
    rounds.open_patient(page, high["name"])
    rounds.start_visit(page, "hypertension")
    rounds.fill_hypertension(page, 186, 104, refer=True)
    expect(page.locator("#grade-preview")).to_contain_text("危急")
    expect(page.locator("#grade-preview")).to_contain_text("血压达危急值")
    rounds.save(page)
    expect(page.locator("#main")).to_contain_text("医院还没有收到")
    page.goto("/today")
    page.reload()
    expect(page.locator("#strip")).to_contain_text("1 条仅在本机")
    [kept] = handset.outbox()

    # -- the battery dies; the phone comes back, still without signal --------------------------------------
    handset.die()
    handset.open()
    page = handset.page
    page.goto("/today")
    expect(page.locator("#strip")).to_contain_text("1 条仅在本机")
    unlock(page)
    expect(page.locator("#strip")).to_contain_text("1 条仅在本机")
    assert handset.outbox()[0]["op_id"] == kept["op_id"]
    page.goto(f"/patients/{high['id']}")
    expect(page.locator(".banner")).to_contain_text("186/104")

    # -- signal ---------------------------------------------------------------------------------------
    handset.offline(False)
    page.goto("/outbox")
    page.locator("#send-now").click()
    expect(page.locator("#strip")).to_contain_text("已全部上传", timeout=30_000)
    [sent] = handset.outbox()
    assert (sent["op_id"], sent["state"]) == (kept["op_id"], "done")
    arrived = [change for change in page.evaluate(PULL) if change["op_id"] == sent["op_id"]]
    assert [change["payload"] for change in arrived] == [sent["payload"]]
    servers = page.evaluate(RECORD, f"/api/visits/{sent['op_id']}")["record"]["grade"]
    phones_own = sent["payload"]["grade"]
    for key in ("colour", "emergency", "reasons", "missing", "due_in_days"):
        assert servers[key] == phones_own[key], key


def test_a_familys_order_arrives_and_no_bad_line_leaves_a_trace(server, handset) -> None:
    handset.sign_in(server.account("family"))
    page = handset.page

    # -- an order without signal ------------------------------------------------------------------------
    handset.offline()
    page.goto("/orders/new")
    rounds.ready(page)
    page.locator("#service-H01").click()
    page.locator("label", has_text="明天上午").click()
    page.locator("button", has_text="提交订单").click()
    expect(page.locator("#main")).to_contain_text("还在这台手机上")
    expect(page.locator("#main")).to_contain_text("待上传")

    # -- a line that never answers, then one that answers with a page of its own --------------------------
    before = page.evaluate(META)
    handset.gate.hang()
    opens_from_the_phone(page, "/family", "点服务")
    handset.gate.released.set()
    handset.gate.mode = "portal"
    page = handset.reopen()
    handset.unlock("/family")
    opens_from_the_phone(page, "/orders", "待上传")
    rounds.ready(page)
    assert page.evaluate(META) == before
    assert page.evaluate(STRANGERS, PORTAL_WORDS) == []

    # -- signal ---------------------------------------------------------------------------------------
    handset.offline(False)
    page.goto("/outbox")
    page.locator("#send-now").click()
    expect(page.locator("#strip")).to_contain_text("已全部上传", timeout=30_000)
    [order] = handset.outbox()
    assert order["state"] == "done"
    arrived = page.evaluate(RECORD, f"/api/orders/{order['op_id']}")
    assert (arrived["state"], arrived["revision"]) == ("submitted", 1)
