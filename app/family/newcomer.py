"""What somebody without an account says about themself, checked field by field."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.accounts import codes, passwords, sms
from app.accounts.models import User
from app.errors import DomainError
from app.patients import bindings
from app.shared.words import UNPRINTED, blank


@dataclass(frozen=True)
class Newcomer:
    """`password` is what was chosen; once `hashed`, its hash."""

    code: str
    name: str
    phone: str
    relation: str
    password: str

    def hashed(self) -> Newcomer:
        """Slow on purpose: hold no lock meanwhile. Who chose none signs in by text, and nobody guesses it."""
        return Newcomer(
            **{**asdict(self), "password": passwords.hash_password(self.password or codes.make(6))}
        )

    def dumped(self) -> str:
        return json.dumps(asdict(self))


def loaded(text: str) -> Newcomer:
    return Newcomer(**json.loads(text))


def from_form(form: Mapping[str, str], *, by_sms: bool) -> Newcomer:
    """Raises DomainError naming every field that is wrong. `by_sms`: a password may be left out."""
    errors: list[Any] = []

    def checked(check: Callable[[str], str], name: str) -> str:
        try:
            return check(form.get(name, ""))
        except DomainError as no:
            errors.extend(no.errors)
            return ""

    code = checked(_code, "code")
    name = checked(_name, "name")
    phone = checked(sms.number_of, "phone")
    relation = checked(bindings.called, "relation")
    password = form.get("password", "")
    if password or not by_sms:
        about = User(username=phone, phone=phone, name=name)
        if why := passwords.fault(password, about):
            errors.append({"pointer": "/password", "code": "invalid", "message": passwords.WORDS[why]})
    if errors:
        raise DomainError("；".join(error["message"] for error in errors), errors=errors)
    return Newcomer(code, name, phone, relation, password)


def _code(text: str) -> str:
    if not 0 < len(text.strip()) <= 30:
        raise DomainError("请填写卫生室给的绑定码。", field="code")
    return text.strip()


def _name(text: str) -> str:
    text = text.strip()
    if blank(text) or len(text) > 50 or UNPRINTED.search(text):
        raise DomainError("请写您的姓名，不超过 50 个字。", field="name")
    return text
