"""What lies on a phone, looked at past the program: databases, caches, storage, workers."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Error, Page

from tests.e2e.world import Phone

LOOK = """async () => ({
  databases: (await indexedDB.databases()).map((database) => database.name).sort(),
  caches: await caches.keys(),
  local: Object.keys(localStorage),
  cookie: document.cookie,
  workers: (await navigator.serviceWorker.getRegistrations()).map((one) => one.scope),
})"""
NOTHING = {"databases": [], "caches": [], "local": [], "cookie": "", "workers": []}
# As the system does it when space is short: everything but the cookies.
EVICTED = "indexeddb,cache_storage,local_storage,service_workers,file_systems,websql"


def on(page: Page) -> dict[str, Any]:
    return page.evaluate(LOOK)


def anew(phone: Phone) -> dict[str, Any]:
    """Asked from a page of the same origin on which nothing of ours runs."""
    page = phone.context.new_page()
    page.goto("/healthz")
    try:
        found = on(page)
    except Error:  # the browser was just clearing this origin, and loaded its pages anew
        page.wait_for_load_state()
        found = on(page)
    page.close()
    return found


def evict(phone: Phone) -> None:
    session = phone.context.new_cdp_session(phone.page)
    session.send("Storage.clearDataForOrigin", {"origin": phone.url, "storageTypes": EVICTED})
    session.detach()
