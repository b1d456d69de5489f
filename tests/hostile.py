"""What attackers and clumsy people send, and small tools to send it everywhere."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from marshmallow import Schema, fields
from werkzeug.test import TestResponse

from app.extensions import db
from app.forms import engine
from app.shared import clock

SURROGATE = "\ud800"
LONG = "长" * 5000


class Raw(str):
    """JSON text that goes onto the wire as it stands: what json.dumps would never write."""


INJECTIONS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "</script><script>alert(2)</script>",
    "</textarea><svg/onload=alert(3)>",
    "javascript:alert(4)",
    "{{ 7*7 }}{% for x in y %}",
    "${7*7} <%= 7*7 %> #{7*7}",
    "'; DROP TABLE patients; --",
    "' OR 1=1 --",
    '=HYPERLINK("http://x","y")',
    "+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "../../../../etc/passwd",
    "%00%0d%0aSet-Cookie: a=b",
    "\\u0041\\x41",
    "&lt;b&gt;&amp;",
]
ODD_TEXT = [
    "\u202eabc\u202c",
    "\u200f张\u200e秀",
    "👩\u200d👩\u200d👧\u200d👦",
    "e\u0301e\u0323\u0307",
    "Z\u0351\u036b\u0343aͪlgo",
    "\uffff",
    "\ufffe",
    "\ufeff张",
    "\ufdd0",
    "𠮷𡈽",
    "\U0010ffff",
    "ﬁ Å ①",
    "İıſK",
    "e\u0301",
    "é",
    "\u2028\u2029",
    "\x01\x02\x7f",
    "\x1b[31m",
    "\x85\x9f",
    "\t\n\r",
    "a\r\nb",
]
BLANK = ["", " ", "\u3000", "\xa0", "\u200b", "\n", "\u2800", "\u3164"]
BROKEN_TEXT = ["\x00", "a\x00b", SURROGATE, "\udfffx"]
NUMBERS = [
    0,
    -1,
    1,
    2,
    0.5,
    -0.5,
    -0.0,
    1e-7,
    99.99999,
    10**6,
    -(10**6),
    2**31,
    -(2**31) - 1,
    2**53,
    1e15,
    1.7e308,
]
BROKEN_NUMBERS = [
    Raw("NaN"),
    Raw("Infinity"),
    Raw("-Infinity"),
    Raw("1e999"),
    Raw("-1e999"),
    Raw("9" * 400),
    Raw("-" + "9" * 400),
    Raw(str(2**53 + 1)),
    Raw(str(2**63)),
    Raw(str(2**64)),
]
SHAPES: list[Any] = [None, True, False, [], {}, [[]], [None], [1, "x"], {"a": 1}, {"$ne": None}, {"": ""}]
DATES = [
    "2026-02-30",
    "0000-01-01",
    "10000-01-01",
    "1899-12-31",
    "1900-02-29",
    "9999-12-31",
    "2999-01-01",
    "20260601",
    "2026-W01-1",
    "2026-152",
    "2026-6-1",
    "2026-06-01 ",
    " 2026-06-01",
    "２０２６-０６-０１",
    "2026/06/01",
    "today",
    "2026-06-01T",
    "0001-01-01",
    "-2026-06-01",
    "2026-06-01T09:12:00",
    "12:00",
]
MOMENTS = [
    "2026-02-30T09:00:00+08:00",
    "2026-06-01T25:00:00+08:00",
    "2026-06-01T09:60:00+08:00",
    "2026-06-01T09:00:00",
    "2026-06-01 09:00:00+08:00",
    "20260601T090000+0800",
    "2026-W23-1T09:00:00+08:00",
    "2026-06-01T09+08:00",
    "2026-06-01T09:00:00+25:00",
    "2026-06-01T09:00:00+08:00:30",
    "2026-06-01T09:00:00,5+08:00",
    "2026-06-01T24:00:00+08:00",
    "0001-01-01T00:00:00+08:00",
    "9999-12-31T23:59:59-08:00",
    "1899-01-01T00:00:00+08:00",
    "2999-01-01T00:00:00Z",
    "2026-06-01T09:00:00GMT",
    "２０２６-06-01T09:00:00+08:00",
    "0000-01-01T00:00:00Z",
    "2026-06-01T09:00:00.123456789123456789123456789+08:00",
    "1780000000",
]
IDS = [
    "00000000-0000-0000-0000-000000000000",
    "0197ABCD-0000-7000-8000-000000000000",
    "x" * 37,
    "not-a-uuid",
    "{01970000-0000-7000-8000-000000000000}",
    "01970000-0000-1000-8000-000000000000",
    "01970000-0000-7000-8000-000000000000\n",
    "*",
    "%",
    "01970000-0000-7000-8000-00000000000a",
]
ID_CARDS = [
    "370406195001010014",
    "370406195002300012",
    "370406194902290011",
    "3704061950010100",
    "37040619500101001A",
    "370406203001010010",
    "０",
    "X" * 18,
    "370406195001010013\x00",
    "３７０４０６１９５００１０１０014",
    "³70406195001010013",
    "①70406195001010013",
    "3704061950010100\x1f13",
    "000000000000000000",
]
PHONES = [
    "12345",
    "110",
    "23800138000",
    "1380013800",
    "138001380001",
    "+1 202 555 0100",
    "１３８００１３８００",
    "138a0138000",
    "¹3800138000",
    "1380013\x1f8000",
    "0632-",
    "0632-123456789012",
    "tel:13800138000",
]

EVERYTHING: list[Any] = [
    *SHAPES,
    *NUMBERS,
    *BROKEN_NUMBERS,
    *BLANK,
    *BROKEN_TEXT,
    *ODD_TEXT,
    *INJECTIONS,
    *DATES,
    *MOMENTS,
    *IDS,
    *ID_CARDS,
    *PHONES,
    LONG,
    "x" * 51,
    "字" * 201,
    "字" * 501,
    "true",
    "1",
    "1.0",
    "null",
    "NaN",
    "1_0",
    "١٢",
]
# For the answers of a form, whose own property tests are wider (tests/app/forms/test_any_answers.py).
SOME: list[Any] = [
    *SHAPES[:7],
    0,
    -1,
    1.5,
    10**6,
    2**31,
    1e15,
    *BROKEN_NUMBERS[:6],
    "",
    " ",
    "\x00",
    SURROGATE,
    "\uffff",
    INJECTIONS[0],
    INJECTIONS[1],
    ODD_TEXT[0],
    ODD_TEXT[2],
    "2026-02-30",
    "2026-W01-1",
    "20260601",
    "2999-01-01",
    "1",
    "true",
    "字" * 1001,
]
# What a browser's form or an address bar can carry: text only.
POSTED: list[str] = [
    "",
    " ",
    "\u3000",
    "x",
    "-1",
    "0",
    "1e999",
    "9" * 400,
    "NaN",
    "true",
    "null",
    "[]",
    '{"a":1}',
    "1_0",
    "١٢",
    *INJECTIONS[:10],
    ODD_TEXT[0],
    ODD_TEXT[2],
    "\uffff",
    "\x00",
    "a\x00b",
    "\x1b[31m",
    "2026-02-30",
    "2026-W01-1",
    "20260601",
    "9999-12-31",
    "0001-01-01",
    "10000-01-01",
    "2026-06-01T25:00",
    IDS[0],
    IDS[2],
    ID_CARDS[1],
    LONG,
]

INSIDES = re.compile(
    r"Traceback|sqlalchemy|psycopg|sqlite3|marshmallow|werkzeug\.|site-packages|/app/\w+/|\.py\b"
)
# 请…, 3 到 5…, “…, or a short name of a scale first: Morse 跌倒评分
CHINESE = re.compile(r"[\u3400-\u9fff0-9“]|[A-Z][A-Za-z0-9 -]{0,9}[\u3400-\u9fff]")


def dumps(value: Any) -> str:
    """JSON text in which `Raw` stands as it is and surrogates are escapes."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{dumps(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    return json.dumps(value)


