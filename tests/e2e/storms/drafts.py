"""What is typed and not yet saved, when the browser is killed: how much of it comes back."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from itertools import zip_longest

from playwright.sync_api import Page

from tests.e2e import rounds
from tests.e2e.storms.ground import ADL, Ground, open_form
from tests.e2e.world import Phone

TYPING_S = (1, 9)  # mostly longer than may be lost
LETTERS = "慢走下楼扶墙饮食清淡睡眠一般按时服药"


@dataclass
class Typing:
    """When which field was filled or touched last, on the test's own clock."""

    fields: dict[str, float] = field(default_factory=dict)
    note: str = ""
    at: list[float] = field(default_factory=list)  # one moment for each letter of the note


def typed_and_killed(
    ground: Ground, phone: Phone, draw: random.Random, patient: str, rest_ms: float
) -> tuple[list[str], float]:
    """Which fields came back otherwise than they were typed, and how many seconds of work that is."""
    page = phone.page
    open_form(page, patient)
    before = _answers(page)
    typed = Typing()
    end = time.monotonic() + draw.uniform(*TYPING_S)
    for name, score in ADL.items():
        if before.get(name) != str(score):
            rounds.choose(page, name, score)
            typed.fields[name] = time.monotonic()
        if time.monotonic() > end:
            break
    box = page.locator('#visit-form [name="note"]')
    box.fill("")
    while time.monotonic() < end:
        letter = draw.choice(LETTERS)
        box.press_sequentially(letter, delay=draw.uniform(0, 150))
        typed.note += letter
        typed.at.append(time.monotonic())
    page.wait_for_timeout(rest_ms)
    killed_at = time.monotonic()
    phone.kill()
    ground.gate.turn("shut")
    phone.open()
    phone.wake()
    open_form(phone.page, patient)
    gone = _gone(typed, _answers(phone.page))
    phone.kill()
    return sorted(gone), killed_at - min(gone.values(), default=killed_at)


def _gone(typed: Typing, after: dict[str, str]) -> dict[str, float]:
    """The fields that are not as they were typed, with the moment from which on they are not."""
    gone = {name: at for name, at in typed.fields.items() if after.get(name) != str(ADL[name])}
    note = after.get("note", "")
    if note != typed.note:
        pairs = zip_longest(note, typed.note)
        same = next(place for place, (kept, written) in enumerate(pairs) if kept != written)
        if same < len(typed.at):
            gone["note"] = typed.at[same]
    return gone


def _answers(page: Page) -> dict[str, str]:
    names = [*ADL, "note"]
    return page.evaluate(
        """(names) => {
          const form = document.getElementById('visit-form');
          return Object.fromEntries(names.map((name) => [name, form.elements[name].value]));
        }""",
        names,
    )
