"""When a message that did not go is tried again."""

from __future__ import annotations

from datetime import timedelta

WAIT_MINUTES = (1, 5, 30, 120)
MAX_TRIES = len(WAIT_MINUTES) + 1


def wait_after(tries: int) -> timedelta | None:
    """How long to wait after the `tries`-th failure; None: give up."""
    return None if tries >= MAX_TRIES else timedelta(minutes=WAIT_MINUTES[tries - 1])