def post_json(client: FlaskClient, url: str, body: Any, **headers: str) -> TestResponse:
    data = body if isinstance(body, bytes) else dumps(body).encode()
    return client.post(url, data=data, headers={"Content-Type": "application/json", **headers})


def push(client: FlaskClient, ops: list[Any]) -> list[dict[str, Any]]:
    """Results of any number of operations, a hundred at a time."""
    sent_at = clock.local(clock.now()).isoformat(timespec="seconds")
    results: list[dict[str, Any]] = []
    for start in range(0, len(ops), 100):
        answer = post_json(client, "/api/sync/push", {"sent_at": sent_at, "ops": ops[start : start + 100]})
        assert answer.status_code == 200, answer.get_data(as_text=True)[:500]
        results += answer.get_json()["results"]
    assert len(results) == len(ops)
    return results


def paths(schema: Schema, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every field of a marshmallow schema, nested ones too, as a path of keys."""
    for name, field in schema.fields.items():
        yield (*before, name)
        if isinstance(field, fields.Nested):
            yield from paths(field.schema, (*before, name))


def answer_paths(form: str) -> Iterator[tuple[Any, ...]]:
    """Every answer of a form, and every cell of the first row of its lists."""
    definition = engine.definition(form)
    for key, field in {**definition.fields, **definition.computed}.items():
        yield ("answers", key)
        for item in field.get("item", ()):
            yield ("answers", key, 0, item["key"])


def changed(value: dict[str, Any], path: tuple[Any, ...], to: Any) -> dict[str, Any]:
    """A copy of `value` with `to` at `path`; missing objects and rows on the way are made."""
    made = copy.deepcopy(value)
    at: Any = made
    for step, following in pairwise(path):
        inner: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int):
            if not at:
                at.append(inner)
        elif not isinstance(at.get(step), type(inner)):
            at[step] = inner
        at = at[step]
    if isinstance(path[-1], int):
        at[:] = [to]
    else:
        at[path[-1]] = to
    return made


def pointer(path: tuple[Any, ...]) -> str:
    return "/payload/" + "/".join(map(str, path))


def names_the_field(result: dict[str, Any], path: str) -> bool:
    """Whether an error of a refused operation points at `path`, below it, or at what holds it."""
    found = [error["pointer"] for error in result.get("errors", [])]
    return any(at == path or at.startswith(path + "/") or path.startswith(at + "/") for at in found)


def in_chinese(result: dict[str, Any]) -> bool:
    said = [result.get("detail", ""), *(error["message"] for error in result.get("errors", []))]
    return all(CHINESE.match(text) for text in said) and not INSIDES.search(str(said))


def counts(app: Flask) -> dict[str, int]:
    """Rows of every table that holds what people did; audit and throttle lines may grow."""
    grows = {"audit_lines", "throttles", "devices", "login_sessions"}
    with app.app_context():
        found = {
            table.name: db.session.execute(db.select(db.func.count()).select_from(table)).scalar_one()
            for table in db.metadata.sorted_tables
            if table.name not in grows
        }
        db.session.rollback()
        return found


class Names(HTMLParser):
    """The names of all controls of a page's forms that post to `action`, with their first values."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._open: dict[str, str] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method") == "post":
            self._open = self.found.setdefault(given.get("action", ""), {})
        elif (
            self._open is not None and tag in ("input", "select", "textarea", "button") and given.get("name")
        ):
            self._open.setdefault(given["name"], given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


class Loose(HTMLParser):
    """What a page must not have: a script, handler or element that came from somebody's text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.bad: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and "src" not in given and given.get("type") != "application/json":
            self.bad.append("inline script")
        if any(name.startswith("on") for name in given) or "style" in given:
            self.bad.append(f"handler or style on {tag}")
        if any(
            (given.get(name) or "").strip().lower().startswith("javascript:")
            for name in ("href", "src", "action")
        ):
            self.bad.append(f"javascript: address on {tag}")
        if tag in ("img", "iframe", "object", "embed") and given.get("src") == "x":
            self.bad.append(f"injected {tag}")
