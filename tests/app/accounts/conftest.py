"""Accounts are about passwords, and argon2 is slow on purpose: here it is as quick as in the factories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from app.accounts import passwords


@pytest.fixture(autouse=True)
def quick_argon2() -> Iterator[None]:
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    # A patch of its own: sharing the test's would have what a test patches outlive its application.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "hasher", quick)
        patch.setattr(passwords, "lighter", quick)
        passwords._nobody.cache_clear()
        yield
    passwords._nobody.cache_clear()
