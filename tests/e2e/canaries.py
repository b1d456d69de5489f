"""What of a patient can be read from a phone that lies locked in a drawer?

    python -m tests.e2e.canaries

plants invented people where a phone meets them (downloaded, opened, searched for, typed, saved without
signal, refused by the server), ends the browser (closed, killed, locked and then killed), and looks for their
names, identity numbers, telephones and addresses in every file of its profile, packed ones unpacked. Prints
what was found in which file; nothing found is status 0. One string is put there unencrypted on purpose: a
search that does not find it has not searched.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Playwright, expect, sync_playwright

from tests.e2e import rounds
from tests.e2e.leveldb import layers
from tests.e2e.world import LOCK_TAKES, Phone, Server, make_demo, serving, until
from tests.factories import an_id_card

FAMILY_NAMES = "亓仉佘俎冼单厍召夔宓尉岑庹隗戚"
GIVEN_NAMES = "霁翀昶曦璟甯翮骢麒黛彧祎芃茕蘅"
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030")
WAYS = (
    "opened",
    "edited",
    "typed",
    "saved",
    "noted",
    "ordered",
    "refused",
)  # how the phone meets each of them

CREATE = """async (people) => {
  const { uuid7, deviceId } = await import('/static/js/ids.js');
  const { localIso } = await import('/static/js/when.js');
  const now = localIso(new Date());
  const ops = people.map((payload) => ({op_id: uuid7(), device_id: deviceId(),
    author_id: document.body.dataset.user, kind: 'patient.create', recorded_at: now, payload}));
  const answer = await fetch('/api/sync/push', {method: 'POST',
    headers: {'Content-Type': 'application/json'}, body: JSON.stringify({sent_at: now, ops})});
  return (await answer.json()).results;
}"""
FETCH_PACK = """async () => {
  const pack = await import('/static/js/offline/pack.js');
  return (await pack.refresh({user_id: document.body.dataset.user})).outcome;
}"""
DRAFT_KEPT = """async () => {
  const names = await (await import('/static/js/offline/drafts.js')).names();
  return names.some((name) => name.includes('adl'));
}"""
REFUSED = """async ([payload]) => {
  const outbox = await import('/static/js/offline/outbox.js');
  const { send } = await import('/static/js/offline/sender.js');
  const { op_id } = await outbox.add({ kind: 'patient.create', payload, patient_name: payload.name,
    label: `登记 ${payload.name}` });
  await send({ reason: 'button' });
  const { state, unreadable } = await outbox.get(op_id);
  return { state, unreadable };
}"""
CONTROL = """(words) => new Promise((done, fail) => {
  const opening = indexedDB.open('control', 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore('plain');
  opening.onsuccess = () => {
    const tx = opening.result.transaction('plain', 'readwrite', { durability: 'strict' });
    tx.objectStore('plain').put(words, 1);
    tx.oncomplete = () => done();
    tx.onerror = () => fail(tx.error);
  };
})"""
CONTROL_WORDS = "查得到的对照文字"
CONTROL_LABEL = "control"
ENDS = ("closed", "killed", "locked")
WAITING = """(words) => document.querySelector('#strip').textContent.includes(words)"""


@dataclass(frozen=True)
class Person:
    name: str
    id_card: str
    phone: str
    address: str


def people(seed: int) -> dict[str, Person]:
    """People nobody else is called like: more than two dozen strings to look for."""
    draw = random.Random(seed)
    found = {}
    for number, way in enumerate(WAYS):
        name = draw.choice(FAMILY_NAMES) + "".join(draw.sample(GIVEN_NAMES, 3))
        birth = f"19{draw.randint(30, 59)}{draw.randint(1, 12):02d}{draw.randint(1, 28):02d}"
        digits = "".join(draw.choices("0123456789", k=8))
        road = "".join(draw.sample(GIVEN_NAMES, 4))
        found[way] = Person(
            name, an_id_card(draw.randint(1, 400), birth), f"199{digits}", f"{road}路{number}号"
        )
    return found


def plant(phone: Phone, account: dict[str, Any], them: dict[str, Person]) -> None:
    """Let the phone meet every one of them, each in another way. Ends without signal."""
    phone.sign_in(account)
    page = phone.page
    village = {"village_id": account["village_id"]}
    wanted = [{**asdict(them[way]), **village} for way in ("opened", "edited")]
    results = page.evaluate(CREATE, wanted)
    assert [r["status"] for r in results] == ["applied"] * 2, results
    opened, edited = (r["entity_id"] for r in results)
    assert page.evaluate(FETCH_PACK) == "fresh"
    for way in ("opened", "edited"):
        rounds.open_patient(page, them[way].name)
    page.goto(f"/patients/{edited}/edit")
    rounds.ready(page)
    refused = {**asdict(them["refused"]), "village_id": "999999999999"}
    assert page.evaluate(REFUSED, [refused])["state"] == "rejected"
    page.goto("/outbox")
    expect(page.locator("#main")).to_contain_text(them["refused"].name)
    page.goto("/patients/new")
    rounds.ready(page)  # not in every pack, so that it is fetched while there is signal
    phone.offline()
    _fill(page, them["saved"], village["village_id"])
    page.locator('.dock button[type="submit"]').click()
    until(page, WAITING, "1 条仅在本机")
    page.goto(f"/visits/new/adl?patient={opened}")
    page.locator('#visit-form[data-started="1"]').wait_for()
    page.locator('#visit-form [name="note"]').fill(" ".join(asdict(them["noted"]).values()))
    until(page, DRAFT_KEPT)
    _order(page, opened, them["ordered"])
    until(page, WAITING, "2 条仅在本机")
    phone.offline(False)
    page.goto("/patients/new")
    rounds.ready(page)
    _fill(page, them["typed"], village["village_id"])
    page.wait_for_timeout(4000)  # the browser's own keeping of what is typed; it tells nobody when


def _fill(page: Any, person: Person, village: str) -> None:
    for name in ("name", "id_card", "phone", "address"):
        page.locator(f'#patient-form [name="{name}"]').fill(getattr(person, name))
    page.locator('#patient-form [name="village_id"]').select_option(village)


def _order(page: Any, patient: str, person: Person) -> None:
    """A service for the patient, with somebody else's telephone, address and names in the message."""
    page.goto(f"/orders/new?patient={patient}")
    rounds.ready(page)
    page.locator("#service-H01").check()
    page.locator("label", has_text="明天上午").click()
    page.locator("#contact").evaluate("(details) => { details.open = true; }")
    page.locator("#phone").fill(person.phone)
    page.locator("#address").fill(person.address)
    page.locator("#note").fill(f"{person.name} {person.id_card}")
    page.get_by_role("button", name="提交").click()
    expect(page.locator("#main")).to_contain_text("点服务 待上传", use_inner_text=True)


def search(profile: Path, them: dict[str, Person]) -> dict[str, set[str]]:
    """Which strings stand in which file: {'Default/History': {'opened.name', …}}."""
    wanted = [
        (f"{way}.{field}", [value.encode(encoding) for encoding in ENCODINGS])
        for way, person in them.items()
        for field, value in asdict(person).items()
    ]
    wanted.append((CONTROL_LABEL, [CONTROL_WORDS.encode(encoding) for encoding in ENCODINGS]))
    hits: dict[str, set[str]] = defaultdict(set)
    for path in sorted(p for p in profile.rglob("*") if p.is_file() and not p.is_symlink()):
        for data in layers(path):
            for label, spellings in wanted:
                if any(spelling in data for spelling in spellings):
                    hits[str(path.relative_to(profile))].add(label)
    return dict(hits)


def look(playwright: Playwright, server: Server, folder: Path, *, seed: int, end: str) -> dict[str, set[str]]:
    """Plant, end the browser (killed: as a battery does; locked: put away locked, then killed), search."""
    them = people(seed)
    phone = Phone(playwright, folder, server.url)
    try:
        plant(phone, server.account("doctor"), them)
        phone.page.evaluate(CONTROL, CONTROL_WORDS)
        if end == "locked":
            lock(phone)
    finally:
        if end == "closed":
            phone.close()
        else:
            phone.kill()
    hits = search(folder, them)
    assert any(CONTROL_LABEL in labels for labels in hits.values()), "the search finds nothing at all"
    unwanted = {file: labels - {CONTROL_LABEL} for file, labels in hits.items()}
    return {file: labels for file, labels in unwanted.items() if labels}


def lock(phone: Phone) -> None:
    """As somebody does who has no signal and puts the phone away."""
    phone.offline()
    phone.page.goto("/me")
    phone.page.get_by_role("button", name="现在上锁").click()
    until(phone.page, LOCK_TAKES)


def report(hits: dict[str, set[str]]) -> Iterable[str]:
    for file, labels in sorted(hits.items()):
        yield f"  {file}: {', '.join(sorted(labels))}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="leave the profile for a look by hand")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="nuanxun-canaries-"))
    make_demo(folder / "nuanxun.db")
    found = 0
    with serving(folder) as server, sync_playwright() as playwright:
        for how in ENDS:
            hits = look(playwright, server, folder / how, seed=asked.seed, end=how)
            found += len(hits)
            print(f"{how}: found in {len(hits)} files", *report(hits), sep="\n")
            asked.seed += 1
    if asked.keep:
        print(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
