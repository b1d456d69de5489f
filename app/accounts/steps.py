"""Sign-ins that wait for their code, each bound to the browser that began it."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import delete, update

from app.accounts.codes import digest
from app.accounts.models import SignInStep, User
from app.extensions import db
from app.shared import clock, secretbox

LASTS = timedelta(minutes=5)
TRIES = 5


def begin(
    kind: str,
    user: User | None,
    *,
    name_key: str,
    device_id: str,
    device_name: str,
    code: str | None = None,
    carries: str | None = None,
    instead_of: str = "",
) -> str:
    """The token for this browser; the step whose token is `instead_of` ends. No commit."""
    token = secrets.token_urlsafe(32)
    end(instead_of)
    now = clock.now()
    db.session.add(
        SignInStep(
            token_hash=digest(token),
            kind=kind,
            user_id=user.id if user else None,
            name_key=name_key,
            code_hash=code_hash(token, code) if code else None,
            device_id=device_id,
            device_name=device_name,
            carries=secretbox.seal(carries) if carries else None,
            created_at=now,
            expires_at=now + LASTS,
        )
    )
    return token


def waiting(kind: str, token: str) -> SignInStep | None:
    """The step of this browser, if it is of this kind and still has time and tries."""
    step = db.session.get(SignInStep, digest(token))
    if step is None or step.kind != kind or step.expires_at <= clock.now() or step.tries >= TRIES:
        return None
    return step


def carried(step: SignInStep) -> str:
    return secretbox.unseal(step.carries or "")


def take_a_try(step: SignInStep) -> bool:
    """Count one try; False when others have used up the last. No commit."""
    taken = db.session.execute(
        update(SignInStep)
        .where(SignInStep.token_hash == step.token_hash, SignInStep.tries < TRIES)
        .values(tries=SignInStep.tries + 1)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def end(token: str) -> None:
    if token:
        db.session.execute(delete(SignInStep).where(SignInStep.token_hash == digest(token)))


def end_all_of(user: User) -> None:
    db.session.execute(delete(SignInStep).where(SignInStep.user_id == user.id))


def code_hash(token: str, code: str) -> str:
    """A million codes are tried in no time, so the hash needs the key of the house as well."""
    return secretbox.blind_index(f"sign-in:{digest(token)}:{code}")
