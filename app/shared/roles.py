"""What a role means for an account: which code it may carry, and how long it may lie idle. One table.

No Flask, no database: app/config.py reads it too.
"""

from __future__ import annotations

# role -> where its people work. On a phone the PIN locks after minutes, so the session may rest longer.
WORKS_ON = {
    "doctor": "field",
    "nurse": "field",
    "village": "field",
    "provider": "field",
    "family": "field",
    "dispatcher": "web",
    "manager": "web",
    "supervisor": "web",
    "admin": "web",
}
STAFF = tuple(role for role in WORKS_ON if role != "family")  # who may have a second factor
BY_SMS = ("family",)  # who may sign in by a code sent to their telephone
