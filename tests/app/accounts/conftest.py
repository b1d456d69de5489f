"""Accounts are about passwords, and argon2 is slow on purpose: here it is as quick as in the factories."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _quick(quick_argon2: None) -> None:
    """In every test of this folder."""
