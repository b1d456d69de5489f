"""Lines that hang, lie or break, a system that clears storage, and a new version in the middle of it."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import left, rounds
from tests.e2e.gate import Gate
from tests.e2e.storms.ground import add, patients_on, press_send
from tests.e2e.world import PIN, Phone, press, set_pin, unlock, until

pytestmark = pytest.mark.xdist_group("browser")

ONLINE = "() => window.dispatchEvent(new Event('online'))"
OFFLINE_PAGE = "这一页没有存在手机上"
EVICTED = "本机数据被系统清除"
# Everything that is stored as a page or in a cache, read as text.
FOREIGN = """async (words) => {
  await (await import('/static/js/vault/vault.js')).open();
  const pages = await import('/static/js/offline/pages.js');
  const { revs } = await pages.meta();
  const found = [];
  let looked = 0;
  const judge = (name, text) => {
    looked += 1;
    if (words.some((word) => text.includes(word))) found.push(name);
  };
  for (const url of [...Object.keys(revs), '/me', '/notices']) {
    const page = await pages.get(url);
    if (page) judge(url, page.html);
  }
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      judge(request.url, await (await cache.match(request)).text());
    }
  }
  return {found, looked};
}"""
NOT_OURS = ["Free wi-fi", "Bad gateway"]
STATES = """async () => {
  const outbox = await import('/static/js/offline/outbox.js');
  return (await outbox.all(document.body.dataset.user)).map((record) => record.state);
}"""
STATUS_OF = (
    """async (op_id) => (await (await import('/static/js/offline/outbox.js')).get(op_id)).result?.status"""
)
CALL = {
    "pack": "async () => (await import('/static/js/offline/pack.js'))"
    ".refresh({user_id: document.body.dataset.user})",
    "receipts": "async () => (await import('/static/js/offline/receipts.js'))"
    ".compare(document.body.dataset.user, {now: true})",
    "sending": "async () => (await import('/static/js/offline/sender.js')).send({reason: 'button'})",
    "update": "async () => (await navigator.serviceWorker.getRegistration()).update().catch(() => {})",
}
META = """async () => {
  await (await import('/static/js/vault/vault.js')).open();
  return (await import('/static/js/offline/pages.js')).meta();
}"""
CACHES = "async () => (await caches.keys()).sort()"


def nothing_foreign(page: Page) -> int:
    found = page.evaluate(FOREIGN, NOT_OURS)
    assert found["found"] == []
    assert found["looked"] > 30  # the shell is 24 files
    return found["looked"]


def ready_to_go(through: Any, account: dict[str, Any], name: str = "doctor") -> tuple[Phone, Page, str]:
    phone = through(name)
    phone.sign_in(account)
    return phone, phone.page, patients_on(phone.page)[0]


def held(server: Any, mark: str) -> int:
    return len(server.rows("SELECT 1 FROM revisions WHERE instr(payload, ?)", mark))


# -- lines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["hang", "portal", "lose", "shut"])
def test_what_is_on_the_phone_opens_on_every_bad_line_and_nothing_foreign_stays(
    server, gate, through, mode
) -> None:
    _phone, page, patient = ready_to_go(through, server.account("doctor"))
    before = gate.faults
    gate.turn(mode)
    opened = 0
    for path in ("/today", f"/patients/{patient}", "/visits/new/adl?patient=" + patient, "/outbox", "/"):
        answer = page.goto(path, wait_until="domcontentloaded")
        assert answer and answer.headers["x-from"] == "phone", path
        opened += 1
    mark = f"on a line that does {mode}"
    [op_id] = add(page, patient, [mark])
    if mode in ("portal", "lose", "shut"):
        page.goto("/outbox")
        press_send(page)
        if mode == "lose":
            assert held(server, mark) == 1  # the server has it, and the phone does not know
        assert page.evaluate(STATES) == ["saved"]
    else:
        assert page.evaluate(STATES)[0] in ("saved", "sending")
    if mode in ("hang", "shut"):
        page.goto("/me")
        expect(page.locator("main")).to_contain_text(OFFLINE_PAGE)
    page.goto("/today", wait_until="domcontentloaded")
    looked = nothing_foreign(page)
    gate.open()
    page.goto("/outbox")
    press_send(page)
    until(page, f"async () => (await ({STATES})()).join() === 'done'", seconds=60)
    assert held(server, mark) == 1
    assert page.evaluate(STATUS_OF, op_id) == ("duplicate" if mode == "lose" else "applied")
    assert opened == 5 and gate.faults > before and looked


@pytest.mark.parametrize("path", ["/me", "/notices"])
def test_a_page_that_comes_late_takes_its_place_by_itself(server, gate, through, path) -> None:
    """Neither is kept on the phone: asked for again it would be just as late."""
    _, page, _ = ready_to_go(through, server.account("doctor"))
    gate.held[path] = threading.Event()
    page.goto(path)
    expect(page.locator("main")).to_contain_text(OFFLINE_PAGE)
    asked = gate.count(path)
    gate.held[path].set()
    expect(page.locator("main")).not_to_contain_text(OFFLINE_PAGE)
    rounds.ready(page)
    assert page.evaluate("() => document.body.dataset.user")
    assert asked == gate.count(path) == 1
    expect(page.locator("#strip")).to_contain_text("在线")


def test_a_line_that_hung_and_goes_on_brings_the_page_too(server, gate, through) -> None:
    _, page, _ = ready_to_go(through, server.account("doctor"))
    gate.hang()
    page.goto("/me")
    expect(page.locator("main")).to_contain_text(OFFLINE_PAGE)
    gate.open()
    expect(page.locator("main")).not_to_contain_text(OFFLINE_PAGE)
    expect(page.locator("h1")).to_have_text("我")


def test_a_portal_at_any_moment_is_never_taken_for_us(server, gate, through) -> None:
    _phone, page, patient = ready_to_go(through, server.account("doctor"))
    page.goto("/outbox")
    known = page.evaluate(META)
    mark = "past the portal"
    for path, call, outcome in (
        ("/api/pack", "pack", "unreachable"),
        ("/api/auth/me", "sending", "unreachable"),
        ("/api/sync/receipts", "receipts", None),
        ("/sw.js", "update", None),
        ("/api/sync/push", "sending", "unreachable"),
    ):
        before = gate.faults
        gate.spoiled = {path: "portal"}
        if path == "/api/sync/push":
            add(page, patient, [mark])
        result = page.evaluate(CALL[call])
        assert not outcome or result["outcome"] == outcome, (path, result)
        assert gate.faults > before or path.startswith("/sw"), path
    assert page.evaluate(STATES) == ["saved"] and held(server, mark) == 0
    assert page.evaluate(META)["cursor"] == known["cursor"]
    nothing_foreign(page)

    # Signing in again on top of the page.
    gate.spoiled = {"/api/auth/login": "portal"}
    server.change("UPDATE login_sessions SET expires_at = created_at")
    page.evaluate(ONLINE)
    expect(page.locator("#strip")).to_contain_text("请重新登录")
    page.click("#strip")
    sheet = page.get_by_role("dialog", name="重新登录")
    doctor = server.account("doctor")
    sheet.locator("#again-username").fill(doctor["username"])
    sheet.locator("#again-password").fill(doctor["password"])
    sheet.get_by_role("button", name="登录，接着上传").click()
    expect(sheet).to_contain_text("现在连不上服务器")
    gate.spoiled = {}
    expect(sheet.locator("#again-password")).to_have_value(doctor["password"])  # nothing was wrong with it
    sheet.get_by_role("button", name="登录，接着上传").click()
    until(page, f"async () => (await ({STATES})()).join() === 'done'", seconds=60)
    assert held(server, mark) == 1
    nothing_foreign(page)


def test_a_portal_during_an_update_installs_nothing_and_the_next_try_does(server, gate, through) -> None:
    phone, page, _ = ready_to_go(through, server.account("doctor"))
    old = page.evaluate(CACHES)
    newer(gate)
    tried = 0
    # What has not changed is taken from the browser itself; without that it is asked for, and met.
    session = phone.context.new_cdp_session(page)
    for path in ("/static/joined/care.js", "/unlock", "/static/joined/frame.css"):
        gate.spoiled = {path: "portal"}
        session.send("Network.clearBrowserCache")
        page.evaluate(CALL["update"])
        until(page, "async () => !(await navigator.serviceWorker.getRegistration()).installing", seconds=60)
        assert page.evaluate("async () => !(await navigator.serviceWorker.getRegistration()).waiting"), path
        tried += 1
    assert tried == 3 and gate.faults >= 3
    page.goto("/today")
    rounds.ready(page)
    nothing_foreign(page)
    gate.spoiled = {}
    page.evaluate(CALL["update"])
    until(page, "async () => Boolean((await navigator.serviceWorker.getRegistration()).waiting)", seconds=60)
    assert page.evaluate(CACHES) == sorted([*old, "shell-000000000002"])
    nothing_foreign(page)


# -- a new version ------------------------------------------------------------------------------------------


def newer(gate: Gate) -> None:
    """From now on the server has another build."""
    build = b"000000000002"
    gate.rewrite["/sw.js"] = lambda text: re.sub(rb'"BUILD":"\w+"', b'"BUILD":"%s"' % build, text)


def test_a_new_version_waits_for_the_answer_under_way_and_reloads_no_other_tab(server, gate, through) -> None:
    phone, page, patient = ready_to_go(through, server.account("doctor"))
    page.goto(f"/patients/{patient}")
    rounds.ready(page)
    newer(gate)
    page.evaluate(CALL["update"])
    expect(page.locator("#notice-update")).to_contain_text("有新版本", timeout=60_000)
    tab = phone.context.new_page()
    tab.goto(f"/visits/new/adl?patient={patient}")
    rounds.ready(tab)
    tab.evaluate("() => { window.stillHere = true; }")
    page.evaluate("() => { window.stillHere = true; }")

    answer = gate.held["/api/sync/push"] = threading.Event()
    add(page, patient, ["sent during the update"])
    until(page, f"async () => (await ({STATES})()).join() === 'sending'")
    page.locator("#notice-update button").click()
    page.wait_for_timeout(1000)
    assert page.evaluate("() => window.stillHere") and tab.evaluate("() => window.stillHere")
    assert page.evaluate("async () => Boolean((await navigator.serviceWorker.getRegistration()).waiting)")
    assert page.evaluate(STATES) == ["sending"]
    answer.set()
    until(page, "() => !window.stillHere && 'ready' in document.documentElement.dataset", seconds=60)
    expect(tab.locator("#notice-update")).to_contain_text("刷新后生效")
    assert tab.evaluate("() => window.stillHere")
    assert page.evaluate(STATES) == ["done"] and held(server, "sent during the update") == 1
    until(page, "async () => (await caches.keys()).join() === 'shell-000000000002'")
    assert page.evaluate("() => document.body.dataset.user")  # the key went over to the new worker


def test_a_new_version_waits_for_a_write_under_way(server, gate, through) -> None:
    _, page, _ = ready_to_go(through, server.account("doctor"))
    newer(gate)
    page.evaluate(CALL["update"])
    expect(page.locator("#notice-update")).to_contain_text("有新版本", timeout=60_000)
    page.evaluate(
        """() => {
          window.stillHere = true;
          navigator.locks.request('write', { mode: 'shared' }, () => new Promise((end) => {
            window.endWriting = end;
          }));
        }"""
    )
    page.locator("#notice-update button").click()
    page.wait_for_timeout(1000)
    assert page.evaluate("() => window.stillHere")
    assert page.evaluate("async () => Boolean((await navigator.serviceWorker.getRegistration()).waiting)")
    page.evaluate("() => window.endWriting()")
    until(page, "() => !window.stillHere && 'ready' in document.documentElement.dataset", seconds=60)


# -- storage ------------------------------------------------------------------------------------------------


def test_storage_that_the_system_cleared_is_named_with_what_went_with_it(server, gate, through) -> None:
    doctor = server.account("doctor")
    phone, page, patient = ready_to_go(through, doctor)
    gate.turn("shut")
    page.goto("/outbox")
    rounds.ready(page)
    add(page, patient, ["lost one", "lost two"])
    until(page, f"() => document.cookie.includes('{doctor['id']}.2')")
    page.goto("about:blank")
    left.evict(phone)
    gate.open()
    page.goto("/today")
    page.wait_for_url(re.compile("/unlock"))
    note = page.locator('[data-lock="note"]')
    expect(note).to_contain_text(EVICTED)
    expect(note).to_contain_text("2 条没来得及上传")
    press(page, PIN)
    press(page, PIN)
    page.wait_for_url(re.compile("/today"))
    rounds.ready(page)
    expect(page.locator("a.row").first).to_be_visible()  # and at no time an empty list
    phone.wait_for_pack(doctor["id"])
    until(page, f"() => document.cookie.includes('{doctor['id']}.0')")
    page.evaluate("async () => (await import('/static/js/vault/idle.js')).lock()")
    unlock(page)


def test_of_a_shared_phone_that_was_cleared_each_person_hears_of_their_own(server, gate, through) -> None:
    first, second = server.account("doctor", 0), server.account("doctor", 1)
    phone, page, patient = ready_to_go(through, first)
    gate.spoiled |= {"/api/sync/push": "shut", "/api/sync/sealed": "shut"}
    page.goto("/outbox")
    rounds.ready(page)
    add(page, patient, ["lost one", "lost two", "lost three"])
    until(page, f"() => document.cookie.includes('{first['id']}.3')")
    phone.sign_in(second)
    page.goto("about:blank")
    left.evict(phone)
    gate.spoiled.clear()
    page.goto("/today")
    note = page.locator('[data-lock="note"]')
    expect(note).to_contain_text(EVICTED)
    expect(note).not_to_contain_text("没来得及上传")
    set_pin(page)
    page.goto("/sign-in")
    rounds.ready(page)
    page.fill("#username", first["username"])
    page.fill("#password", first["password"])
    page.click("#sign-in button[type=submit]")
    page.wait_for_url(re.compile("/unlock"))
    expect(note).to_contain_text("3 条没来得及上传")


def test_pages_alone_that_were_cleared_are_no_empty_list(server, gate, through) -> None:
    doctor = server.account("doctor")
    phone, page, _ = ready_to_go(through, doctor)
    before = page.evaluate(META)["revs"]
    phone.close()
    phone.open()
    page = phone.page
    page.goto("/healthz")
    name = f"nuanxun-store-{doctor['id']}"
    page.evaluate("(name) => new Promise((go) => { indexedDB.deleteDatabase(name).onsuccess = go; })", name)
    gate.turn("shut")
    phone.unlock("/today")
    expect(page.locator("#evicted")).to_be_visible()
    expect(page.locator("#evicted")).to_contain_text("不是没有老人")
    gate.open()
    page.goto("/today")
    rounds.ready(page)
    phone.wait_for_pack(doctor["id"])
    assert page.evaluate(META)["revs"].keys() == before.keys()


LASTING = """(() => {
  window.asked = 0;
  const storage = Object.create(navigator.storage, {
    persist: { value: () => { window.asked += 1; return new Promise(() => {}); } },
  });
  Object.defineProperty(navigator, 'storage', { get: () => storage });
})()"""
NO_STORAGE = "Object.defineProperty(navigator, 'storage', { get: () => undefined })"


def test_lasting_storage_is_asked_for_once_there_is_something_and_waited_for_by_nobody(
    server, gate, through
) -> None:
    phone = through("doctor")
    phone.context.add_init_script(LASTING)
    phone.sign_in(server.account("doctor"))
    page = phone.page
    page.goto("/outbox")
    rounds.ready(page)
    assert page.evaluate("() => window.asked") == 0
    patient = patients_on(page)[0]
    add(page, patient, ["worth lasting"])
    until(page, "() => window.asked === 1")
    until(page, f"async () => (await ({STATES})()).join() === 'done'", seconds=60)


@pytest.mark.parametrize("api", [True, False], ids=["told", "untold"])
def test_ones_own_page_says_what_is_kept_and_for_how_long(server, gate, through, api) -> None:
    phone = through("doctor")
    if not api:
        phone.context.add_init_script(NO_STORAGE)
    phone.sign_in(server.account("doctor"))
    page = phone.page
    page.goto("/me")
    rounds.ready(page)
    words = page.locator("[data-storage]")
    expect(words).to_contain_text(re.compile(r"已下载 \d+ 页"))
    expect(words).to_contain_text("系统")
    assert ("共用" in words.inner_text()) == api
