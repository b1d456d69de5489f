"""Opening patients' pages without a network, through the worker, beside an answer it need not think about.

    python -m bench.offline_open [--times 40] [--rates 1 4 6]

A Chromium with its profile on disk and the small demo's pack, its network cut. For each rate of slow-down of
the page's processor (the worker keeps its own): navigations to patients' pages, and a file of the shell
fetched as often, which the worker answers without a key or a database. first: until the page's bytes are
there; ready: until its scripts answer taps. Compare the two in one run, not figures between machines.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.measure import Options, Row, percentile
from tests.e2e.world import Phone, make_demo, serving, until

DATABASES = ("sqlite",)  # the phone's work alone
READY = "() => 'ready' in document.documentElement.dataset"
MARK = """new MutationObserver(() => {
  if (document.documentElement?.dataset.ready === '' && !performance.getEntriesByName('nx-ready').length)
    performance.mark('nx-ready');
}).observe(document, { subtree: true, attributes: true, attributeFilter: ['data-ready'] })"""
TIMES = """() => {
  const [nav] = performance.getEntriesByType('navigation');
  const loaded = performance.getEntriesByType('resource').filter((one) => one.initiatorType !== 'img');
  const [ready] = performance.getEntriesByName('nx-ready');
  return { first: nav.responseEnd, ready: ready.startTime, files: loaded.length };
}"""
PATIENTS = """async () => {
  const { revs } = await (await import('/static/js/offline/pages.js')).meta();
  return Object.keys(revs).filter((url) => /^\\/patients\\/[^/]{30,}$/.test(url));
}"""
CONSTANT = """async (times) => {
  const took = [];
  for (let turn = 0; turn < times; turn += 1) {
    const began = performance.now();
    await (await fetch('/static/icons/icon.svg?constant')).text();
    took.push(performance.now() - began);
  }
  return took;
}"""


def spread(values: list[float], name: str = "") -> dict[str, float]:
    return {f"{name}p{share}_ms": round(percentile(values, share / 100), 1) for share in (50, 95)}


def opened(page: Page, path: str) -> dict[str, Any]:
    page.goto(path)
    until(page, READY, seconds=60)
    return page.evaluate(TIMES)


def run(_folder: Path, options: Options) -> Iterable[Row]:
    rates = options.numbers("offline_open.rates", (1, 4, 6), (1,))
    for rate, found, constant in measured(options.number("offline_open.times", 40, 2), rates):
        yield Row(
            f"processor ÷ {rate:g}", found, constant, round(found["first_p50_ms"] / constant["p50_ms"], 2)
        )


def measured(
    times: int, rates: Sequence[float]
) -> Iterator[tuple[float, dict[str, float], dict[str, float]]]:
    """Rate, figures of the pages, and those of the constant answer."""
    with tempfile.TemporaryDirectory(prefix="nuanxun-bench-") as name, sync_playwright() as playwright:
        folder = Path(name)
        make_demo(folder / "nuanxun.db")
        with serving(folder) as server:
            phone = Phone(playwright, folder / "phone", server.url)
            phone.context.set_default_timeout(60_000)
            phone.sign_in(server.account("doctor"))
            patients = phone.page.evaluate(PATIENTS)
            phone.page.add_init_script(MARK)
            phone.offline()
            session = phone.context.new_cdp_session(phone.page)
            for rate in rates:
                session.send("Emulation.setCPUThrottlingRate", {"rate": rate})
                seen = [opened(phone.page, patients[n % len(patients)]) for n in range(times)]
                constant = phone.page.evaluate(CONSTANT, times)
                found: dict[str, float] = {"pages": len(seen), "files": seen[-1]["files"]}
                for part in ("first", "ready"):
                    found |= spread([one[part] for one in seen], f"{part}_")
                yield rate, found, spread(constant)
            phone.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--rates", type=float, nargs="+", default=[1, 4, 6])
    asked = parser.parse_args()
    for rate, found, constant in measured(asked.times, asked.rates):
        print(json.dumps({"rate": rate, **found, "constant": constant, "load": round(os.getloadavg()[0], 1)}))


if __name__ == "__main__":
    main()
