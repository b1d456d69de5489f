"""How long saving takes on a phone: an operation closed, sealed and on the disk, beside a bare write.

    python -m bench.save [--times 100] [--rate 1]

A Chromium with its profile on disk; in the page of a signed-in doctor, in turns: the whole of outbox.add()
with a visit of usual size, the same row put into a database of nothing else with the same promise (strict),
and closing and sealing alone. --rate slows the page's processor. Compare the ratio, not the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from playwright.sync_api import sync_playwright

from bench.measure import Options, Row, percentile
from tests.app.visits import sheets
from tests.e2e.world import Phone, make_demo, serving

DATABASES = ("sqlite",)  # the phone's work alone
MEASURE = """async ({payload, times}) => {
  const outbox = await import('/static/js/offline/outbox.js');
  const rows = await import('/static/js/offline/rows.js');
  const { openDB } = await import('/static/vendor/idb.js');
  const upgrade = (db) => db.createObjectStore('rows', { keyPath: 'op_id' });
  const bare = await openDB('bare', 1, { upgrade });
  const visit = { kind: 'visit.create', payload, label: '随访', hold_ms: 3600000 };
  const took = { add: [], bare: [], closed: [] };
  const stop = async (name, work) => {
    const began = performance.now();
    const made = await work();
    took[name].push(performance.now() - began);
    return made;
  };
  const database = await outbox.openStore();
  await outbox.expectRecord?.();
  const pause = () => new Promise((go) => setTimeout(go, 30)); // nobody saves without a breath between
  for (let turn = 0; turn < times; turn += 1) {
    await pause();
    const made = await stop('add', () => outbox.add(visit));
    const row = await database.get('ops', made.op_id);
    await pause();
    await stop('bare', async () => {
      const tx = bare.transaction('rows', 'readwrite', { durability: 'strict' });
      await Promise.all([tx.store.put(row), tx.done]);
    });
    await pause();
    await stop('closed', () => rows.closed(made));
    await outbox.undo(made.op_id);
  }
  bare.close();
  return took;
}"""


def run(_folder: Path, options: Options) -> Iterable[Row]:
    found = measured(options.number("save.times", 100, 3), rate=1)
    bare = {name.removeprefix("bare_"): found.pop(name) for name in list(found) if name.startswith("bare_")}
    yield Row("to 已保存", found, bare, round(found["add_p50_ms"] / bare["p50_ms"], 2))


def measured(times: int, rate: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="nuanxun-bench-") as name, sync_playwright() as playwright:
        folder = Path(name)
        make_demo(folder / "nuanxun.db")
        with serving(folder) as server:
            phone = Phone(playwright, folder / "phone", server.url)
            doctor = server.account("doctor")
            phone.sign_in(doctor)
            session = phone.context.new_cdp_session(phone.page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": rate})
            payload = sheets.payload(doctor["patient_id"])
            took = phone.page.evaluate(MEASURE, {"payload": payload, "times": times})
            phone.close()
    return {
        f"{part}_{word}_ms": round(percentile(values, share), 2)
        for part, values in took.items()
        for word, share in (("p50", 0.5), ("p95", 0.95))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--rate", type=float, default=1)
    asked = parser.parse_args()
    found = measured(asked.times, asked.rate)
    found["ratio_p50"] = round(found["add_p50_ms"] / found["bare_p50_ms"], 2)
    print(
        json.dumps(found | {"times": asked.times, "rate": asked.rate, "load": round(os.getloadavg()[0], 1)})
    )


if __name__ == "__main__":
    main()
