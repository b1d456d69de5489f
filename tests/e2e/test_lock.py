"""The lock, in a real browser: who gets in, and who does not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, expect

from app import guard
from tests.e2e import rounds
from tests.e2e.locks import ADD, CHANGE, HOUR_MS, ROW, STATES, WRONG, ended, locked, now_ms, restarted, says
from tests.e2e.test_accessibility import Reader
from tests.e2e.world import (
    LOCK_ASKS,
    LOCK_GONE,
    LOCK_TAKES,
    PHONE,
    PIN,
    Server,
    press,
    set_pin,
    unlock,
    until,
)

pytestmark = pytest.mark.xdist_group("browser")

WORKER_ANSWERS = "() => Boolean(navigator.serviceWorker.controller)"
KEPT_PAGES = """async (user) => {
  const { openDB } = await import('/static/vendor/idb.js');
  const name = 'nuanxun-store-' + user;
  if (!(await indexedDB.databases()).some((one) => one.name === name)) return 0;
  const db = await openDB(name);
  const found = db.objectStoreNames.contains('pages') ? await db.count('pages') : 0;
  db.close();
  return found;
}"""
PACK_URLS = """async () => {
  const meta = await (await import('/static/js/offline/pages.js')).meta();
  return Object.keys(meta.revs);
}"""
NAMES = (
    "() => [...document.querySelectorAll('a.row .row-main b, a.row b')].map((one) => one.textContent.trim())"
)


@pytest.fixture(scope="module")
def server(file_server: Server) -> Server:
    """One for the whole file: each test has a person of its own."""
    return file_server


def sign_in(page: Page, account: dict[str, Any], path: str = "/sign-in") -> None:
    page.goto(path)
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("#sign-in button[type=submit]")


def lock_now(page: Page) -> None:
    page.goto("/me")
    rounds.ready(page)
    page.get_by_role("button", name="现在上锁").click()
    locked(page)


def change_phone(account: dict[str, Any], base_revision: int = 1) -> dict[str, Any]:
    payload = {"patient_id": account["patient_id"], "phone": "13900002222"}
    return {"kind": "patient.update", "payload": payload, "base_revision": base_revision}


def test_the_first_sign_in_asks_for_a_pin_twice_and_a_new_start_asks_for_it_under_any_address(
    server, gate, through
) -> None:
    phone = through("first")
    account = server.account("doctor", 0)
    page = phone.page
    sign_in(page, account, "/patients?grade=red")
    page.wait_for_url("**/unlock?next=*")
    press(page, "123456")
    says(page, "太容易猜到")
    press(page, PIN)
    until(page, LOCK_ASKS, "再输一次")
    press(page, WRONG)
    says(page, "两次不一样")
    until(page, LOCK_ASKS, "设一个 6 位解锁密码")
    set_pin(page)
    assert page.url == f"{gate.url}/patients?grade=red"
    phone.wait_for_pack(account["id"])
    names = {name for name in page.evaluate(NAMES) if len(name) > 1}
    assert names
    urls = page.evaluate(PACK_URLS)
    patient = next(url for url in urls if url.startswith("/patients/"))

    gate.mode = "shut"
    page = restarted(phone, "/")
    asked = ["/today", patient, "/visits/new/adl?patient=x", "/outbox", f"{patient}/edit", "/visits/nowhere"]
    for path in ["/", *asked, "/never/heard-of?a=b", "/patients?grade=red"]:
        answer = page.goto(path)
        assert answer is not None and answer.status == 200, path
        assert page.url == gate.url + path
        for name, value in guard.HEADERS.items():
            assert answer.headers[name.lower()] == value, (path, name)
        locked(page)
        assert not [name for name in names if name in page.content()], path
    unlock(page)
    assert page.url == f"{gate.url}/patients?grade=red"
    assert names & set(page.evaluate(NAMES))


def test_wrong_pins_slow_down_and_the_tenth_ends_the_key_but_not_the_queue(server, gate, through) -> None:
    phone = through("stolen")
    account = server.account("doctor", 1)
    phone.sign_in(account)
    gate.mode = "shut"
    phone.page.goto("/outbox")
    op_id = phone.page.evaluate(ADD, change_phone(account))
    page = restarted(phone, "/today")
    for left in (9, 8, 7, 6):
        press(page, WRONG)
        says(page, f"密码不对，还可试 {left} 次")
    press(page, WRONG)
    says(page, "秒再试，还可试 5 次")
    for _ in range(2):
        expect(page.locator('[data-digit="1"]')).to_be_disabled()
        for digit in PIN:
            page.keyboard.press(digit)  # keys that rest rest for the keyboard too
        assert page.evaluate(ROW)["tries"] == 5
        found = re.search(r"请等 (\d+) 秒", page.locator('[data-lock="note"]').inner_text())
        assert found and 1 <= int(found[1]) <= 30
        page.reload()  # and a page opened anew does not wake them
        says(page, "秒再试，还可试 5 次")
    page.evaluate(CHANGE, {"tried_at": now_ms(-HOUR_MS)})
    until(page, LOCK_TAKES)
    says(page, "还可试 5 次")

    page.locator('[data-lock="forgot"]').click()
    page.locator('[data-lock="reset"]').click()
    expect(page.locator('[data-lock="offline"]')).to_contain_text("现在连不上服务器")
    page.keyboard.press("Escape")
    expect(page.locator("#forgot-sheet")).to_be_hidden()

    for left in (4, 3, 2, 1):
        press(page, WRONG)
        says(page, f"秒再试，还可试 {left} 次")
        page.evaluate(CHANGE, {"tried_at": now_ms(-HOUR_MS)})
    assert page.evaluate(KEPT_PAGES, account["id"]) > 0
    press(page, WRONG)
    ended(page, "输错次数太多，本机的老人资料已清除")
    says(page, "1 条没上传的记录还在")
    assert page.evaluate(ROW)["has_key"] is False
    until(page, f"async () => (await ({KEPT_PAGES})('{account['id']}')) === 0")
    with page.expect_download() as coming:
        page.locator('[data-lock="export"]').click()
    assert coming.value.suggested_filename.endswith("-1.nxq")
    page.locator('[data-lock="again"]').click()
    says(page, "现在连不上服务器")

    # The session's cookie still lives: it uploads what is sealed, and opens nothing.
    gate.open()
    for path in ("/", "/unlock", "/today", "/patients", f"/patients/{account['patient_id']}/edit"):
        page.goto(path)
        ended(page, "输错次数太多")
    until(page, f"async () => (await ({STATES})()).join() === 'done'")
    assert [op_id] in gate.pushed
    page.locator('[data-lock="again"]').click()
    page.wait_for_url("**/sign-in")
    page.goto("/unlock")  # a new PIN only for whom the server has let in
    ended(page, "输错次数太多")
    sign_in(page, account)
    page.wait_for_url("**/unlock*")
    set_pin(page)
    phone.wait_for_pack(account["id"])
    page.goto("/outbox")
    expect(page.locator("#receipts")).to_contain_text("服务器回执 1/1")


def test_neither_a_wrong_password_nor_a_forgotten_pin_leads_past_the_lock(server, gate, through) -> None:
    phone = through("stolen")
    account = server.account("doctor", 2)
    phone.sign_in(account)
    page = restarted(phone, "/today")
    locked(page)
    sign_in(page, {**account, "password": "not the password"})
    expect(page.locator("#sign-in")).to_be_visible()
    for path in ("/today", f"/patients/{account['patient_id']}/edit"):
        page.goto(path)
        locked(page)
    page.goto("/today")
    locked(page)
    page.locator('[data-lock="forgot"]').click()
    page.locator('[data-lock="reset"]').click()
    page.wait_for_url("**/sign-in")
    assert not page.evaluate(ROW)["has_key"]
    page.goto("/today")
    page.wait_for_url("**/sign-in?next=**")  # the session went first
    sign_in(page, account)
    page.wait_for_url("**/unlock*")
    press(page, PIN)  # which may be the old one again
    until(page, LOCK_ASKS, "再输一次")
    press(page, PIN)
    until(page, LOCK_GONE)

    # Signing out where nobody hears it: the session lives on, and still nobody may set a PIN.
    phone.wait_for_pack(account["id"])
    page.goto("/me")
    rounds.ready(page)
    gate.mode = "shut"
    page.click("[data-sign-out] button")
    ended(page, "已退出登录，本机的老人资料已清除")
    gate.open()
    page.goto("/today")
    ended(page, "已退出登录")


def authenticator(session: CDPSession, prf: bool) -> str:
    options = {
        "protocol": "ctap2",
        "ctap2Version": "ctap2_1",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
        "hasPrf": prf,
    }
    return str(session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"])


def fill_pin(page: Page, old: str, new: str = "", again: str = "") -> None:
    page.fill("#pin-old", old)
    if new:
        page.fill("#pin-new", new)
        page.fill("#pin-again", again or new)
    page.locator("#pin-sheet").get_by_role("button", name="好了").click()


def test_a_finger_and_a_new_pin_open_the_same_store(server, gate, through) -> None:
    phone = through("finger", gate.url.replace("127.0.0.1", "localhost"))  # a number is no name for a passkey
    account = server.account("doctor", 1)
    page = phone.page
    session = phone.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    plain = authenticator(session, prf=False)
    phone.sign_in(account)
    page.goto("/me")
    rounds.ready(page)
    switch, sheet, fault = (
        page.locator("#finger-switch"),
        page.locator("#pin-sheet"),
        page.locator("#pin-says"),
    )
    switch.click()
    fill_pin(page, WRONG)
    expect(fault).to_contain_text("解锁密码不对，还可试 9 次")
    fill_pin(page, PIN)
    expect(fault).to_contain_text("指纹不能用来解锁")
    sheet.get_by_role("button", name="不换了").click()
    expect(switch).to_contain_text("用指纹解锁")
    session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": plain})

    authenticator(session, prf=True)
    page.reload()
    rounds.ready(page)
    switch.click()
    fill_pin(page, PIN)
    expect(sheet).to_be_hidden()
    expect(switch).to_contain_text("停用指纹解锁")
    lock_now(page)
    page.locator('[data-lock="finger"]').click()
    until(page, LOCK_GONE)
    rounds.ready(page)
    assert page.url.endswith("/me")

    new = "864209"
    change = page.locator("#pin-change")
    change.click()
    for old, first, second, words in (
        (PIN, "12345", "12345", "要 6 位数字"),
        (PIN, "123456", "123456", "太容易猜到"),
        (PIN, new, WRONG, "两次输入的不一样"),
        (WRONG, new, new, "解锁密码不对，还可试 9 次"),
    ):
        fill_pin(page, old, first, second)
        expect(fault).to_contain_text(words)
    fill_pin(page, PIN, new)
    expect(sheet).to_be_hidden()
    page.locator("#lock-now").click()
    locked(page)
    press(page, PIN)
    says(page, "密码不对，还可试 9 次")
    page.locator('[data-lock="finger"]').click()
    until(page, LOCK_GONE)
    page.goto("/patients")
    rounds.ready(page)
    assert page.evaluate(NAMES)  # still the same store

    page.goto("/me")
    rounds.ready(page)
    switch.click()
    expect(switch).to_contain_text("用指纹解锁")
    page.locator("#lock-now").click()
    locked(page)
    expect(page.locator('[data-lock="finger"]')).to_be_hidden()
    press(page, new)
    until(page, LOCK_GONE)


@pytest.mark.parametrize(
    "missing",
    [
        "Object.defineProperty(Crypto.prototype, 'subtle', { value: undefined })",
        "Object.defineProperty(globalThis, 'indexedDB', { value: undefined })",
    ],
    ids=["no cipher", "no storage"],
)
def test_a_browser_that_can_keep_nothing_says_so_and_works_with_the_server(
    server, gate, through, missing
) -> None:
    phone = through("old")
    phone.context.add_init_script(missing)
    page = phone.page
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    sign_in(page, server.account("doctor", 2))
    page.wait_for_url("**/today")
    rounds.ready(page)
    expect(page.locator("#strip")).to_contain_text("不能离线保存")
    expect(page.locator("#strip")).to_contain_text("记录只能在线提交")
    page.goto("/patients")
    rounds.ready(page)
    page.locator("a.row").first.click()
    page.wait_for_url("**/patients/*")
    rounds.ready(page)
    patient = page.url
    number = "13900004444" if "Crypto" in missing else "13900005555"
    page.goto(f"{patient}/edit")
    rounds.ready(page)
    page.fill("#phone", number)
    page.locator("button[form=patient-form]").click()
    page.wait_for_url(patient)
    assert ("POST", patient.removeprefix(gate.url)) in gate.seen
    expect(page.locator(f'a[href="tel:{number}"]').first).to_be_attached()
    until(page, WORKER_ANSWERS)
    gate.mode = "shut"
    page.goto(f"{patient}/edit")
    assert "没有存在手机上" in page.inner_text("main")
    assert faults == []


SIZES = [(390, 844), (320, 568), (844, 390), (667, 375)]
CUT_OFF = """() => [...document.querySelectorAll('[data-digit], [data-lock=forgot], [data-lock=back]')]
  .map((one) => one.getBoundingClientRect())
  .filter((box) => box.bottom > innerHeight || box.right > innerWidth || box.left < 0 || box.top < 0)
  .length"""
LOWEST_KEY = """() => Math.min(...[...document.querySelectorAll('.lock-pad > button')]
  .map((one) => one.getBoundingClientRect().height))"""


def test_the_lock_is_for_every_hand_eye_and_screen(server, gate, through) -> None:
    phone = through("hands")
    page = phone.page
    sign_in(page, server.account("family"))
    page.wait_for_url("**/unlock*")
    reader = Reader()
    until(page, LOCK_TAKES)
    reader.look(page, "setting a PIN")
    for digit in PIN:
        page.keyboard.press(digit)
    until(page, LOCK_ASKS, "再输一次")
    until(page, LOCK_TAKES)
    for digit in PIN:
        page.keyboard.press(digit)
    until(page, LOCK_GONE)
    page.evaluate(ADD, {"kind": "nothing", "payload": {}})  # is refused: something waits
    page.evaluate("async () => { (await import('/static/js/vault/idle.js')).lock(); }")
    locked(page)
    reader.look(page, "locked")
    for care in (False, True):
        page.evaluate("(on) => document.documentElement.toggleAttribute('data-care', on)", care)
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(CUT_OFF) == 0, (width, height, care)
            assert page.evaluate(LOWEST_KEY) >= (60 if care else 48), (width, height, care)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.evaluate("() => document.documentElement.removeAttribute('data-care')")

    dots = page.locator('[data-lock="dots"]')
    for key in ("1", "2", "Backspace", "3"):
        page.keyboard.press(key)
    expect(dots).to_have_attribute("aria-label", "已输入 2 位，共 6 位")
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    for digit in WRONG:  # Enter on a focused key types it once
        page.locator(f'[data-digit="{digit}"]').focus()
        page.keyboard.press("Enter")
    says(page, "密码不对，还可试 9 次")
    expect(dots).to_have_class(re.compile("wrong"))
    page.emulate_media(reduced_motion="reduce")
    assert dots.evaluate("(one) => getComputedStyle(one).animationName") == "none"
    for opener, sheet in (("forgot", "forgot-sheet"), ("other", "other-sheet")):
        button = page.locator(f'[data-lock="{opener}"]')
        button.focus()
        page.keyboard.press("Enter")
        expect(page.locator(f"#{sheet}")).to_be_visible()
        reader.look(page, sheet)
        page.keyboard.press("1")  # a sheet lies over the keys
        page.keyboard.press("Escape")
        expect(page.locator(f"#{sheet}")).to_be_hidden()
        expect(button).to_be_focused()
    expect(dots).to_have_attribute("aria-label", "已输入 0 位，共 6 位")
    page.evaluate(CHANGE, {"tries": 5, "tried_at": now_ms()})
    page.reload()
    says(page, "请等")
    reader.look(page, "waiting")
    page.evaluate(CHANGE, {"tries": 10})
    page.reload()
    ended(page, "输错次数太多")
    reader.look(page, "ended")
    assert reader.faults == {}
