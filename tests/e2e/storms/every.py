"""The storms by name."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.storms import edits, expiries, flips, kills, quotas, renewals, tabs, updates
from tests.e2e.storms.figures import Figures

STORMS: dict[str, Callable[..., Figures]] = {
    "kills": kills.run,
    "updates": updates.run,
    "renewals": renewals.run,
    "expiries": expiries.run,
    "quotas": quotas.run,
    "flips": flips.run,
    "tabs": tabs.run,
    "edits": edits.run,
}
