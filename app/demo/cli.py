"""`flask demo`: fill the database with the demo county, and say who can sign in."""

from __future__ import annotations

import json
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import select

from app.accounts.models import User
from app.database import require_current
from app.demo import reset as demo
from app.demo.accounts import ACCOUNTS, Account, scope_of, user
from app.extensions import db, writing
from app.orders.models import Order
from app.patients import scope
from app.patients.models import Patient

commands = AppGroup("demo", help="Demo data: an invented county.")


@commands.command("reset")
@click.option("--small", is_flag=True, help="All accounts and a dozen patients, in a second or two.")
@click.option("--yes", is_flag=True, help="Even if the database holds patients that are not the demo's.")
@click.option("--if-empty", is_flag=True, help="Do nothing unless the database is empty.")
def reset(small: bool, yes: bool, if_empty: bool) -> None:
    """Delete everything and fill in demo data. Its dates are relative to today."""
    require_current(current_app._get_current_object())  # type: ignore[attr-defined]
    writing.set(True)
    empty = demo.is_empty()
    if if_empty and not empty:
        return
    if not empty and not demo.is_demo() and not yes:
        raise click.ClickException(
            "this database holds data that is not the demo's; demo reset would delete it (--yes if meant)"
        )
    click.echo("Filling in demo data ...", err=True)
    patients = demo.reset(small=small)
    click.echo(f"{patients} patients, {len(ACCOUNTS)} accounts", err=True)


@commands.command("accounts")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list, with ids and scope.")
def accounts(as_json: bool) -> None:
    """Who can sign in to the demo, with which password."""
    require_current(current_app._get_current_object())  # type: ignore[attr-defined]
    if not demo.is_demo():
        raise click.ClickException(
            "this database does not hold the demo data: run `flask --app wsgi demo reset`"
        )
    if as_json:
        click.echo(json.dumps([_told(account) for account in ACCOUNTS], ensure_ascii=False, indent=2))
        return
    click.echo(f"  {'username':<13}{'password':<18}{'role':<12}who")
    for account in ACCOUNTS:
        where = scope_of(account)
        words = f"{account.name} {where['team_name'] or where['place_name'] or ''}".strip()
        click.echo(f"  {account.username:<13}{account.password:<18}{account.role:<12}{words}")


def _told(account: Account) -> dict[str, Any]:
    who = user(account.username)
    where = scope_of(account)
    patient = _patient_of(who)
    villages = where["villages"]
    village = patient.village_code if patient else next(iter(villages), None)  # type: ignore[call-overload]
    return {
        "username": account.username,
        "password": account.password,
        "role": account.role,
        "id": who.id,
        "name": account.name,
        "phone": account.phone,
        "scope": where,
        "patient_id": patient.id if patient else None,
        "village_id": village,
    }


def _patient_of(who: User) -> Patient | None:
    """One patient this user may do something about; for a provider, one they have an order of."""
    if who.role == "provider":
        ids = select(Order.patient_id).where(Order.assignee_id == who.id)
        return db.session.scalar(select(Patient).where(Patient.id.in_(ids)).order_by(Patient.id).limit(1))
    action = "order" if who.role == "dispatcher" else "read"
    return db.session.scalar(
        select(Patient).where(scope.condition(who, action)).order_by(Patient.id).limit(1)
    )
