"""Every setting of the server, read from the environment in this one place.

A wrong or missing setting raises `SettingError`, whose text is the one line an operator needs.
What each means to an operator: docs/operations.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.shared.roles import STAFF

ROOT = Path(__file__).resolve().parent.parent
DATABASE_SCHEMES = ("sqlite:///", "postgresql+psycopg://", "postgresql://", "postgres://")
SECRET_FILE = ROOT / "instance" / "secret_key"
SMS_SENDERS = ("console", "twilio")
LOG_FORMATS = ("json", "plain")
POOLERS = ("none", "transaction")
REPLICA = "replica"
POOLER = "pooler"  # the execution option that tells connections.py


class SettingError(Exception):
    """A setting is wrong or missing; the message names it and says what is wanted."""


@dataclass(frozen=True)
class Settings:
    secret_key: str
    secret_key_fallbacks: tuple[str, ...]
    database_url: str
    database_pool: int
    database_overflow: int
    database_pooler: str
    replica_url: str
    replica_lag_s: int
    tls: bool
    sms_sender: str
    twilio_account_sid: str
    twilio_auth_token: str
    twilio_from: str
    twilio_base_url: str
    emergency_phone: str
    session_hours: int
    lock_minutes: int
    family_lock_minutes: int
    offline_hours: int
    backup_dir: str
    backup_keep: int
    backup_key: str
    audit_keep_days: int
    log_format: str
    metrics_token: str
    session_idle_minutes: int
    field_idle_hours: int
    password_max_age_days: int
    totp_roles: tuple[str, ...]
    sign_in_tries: int
    sign_in_account_tries: int
    sign_in_address_tries: int
    sign_in_all_tries: int
    sms_codes_a_day: int
    location_days: int
    join_days: int
    demo: bool


def read_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Settings from `env` (the process environment by default).

    Raises SettingError naming the first wrong or missing one.
    """
    env = os.environ if env is None else env
    sms_sender = _choice(env, "SMS_SENDER", SMS_SENDERS, "console")
    if sms_sender == "twilio":
        for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM"):
            if not env.get(name):
                raise SettingError(f"{name} is missing: SMS_SENDER=twilio needs it")
    return Settings(
        secret_key=_secret(env),
        secret_key_fallbacks=_former_secrets(env),
        database_url=_database_url(env),
        database_pool=_number(env, "DATABASE_POOL", 5, low=1, high=100),
        database_overflow=_number(env, "DATABASE_OVERFLOW", 10, low=0, high=100),
        database_pooler=_choice(env, "DATABASE_POOLER", POOLERS, "none"),
        replica_url=_replica_url(env),
        replica_lag_s=_number(env, "DATABASE_REPLICA_LAG", 10, low=1, high=300),
        tls=_flag(env, "TLS", False),
        sms_sender=sms_sender,
        twilio_account_sid=env.get("TWILIO_ACCOUNT_SID", ""),
        twilio_auth_token=env.get("TWILIO_AUTH_TOKEN", ""),
        twilio_from=env.get("TWILIO_FROM", ""),
        twilio_base_url=env.get("TWILIO_BASE_URL", ""),
        emergency_phone=env.get("EMERGENCY_PHONE", "120"),
        session_hours=_number(env, "SESSION_HOURS", 168, low=1, high=720),
        lock_minutes=_number(env, "LOCK_MINUTES", 5, low=1, high=60),
        family_lock_minutes=_number(env, "FAMILY_LOCK_MINUTES", 30, low=1, high=240),
        offline_hours=_number(env, "OFFLINE_HOURS", 72, low=1, high=168),
        backup_dir=_folder(env, "BACKUP_DIR"),
        backup_keep=_number(env, "BACKUP_KEEP", 14, low=1, high=1000),
        backup_key=_backup_key(env),
        audit_keep_days=_number(env, "AUDIT_KEEP_DAYS", 1095, low=183, high=36500),
        log_format=_choice(env, "LOG_FORMAT", LOG_FORMATS, "json"),
        metrics_token=_token(env, "METRICS_TOKEN"),
        session_idle_minutes=_number(env, "SESSION_IDLE_MINUTES", 30, low=5, high=720),
        field_idle_hours=_number(env, "FIELD_IDLE_HOURS", 12, low=1, high=168),
        password_max_age_days=_number(env, "PASSWORD_MAX_AGE_DAYS", 0, low=0, high=3650),
        totp_roles=_roles(env, "TOTP_ROLES"),
        sign_in_tries=_number(env, "SIGN_IN_TRIES", 5, low=3, high=10),
        sign_in_account_tries=_number(env, "SIGN_IN_ACCOUNT_TRIES", 10, low=5, high=100),
        sign_in_address_tries=_number(env, "SIGN_IN_ADDRESS_TRIES", 300, low=20, high=100_000),
        sign_in_all_tries=_number(env, "SIGN_IN_ALL_TRIES", 1000, low=100, high=1_000_000),
        sms_codes_a_day=_number(env, "SMS_CODES_A_DAY", 500, low=0, high=100_000),
        location_days=_number(env, "LOCATION_DAYS", 90, low=1, high=365),
        join_days=_number(env, "JOIN_DAYS", 30, low=1, high=365),
        demo=_flag(env, "DEMO", False),
    )


