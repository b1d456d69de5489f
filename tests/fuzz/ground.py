"""The house that is knocked at: a town with people in every part, its limits on haste lifted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

from flask import Flask
from sqlalchemy import text

from app.accounts import attempts, credentials, throttle
from app.extensions import db
from app.sync import openapi, routes
from tests import hostile
from tests.app.orders.town import Town
from tests.bases import Bases
from tests.factories import Factory
from tests.fuzz.contract import Contract
from tests.fuzz.tally import Tally
from tests.fuzz.values import TWICE, Values
from tests.hostile import Raw, changed

GROWS = {"audit_lines", "audit_chain", "throttles", "devices", "login_sessions", "sign_in_steps"}


@contextmanager
def unhurried() -> Iterator[None]:
    """The limits have tests of their own."""
    with (
        patch.object(routes, "PUSHES_A_MINUTE", 10**9),
        patch.object(attempts, "check", lambda attempt: None),
        patch.object(credentials, "FREE_TRIES", 10**9),
        patch.object(throttle, "hit", lambda *args, **kwargs: None),
    ):
        yield


class Ground:
    def __init__(self, app: Flask, random: Random) -> None:
        self.app, self.random, self.values = app, random, Values(random)
        self.make = Factory(app)
        self.town = Town(app, self.make)
        self.manager = self.make.signed_in("manager")
        self.admin = self.make.signed_in("admin")
        self.bases = Bases(self.town)
        with app.app_context():
            self.contract = Contract(openapi.document())
        self.tally = Tally()
        self._log = _Errors()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """An error in the log is a fault, whatever was answered."""
        logger = logging.getLogger("nuanxun")
        logger.addHandler(self._log)
        try:
            yield
        finally:
            logger.removeHandler(self._log)

    def look_at_log(self, about: Any) -> None:
        for words in self._log.taken():
            self.tally.wrong["server_errors"].append((about, words))

    @staticmethod
    def grown(
        before: dict[str, int], after: dict[str, int], *, but: set[str] = frozenset()
    ) -> dict[str, int]:  # type: ignore[assignment]
        """What is more, or less, than before."""
        return {
            name: after[name] - before[name]
            for name in before
            if after[name] != before[name] and name not in but
        }

    def rows(self) -> dict[str, int]:
        """How much of everything there is; what notes attempts may grow."""
        names = [t.name for t in db.metadata.sorted_tables if t.name not in GROWS]
        counts = ", ".join(f"(SELECT count(*) FROM {name})" for name in names)
        with self.app.app_context():
            found = db.session.execute(text(f"SELECT {counts}, (SELECT max(seq) FROM revisions)")).one()
            db.session.rollback()
        return dict(zip([*names, "feed head"], [n or 0 for n in found], strict=True))


def spoiled(whole: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """`whole` with `value` at `path`; TWICE writes the member a second time into the same object."""
    if value is not TWICE or not isinstance(path[-1], str):
        return changed(whole, path, [] if value is TWICE else value)
    holder = at(changed(whole, path, at(whole, path)), path[:-1])
    member = hostile.dumps(path[-1]) + ":" + hostile.dumps(at(whole, path))
    doubled = Raw(f"{hostile.dumps(holder)[:-1]},{member}}}")
    return changed(whole, path[:-1], doubled) if path[:-1] else doubled  # type: ignore[return-value]


def at(whole: Any, path: tuple[Any, ...]) -> Any:
    """What stands there; None where nothing does."""
    for step in path:
        try:
            whole = whole[step]
        except (KeyError, IndexError, TypeError):
            return None
    return whole


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        place = record.exc_info[2] if record.exc_info else None
        while place and place.tb_next:
            place = place.tb_next
        where = f" {place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else ""
        self._words.append(record.getMessage() + where)

    def taken(self) -> list[str]:
        words, self._words = self._words, []
        return words
