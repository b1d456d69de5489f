from __future__ import annotations

import subprocess
import sys

import pytest

from app.config import ROOT, SettingError, read_settings
from tests.conftest import SECRET

GOOD = {"SECRET_KEY": SECRET}
WRONG = [
    ({"SECRET_KEY": ""}, "SECRET_KEY is missing"),
    ({"SECRET_KEY": "short"}, "SECRET_KEY is too short"),
    ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL must begin with"),
    ({"DATABASE_POOL": "0"}, "DATABASE_POOL must be a whole number from 1 to 100"),
    ({"DATABASE_OVERFLOW": "101"}, "DATABASE_OVERFLOW must be a whole number from 0 to 100"),
    ({"DATABASE_POOLER": "session"}, "DATABASE_POOLER must be one of none, transaction"),
    ({"DATABASE_REPLICA_URL": "postgresql://r/n"}, "DATABASE_REPLICA_URL must name a replica of a Postgre"),
    ({"DATABASE_REPLICA_LAG": "0"}, "DATABASE_REPLICA_LAG must be a whole number from 1 to 300"),
    ({"TLS": "maybe"}, "TLS must be 0 or 1"),
    ({"DEMO": "2"}, "DEMO must be 0 or 1"),
    ({"SMS_SENDER": "pigeon"}, "SMS_SENDER must be one of console, twilio"),
    ({"SMS_SENDER": "twilio"}, "TWILIO_ACCOUNT_SID is missing"),
    ({"SMS_SENDER": "twilio", "TWILIO_ACCOUNT_SID": "a"}, "TWILIO_AUTH_TOKEN is missing"),
    ({"SESSION_HOURS": "0"}, "SESSION_HOURS must be a whole number from 1"),
    ({"SESSION_IDLE_MINUTES": "4"}, "SESSION_IDLE_MINUTES must be a whole number from 5 to 720"),
    ({"FIELD_IDLE_HOURS": "0"}, "FIELD_IDLE_HOURS must be a whole number from 1 to 168"),
    ({"PASSWORD_MAX_AGE_DAYS": "-1"}, "PASSWORD_MAX_AGE_DAYS must be a whole number from 0 to 3650"),
    ({"TOTP_ROLES": "admin,famly"}, "TOTP_ROLES must be staff, or some of doctor.*; not 'famly'"),
    ({"TOTP_ROLES": "family"}, "TOTP_ROLES must be staff"),
    ({"SIGN_IN_TRIES": "11"}, "SIGN_IN_TRIES must be a whole number from 3 to 10"),
    ({"SIGN_IN_ACCOUNT_TRIES": "4"}, "SIGN_IN_ACCOUNT_TRIES must be a whole number from 5 to 100"),
    ({"SIGN_IN_ADDRESS_TRIES": "19"}, "SIGN_IN_ADDRESS_TRIES must be a whole number from 20"),
    ({"SIGN_IN_ALL_TRIES": "99"}, "SIGN_IN_ALL_TRIES must be a whole number from 100"),
    ({"SMS_CODES_A_DAY": "many"}, "SMS_CODES_A_DAY must be a whole number from 0"),
    ({"LOCATION_DAYS": "0"}, "LOCATION_DAYS must be a whole number from 1 to 365"),
    ({"JOIN_DAYS": "366"}, "JOIN_DAYS must be a whole number from 1 to 365"),
    ({"SESSION_HOURS": "eight"}, "SESSION_HOURS must be a whole number"),
    ({"SECRET_KEY_FALLBACKS": f"{SECRET},short"}, "SECRET_KEY_FALLBACKS must be former"),
    ({"LOCK_MINUTES": "61"}, "LOCK_MINUTES must be a whole number from 1 to 60"),
    ({"FAMILY_LOCK_MINUTES": "0"}, "FAMILY_LOCK_MINUTES must be a whole number from 1 to 240"),
    ({"AUDIT_KEEP_DAYS": "182"}, "AUDIT_KEEP_DAYS must be a whole number from 183"),
    ({"LOG_FORMAT": "xml"}, "LOG_FORMAT must be one of json, plain"),
    ({"METRICS_TOKEN": "short"}, "METRICS_TOKEN is too short"),
    ({"OFFLINE_HOURS": "169"}, "OFFLINE_HOURS must be a whole number from 1 to 168"),
    ({"BACKUP_KEY": "short"}, "BACKUP_KEY is too short: 5 characters"),
    ({"BACKUP_DIR": "backups"}, "BACKUP_DIR must be an absolute path"),
    ({"BACKUP_KEEP": "0"}, "BACKUP_KEEP must be a whole number from 1 to 1000"),
]


@pytest.mark.parametrize(("wrong", "words"), WRONG)
def test_a_wrong_setting_is_named_with_what_is_wanted(wrong, words):
    with pytest.raises(SettingError, match=words):
        read_settings(GOOD | wrong)


@pytest.mark.parametrize(
    "wrong", [{"SECRET_KEY": ""}, {"DATABASE_URL": "oracle://"}], ids=["missing", "wrong"]
)
def test_a_wrong_setting_stops_the_start_with_one_clear_line(wrong):
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "serve"],
        env=GOOD | wrong,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"nuanxun: {next(iter(wrong))} ")


def test_the_secret_itself_is_never_told():
    with pytest.raises(SettingError) as caught:
        read_settings({"SECRET_KEY": "my short secret"})
    assert "my short secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres://", "postgresql://", "postgresql+psycopg://"])
def test_any_common_postgresql_address_is_understood(scheme):
    assert (
        read_settings(GOOD | {"DATABASE_URL": f"{scheme}u@h/d"}).database_url == "postgresql+psycopg://u@h/d"
    )


def test_former_secrets_are_named_newest_first():
    assert read_settings(GOOD).secret_key_fallbacks == ()
    older = ["n" * 32, "o" * 40]
    assert read_settings(GOOD | {"SECRET_KEY_FALLBACKS": " , ".join(older)}).secret_key_fallbacks == (*older,)


def test_a_former_secret_is_never_told():
    with pytest.raises(SettingError) as caught:
        read_settings(GOOD | {"SECRET_KEY_FALLBACKS": "my former secret"})
    assert "my former secret" not in str(caught.value)


def test_roles_that_must_have_a_second_factor_are_named_or_all_of_the_staff():
    assert read_settings(GOOD).totp_roles == ()
    assert read_settings(GOOD | {"TOTP_ROLES": " admin, manager "}).totp_roles == ("admin", "manager")
    assert set(read_settings(GOOD | {"TOTP_ROLES": "staff"}).totp_roles) == {
        "doctor", "nurse", "village", "provider", "dispatcher", "manager", "supervisor", "admin",
    }  # fmt: skip