def _secret(env: Mapping[str, str]) -> str:
    """SECRET_KEY; where nobody set it, the one that `make run` made for this checkout."""
    secret = env.get("SECRET_KEY", "")
    if "SECRET_KEY" not in env and SECRET_FILE.is_file():
        secret = SECRET_FILE.read_text().strip()
    if not secret:
        raise SettingError("SECRET_KEY is missing: set it to at least 32 random characters")
    if len(secret) < 32:
        raise SettingError(f"SECRET_KEY is too short: {len(secret)} characters, at least 32 are needed")
    return secret


def _former_secrets(env: Mapping[str, str]) -> tuple[str, ...]:
    """Former values of SECRET_KEY, newest first, under which phones may still hold sealed operations."""
    found = tuple(part.strip() for part in env.get("SECRET_KEY_FALLBACKS", "").split(",") if part.strip())
    if any(len(secret) < 32 for secret in found):
        raise SettingError(
            "SECRET_KEY_FALLBACKS must be former SECRET_KEYs of at least 32 characters, separated by commas"
        )
    return found


def _backup_key(env: Mapping[str, str]) -> str:
    """What backups are encrypted under; empty means SECRET_KEY."""
    key = env.get("BACKUP_KEY", "")
    if key and len(key) < 32:
        raise SettingError(f"BACKUP_KEY is too short: {len(key)} characters, at least 32 are needed")
    return key


def _folder(env: Mapping[str, str], name: str) -> str:
    folder = env.get(name, "")
    if folder and not Path(folder).is_absolute():
        raise SettingError(f"{name} must be an absolute path, not {folder!r}")
    return folder


def _database_url(env: Mapping[str, str]) -> str:
    return database_address(env.get("DATABASE_URL") or f"sqlite:///{ROOT / 'instance' / 'nuanxun.db'}")


def _replica_url(env: Mapping[str, str]) -> str:
    """A streaming replica of DATABASE_URL's database; empty for none."""
    url = env.get("DATABASE_REPLICA_URL", "")
    if not url:
        return ""
    if "sqlite" in (url[:6], _database_url(env)[:6]):
        raise SettingError("DATABASE_REPLICA_URL must name a replica of a PostgreSQL database")
    return database_address(url, "DATABASE_REPLICA_URL")


def database_address(url: str, name: str = "DATABASE_URL") -> str:
    """The address as SQLAlchemy wants it. Raises SettingError, which says `name`, for what we cannot use."""
    if not url.startswith(DATABASE_SCHEMES):
        raise SettingError(f"{name} must begin with sqlite:/// or postgresql+psycopg://")
    for short in ("postgres://", "postgresql://"):
        if url.startswith(short):
            return "postgresql+psycopg://" + url[len(short) :]
    return url


def _token(env: Mapping[str, str], name: str) -> str:
    text = env.get(name, "")
    if text and (len(text) < 16 or not text.isascii()):
        raise SettingError(f"{name} is too short: at least 16 plain characters are needed")
    return text


def _choice(env: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = env.get(name, default)
    if value not in allowed:
        raise SettingError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
    return value


def _roles(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Roles of staff, separated by commas; `staff` for all of them."""
    found = tuple(part.strip() for part in env.get(name, "").split(",") if part.strip())
    if found == ("staff",):
        return STAFF
    if unknown := [role for role in found if role not in STAFF]:
        raise SettingError(f"{name} must be staff, or some of {', '.join(STAFF)}; not {unknown[0]!r}")
    return found


def _flag(env: Mapping[str, str], name: str, default: bool) -> bool:
    value = env.get(name, "1" if default else "0").lower()
    if value not in ("0", "1", "true", "false", "yes", "no"):
        raise SettingError(f"{name} must be 0 or 1, not {value!r}")
    return value in ("1", "true", "yes")


def _number(env: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    text = env.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise SettingError(f"{name} must be a whole number from {low} to {high}, not {text!r}")
    return int(text)


COMPRESSED = [
    "text/html", "text/css", "text/javascript", "application/javascript", "application/json",
    "application/x-ndjson", "application/problem+json", "application/manifest+json", "image/svg+xml",
]  # fmt: skip


REPLICA_WAIT_S = 2  # a page waits no longer for a replica that is away: the database itself can answer


def engine_options(url: str, settings: Settings) -> dict[str, Any]:
    """Connection pool settings for the database at `url`; each process has a pool of its own."""
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": 5, "check_same_thread": False}}
    return {
        "pool_size": settings.database_pool,
        "max_overflow": settings.database_overflow,
        "pool_recycle": 1800,
        # Behind PgBouncer the next transaction has another session: what was prepared before is not there.
        "connect_args": {"prepare_threshold": None} if settings.database_pooler == "transaction" else {},
        "execution_options": {POOLER: settings.database_pooler},
    }


def binds(settings: Settings) -> dict[str | None, Any]:
    """Further databases: the replica, if there is one. It is only ever read, each page at one moment."""
    if not settings.replica_url:
        return {}
    options: dict[str, Any] = engine_options(settings.replica_url, settings)
    options["connect_args"] |= {"connect_timeout": REPLICA_WAIT_S, "tcp_user_timeout": REPLICA_WAIT_S * 1000}
    options["execution_options"] |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return {REPLICA: options | {"url": settings.replica_url, "pool_timeout": REPLICA_WAIT_S}}
