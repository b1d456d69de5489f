"""Firefox and WebKit, driven with no package but the standard library.

Both speak the commands of W3C WebDriver: Firefox over a socket (Marionette), WebKitGTK over HTTP. `driver.py`
is the browser a test holds, `page.py` as much of Playwright's Page as the rounds need, so that the same
helper fills a form in all three engines.
"""

from tests.e2e.engines.driver import Driver, excused
from tests.e2e.engines.firefox import Firefox
from tests.e2e.engines.webkit import WebKit

ENGINES: dict[str, type[Driver]] = {"firefox": Firefox, "webkit": WebKit}


def lacking() -> list[str]:
    """The engines this machine cannot run as it is."""
    return [name for name, engine in ENGINES.items() if engine.lacks()]


__all__ = ["ENGINES", "Driver", "Firefox", "WebKit", "excused", "lacking"]
