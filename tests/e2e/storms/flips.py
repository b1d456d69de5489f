"""The line comes and goes in every way while visits are saved; what the phone shows is always true."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from typing import Any

from tests.e2e import rounds
from tests.e2e.storms.book import Book, mark_of
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import Ground, add, patients_on, save_visit
from tests.e2e.world import Phone

# unheard: only pushes do not get through. unanswered: only their answers do not.
LINES = ("open", "shut", "hang", "portal", "lose", "airplane", "unheard", "unanswered")
LOST_AT = {"unheard": "came", "unanswered": "done"}
PATIENCE_S = 3.0  # a screen follows what happened; later than this it is wrong
LONGEST_PAUSE_MS = 400
# What is shown, read between two readings of what is so: they agree, or something is just changing.
LOOK = """async (author) => {
  const outbox = await import('/static/js/offline/outbox.js');
  const tell = async () => (await outbox.all(author)).map(({op_id, state}) => [op_id, state]);
  const before = await tell();
  const text = (query) => document.querySelector(query)?.textContent.replace(/\\s+/g, ' ').trim() ?? null;
  const count = (id) => {
    const section = document.getElementById(id);
    if (!section) return null;
    return section.hidden ? 0 : parseInt(section.querySelector('[data-count]').textContent, 10);
  };
  const busy = [...document.querySelectorAll('#waiting [data-part="time"]')];
  const shown = {strip: text('#strip .strip-words'), saved: text('[data-saved="sending"]'),
    waiting: count('waiting'), needs: count('needs'), receipts: count('receipts'),
    sending: busy.filter((part) => part.textContent === '正在上传').length};
  const after = await tell();
  return {shown, states: after, still: JSON.stringify(before) === JSON.stringify(after)};
}"""
SAVED_WORDS = {
    "仅在本机，马上自动上传": "saved",
    "仅在本机，有信号时自动上传": "saved",
    "正在上传": "sending",
    "已送达，服务器有回执": "done",
}
NONE_WAITING = ("已全部上传", "没有待上传")
PRESS = "() => document.getElementById('send-now').click()"  # does nothing while it is greyed out


@dataclass
class Scene:
    ground: Ground
    phone: Phone
    book: Book
    last: str = ""  # op_id of the visit whose saved screen is before us


def run(ground: Ground, count: int, seed: int, visits: int = 0) -> Figures:
    """`count` flips among `visits` visits (twice as many unless told), and a look after each step."""
    draw = random.Random(seed)
    visits = visits or 2 * count
    figures = Figures("flips", rounds=count)
    account = ground.server.account("doctor")
    phone = ground.phone(f"flips-{seed}")
    phone.sign_in(account)
    people = patients_on(phone.page)
    scene = Scene(ground, phone, Book(figures, ground.server, account["id"]))
    steps = ["flip"] * count + ["visit"] * visits + ["send"] * count
    draw.shuffle(steps)
    line = "open"
    for n, step in enumerate(steps):
        if step == "flip":
            line = _next(draw, line, figures)
            _turn(scene, line)
        elif step == "visit":
            _visit(scene, draw.choice(people), f"flips {seed} {n}", by_hand=draw.random() < 0.5)
        else:
            _send(scene)
        phone.page.wait_for_timeout(draw.uniform(0, LONGEST_PAUSE_MS))
        _judge(scene, f"{step} {n} ({line})")
    _turn(scene, "open")
    scene.book.send_all(phone.page)
    _judge(scene, "end")
    scene.book.look(phone.page)
    return scene.book.close()


def _next(draw: random.Random, line: str, figures: Figures) -> str:
    """Another line than now, one of those met the fewest times."""
    others = [other for other in LINES if other != line]
    fewest = min(figures.also.get(other, 0) for other in others)
    found = draw.choice([other for other in others if figures.also.get(other, 0) == fewest])
    figures.more(found)
    return found


def _turn(scene: Scene, line: str) -> None:
    scene.phone.offline(line == "airplane")
    gate = scene.ground.gate
    gate.at_push = (lambda stage: stage == LOST_AT[line]) if line in LOST_AT else None
    gate.turn("open" if line == "airplane" or line in LOST_AT else line)


def _visit(scene: Scene, patient: str, mark: str, *, by_hand: bool) -> None:
    page = scene.phone.page
    if by_hand:
        save_visit(page, patient, mark)
        [scene.last] = [r["op_id"] for r in scene.book.look(page) if mark_of(r) == mark]
    else:
        add(page, patient, [mark])
    scene.book.promise(mark)


def _send(scene: Scene) -> None:
    page = scene.phone.page
    if not page.url.endswith("/outbox"):
        page.goto("/outbox")
        rounds.ready(page)
        scene.last = ""
    page.evaluate(PRESS)


def _judge(scene: Scene, when: str) -> None:
    """Compare until what is shown is so. What is called sent is checked at once: it may never be early."""
    page, figures = scene.phone.page, scene.book.figures
    scene.book.look(page)
    began = time.monotonic()
    while True:
        seen = page.evaluate(LOOK, scene.book.author)
        faults = _faults(scene, seen) if seen["still"] else ["never still"]
        took = time.monotonic() - began
        if not faults:
            figures.more("looks")
            figures.most("s until shown at most", took)
            return
        if took > PATIENCE_S:
            figures.blame("wrong_states", f"{when}: {'; '.join(faults)}: {seen}")
            return
        page.wait_for_timeout(20)


def _faults(scene: Scene, seen: dict[str, Any]) -> list[str]:
    shown, states = seen["shown"], dict(seen["states"])
    number = {state: 0 for state in ("saved", "sending", "done", "conflict", "rejected")}
    for state in states.values():
        number[state] += 1
    waiting, needs = number["saved"] + number["sending"], number["conflict"] + number["rejected"]
    lists = {"waiting": waiting, "needs": needs, "receipts": number["done"], "sending": number["sending"]}
    faults = []
    if shown["waiting"] is not None:
        faults += [name for name, right in lists.items() if shown[name] != right]
    if not _strip_is_true(shown["strip"] or "", waiting, number["sending"], needs):
        faults.append("strip")
    if shown["saved"] and scene.last in states and SAVED_WORDS.get(shown["saved"]) != states[scene.last]:
        faults.append("saved screen")
    return faults


def _strip_is_true(words: str, waiting: int, sending: int, needs: int) -> bool:
    if needs or "需处理" in words:
        return f"{needs} 条需处理" in words
    if "正在上传" in words:
        return sending > 0
    if found := re.search(r"(\d+) 条仅在本机", words):
        return int(found[1]) == waiting
    return waiting == 0 and (any(none in words for none in NONE_WAITING) or words in ("在线", "离线"))
