"""Each storm a few times. As often as wanted: --kills 500, or `python -m tests.e2e.storms` with a report."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from tests.e2e.storms.every import STORMS
from tests.e2e.storms.figures import BEGIN, END, Figures, write
from tests.e2e.storms.ground import ground
from tests.e2e.world import Server

pytestmark = pytest.mark.xdist_group("browser")


@pytest.mark.parametrize("name", STORMS)
def test_a_storm_loses_nothing_doubles_nothing_and_every_screen_is_true(
    name: str,
    file_server: Server,
    playwright: Playwright,
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    more = {"visits": pytestconfig.getoption("visits")} if name == "flips" else {}
    with ground(playwright, file_server, tmp_path) as standing:
        count, seed = pytestconfig.getoption(name), pytestconfig.getoption("storm_seed")
        figures = STORMS[name](standing, count, seed, **more)
    assert figures.wrong == 0, figures.complaints
    assert figures.rounds == count
    assert figures.saved == figures.sent > 0


def test_what_was_measured_replaces_its_own_row_and_no_other(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    write(page, [Figures("kills", rounds=50, saved=40, sent=40), Figures("tabs", rounds=20)])
    write(page, [Figures("kills", rounds=500, saved=1400, sent=1400)])
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "| kills | 500 | 1,400 | 1,400 |" in text and "| kills | 50 |" not in text
    assert text.count("| tabs | 20 |") == 1 and text.count("| storm |") == 1
