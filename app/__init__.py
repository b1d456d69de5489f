"""Nuanxun 暖巡: integrated medical and elderly care at home and in the village."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from flask import Flask

from app import config, connections, errors, extensions, guard, logs, replica
from app.config import ROOT
from app.shared import labels, page

# From the ground floor up; each registers its pages, operations and commands in its init_app.
ROOMS = (
    "accounts", "sync", "patients", "notices", "observations", "orders", "pwa", "grading", "plans", "backup",
    "visits", "chart", "rights", "family", "jobs", "operations", "cli",
)  # fmt: skip


def create_app(env: Mapping[str, str] | None = None) -> Flask:
    """The whole application. `env` stands for the process environment.

    Raises config.SettingError when a setting is wrong or missing.
    """
    settings = config.read_settings(env)
    app = Flask("nuanxun", root_path=str(ROOT), static_folder="static", template_folder="templates")
    app.config.from_mapping(
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.secret_key_fallbacks),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=config.engine_options(settings.database_url, settings),
        SQLALCHEMY_BINDS=config.binds(settings),
        REPLICA_LAG_S=settings.replica_lag_s,
        TLS=settings.tls,
        SESSION_HOURS=settings.session_hours,
        LOCK_MINUTES=settings.lock_minutes,
        FAMILY_LOCK_MINUTES=settings.family_lock_minutes,
        OFFLINE_HOURS=settings.offline_hours,
        AUDIT_KEEP_DAYS=settings.audit_keep_days,
        BEHIND_PROXY=False,
        METRICS_TOKEN=settings.metrics_token,
        SESSION_IDLE_MINUTES=settings.session_idle_minutes,
        FIELD_IDLE_HOURS=settings.field_idle_hours,
        PASSWORD_MAX_AGE_DAYS=settings.password_max_age_days,
        TOTP_ROLES=settings.totp_roles,
        SIGN_IN_TRIES=settings.sign_in_tries,
        SIGN_IN_ACCOUNT_TRIES=settings.sign_in_account_tries,
        SIGN_IN_ADDRESS_TRIES=settings.sign_in_address_tries,
        SIGN_IN_ALL_TRIES=settings.sign_in_all_tries,
        SMS_CODES_A_DAY=settings.sms_codes_a_day,
        LOCATION_DAYS=settings.location_days,
        JOIN_DAYS=settings.join_days,
        # Offered where a message really leaves the house; in a demo the log shows it instead.
        SMS_SIGN_IN=settings.sms_codes_a_day > 0 and (settings.sms_sender != "console" or settings.demo),
        SETTINGS=settings,
        EMERGENCY_PHONE=settings.emergency_phone,
        DEMO=settings.demo,
        COMPRESS_MIMETYPES=config.COMPRESSED,
        COMPRESS_ALGORITHM=["br", "zstd", "gzip"],
        COMPRESS_BR_LEVEL=5,
        COMPRESS_BR_WINDOW=16,  # 64 KB: a page fits, and to compress it needs less memory made ready
    )
    app.jinja_env.trim_blocks = True
    app.jinja_env.add_extension(page.Lean)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    for name in ("local_minute", "local_time", "month_day", "weekday"):
        app.add_template_filter(getattr(page, name), name)
    app.add_template_filter(labels.said, "said")
    logs.init_app(app, settings.log_format)

    connections.watch()
    extensions.db.init_app(app)
    extensions.migrate.init_app(app, extensions.db, directory=str(ROOT / "migrations"))
    extensions.htmx.init_app(app)
    extensions.compress.init_app(app)
    errors.init_app(app)
    guard.init_app(app)
    replica.init_app(app)
    for name in ROOMS:
        import_module(f"app.{name}").init_app(app)
    return app
