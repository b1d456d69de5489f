"""Accounts are about passwords, and argon2 is slow on purpose: here it is as quick as in the factories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from app.accounts import passwords


@pytest.fixture(autouse=True)
def quick_argon2(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passwords, "hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    monkeypatch.setattr(passwords, "lighter", passwords.hasher)
    passwords._nobody.cache_clear()
    yield
    passwords._nobody.cache_clear()
