"""One run over everything, on one database."""

from __future__ import annotations

from contextlib import ExitStack
from random import Random
from unittest.mock import patch

from argon2 import PasswordHasher
from flask import Flask

from app.accounts import passwords
from tests.fuzz.apis import Apis
from tests.fuzz.ground import Ground, unhurried
from tests.fuzz.operations import Operations
from tests.fuzz.pages import Pages
from tests.fuzz.tally import Tally

PARTS = {"operations": (Operations, 0.6), "apis": (Apis, 0.2), "pages": (Pages, 0.2)}


def run(app: Flask, examples: int, seed: int) -> dict[str, Tally]:
    """The tally of each part; a table of values times fields would be the same ones every day."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    found: dict[str, Tally] = {}
    with ExitStack() as stack:
        stack.enter_context(unhurried())
        for name in ("hasher", "lighter"):
            stack.enter_context(patch.object(passwords, name, quick))
        passwords._nobody.cache_clear()
        stack.callback(passwords._nobody.cache_clear)
        ground = Ground(app, Random(seed))
        with ground.watching():
            for name, (part, share) in PARTS.items():
                ground.tally = found[name] = Tally()
                part(ground).run(round(examples * share))
    return found
