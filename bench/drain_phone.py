"""How a phone empties its outbox: 250 visits that waited, on a weak line.

    python -m bench.drain_phone [--records 250] [--plain]

A Chromium behind a wire that counts (bench/wire.py): requests, bytes up, seconds from 立即上传 until the last
one is marked 已送达 (confirmed_s), and until phone and server have compared what is there (took_s). 100 a
request is the contract's most (SYNC §3). As many people are visited as the doctor has, one after the other.
--plain: the line of this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from bench.wire import PLAIN, WEAK, Wire
from tests.app.visits import sheets
from tests.e2e.storms.ground import patients_on
from tests.e2e.world import Phone, make_demo, serving

PUSH = "/api/sync/push"
FILL = """async ({payload, people, count}) => {
  const outbox = await import('/static/js/offline/outbox.js');
  for (let n = 0; n < count; n += 1) {
    const own = { ...payload, patient_id: people[n % people.length] };
    await outbox.add({ kind: 'visit.create', payload: own, label: '随访', hold_ms: 3600000 });
  }
}"""
DRAIN = """async () => {
  const { send } = await import('/static/js/offline/sender.js');
  const outbox = await import('/static/js/offline/outbox.js');
  let confirmed = 0;
  window.addEventListener('nuanxun', ({ detail }) => {
    if (detail.t === 'sent') confirmed = performance.now();
  });
  const began = performance.now();
  const result = await send({ reason: 'button' });
  const took_s = (performance.now() - began) / 1000;
  const left = await outbox.counts(document.body.dataset.user);
  return { ...result, left, took_s, confirmed_s: (confirmed - began) / 1000 };
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=250)
    parser.add_argument("--plain", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nuanxun-bench-") as name, sync_playwright() as playwright:
        folder = Path(name)
        make_demo(folder / "nuanxun.db", small=False)
        with serving(folder) as server:
            wire = Wire(server.url, PLAIN, "before")
            phone = Phone(playwright, folder / "phone", wire.url)
            phone.context.set_default_timeout(180_000)
            doctor = server.account("doctor")
            phone.sign_in(doctor)
            payload = sheets.payload(doctor["patient_id"])
            people = patients_on(phone.page)
            phone.page.evaluate(FILL, {"payload": payload, "people": people, "count": asked.records})
            wire.line = PLAIN if asked.plain else WEAK
            wire.stretch = "drain"
            found = phone.page.evaluate(DRAIN)
            phone.close()
            wire.close()
    pushes = [one for one in wire.crossed if one.stretch == "drain" and one.path == PUSH]
    print(
        json.dumps({
            "records": asked.records,
            "people": len(people),
            "sent": found["sent"],
            "left": found["left"],
            "push_requests": len(pushes),
            "other_requests": len([o for o in wire.crossed if o.stretch == "drain"]) - len(pushes),
            "up_bytes": sum(one.up for one in pushes),
            "confirmed_s": round(found["confirmed_s"], 2),
            "took_s": round(found["took_s"], 2),
            "load": round(os.getloadavg()[0], 1),
        })
    )  # fmt: skip


if __name__ == "__main__":
    main()
