#!/usr/bin/python3
"""A window with WebKitGTK in it, the size of a phone, its profile in the folder WEBKIT_PROFILE names.

WebKitWebDriver starts it and asks for a page. Run by the system's Python, which has the bindings of GTK.

The back/forward cache is off. On https WebKit keeps no page there that says no-store, as all of ours do; on
the plain http of a test it would, and a page put away in the middle of a transaction blocks the outbox for
the next.
"""

import os
from pathlib import Path

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gtk, WebKit2  # noqa: E402

NAME = "nuanxun-webkit"
PHONE = (390, 844)


def context(profile: Path) -> WebKit2.WebContext:
    """Everything a browser keeps, on disk: cookies, workers, caches, databases."""
    manager = WebKit2.WebsiteDataManager(
        base_data_directory=str(profile / "data"), base_cache_directory=str(profile / "cache")
    )
    cookies = manager.get_cookie_manager()
    cookies.set_persistent_storage(str(profile / "cookies.sqlite"), WebKit2.CookiePersistentStorage.SQLITE)
    made = WebKit2.WebContext(website_data_manager=manager)
    made.set_preferred_languages(["zh-CN"])
    made.set_automation_allowed(True)
    return made


def main() -> None:
    web = context(Path(os.environ["WEBKIT_PROFILE"]))
    window = Gtk.Window()
    window.connect("destroy", lambda _: Gtk.main_quit())

    def a_page(_session: WebKit2.AutomationSession) -> WebKit2.WebView:
        view = WebKit2.WebView(web_context=web, is_controlled_by_automation=True)
        view.get_settings().set_enable_page_cache(False)
        view.connect("close", lambda _: window.destroy())
        window.set_default_size(*PHONE)
        window.add(view)
        window.show_all()
        return view

    def driven(_context: WebKit2.WebContext, session: WebKit2.AutomationSession) -> None:
        about = WebKit2.ApplicationInfo()
        about.set_name(NAME)
        about.set_version(1, 0, 0)
        session.set_application_info(about)
        session.connect("create-web-view", a_page)

    web.connect("automation-started", driven)
    Gtk.main()


if __name__ == "__main__":
    main()
