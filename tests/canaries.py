"""Texts that would do harm if a page took them for anything but text, and an eye for whether one did."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from itertools import count, cycle

SHAPES = (
    "<img src=x onerror=alert('{}')>", "\"><svg/onload=alert('{}')>", "' onmouseover=alert('{}') x='",
    "</script><script>{}</script>", "javascript:{}//", "{{{{7*7}}}}{{%{}%}}", "=HYPERLINK(\"//{}\")",
    "<!--{}-->", "</textarea><iframe src=//{}>", "@SUM({})", "http://{}.example/", "]]><{}/>",
    "&lt;{}&gt;&#39;", "-2+3+cmd|'{}'!A0",
    "</title><base href=//{}>", "+{}", "\\u003c{}\\u003e",
)  # fmt: skip
TOKEN = re.compile(r"zq[0-9]+z")
ADDRESSES = {
    "href",
    "src",
    "action",
    "formaction",
    "srcset",
    "data",
    "poster",
    "xlink:href",
    "srcdoc",
    "ping",
}
OF_A_PHONE = re.compile(r"/devices/[A-Za-z0-9_.~%-]+/revoke")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Canaries:
    """`plant("visit.create note")` makes a new one for that field; `planted` remembers which is whose."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}
        self._numbers, self._shapes = count(1), cycle(SHAPES)

    def plant(self, field: str, limit: int = 100) -> str:
        token = f"zq{next(self._numbers)}z"
        text = next(shaped for s in self._shapes if len(shaped := s.format(token)) <= limit)
        self.planted[token] = field
        return text


class Eye(HTMLParser):
    """`hits`: tokens that are markup, names of attributes, script, addresses; `seen`: those that are text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.hits: list[str] = []
        self.seen: set[str] = set()
        self._script: str | None = None
        self._words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if TOKEN.search(tag):
            self.hits.append(f"element {tag}")
        for name, value in attrs:
            if TOKEN.search(name):
                self.hits.append(f"attribute {name} of {tag}")
            elif tokens := TOKEN.findall(value or ""):
                if name == "action" and OF_A_PHONE.fullmatch(value or ""):
                    pass  # the one free text in an address, every sign of it encoded
                elif name in ADDRESSES or name.startswith("on") or name in ("style", "class", "id"):
                    self.hits.append(f"{name} of {tag}: {value}")
                self.seen.update(tokens)
        if tag in ("iframe", "object", "embed", "base") or (tag == "img" and given.get("src") == "x"):
            self.hits.append(f"injected {tag}")
        if tag == "script":
            self._script, self._words = given.get("type") or "code", []
        elif tag == "style":
            self._script, self._words = "style", []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style") and self._script is not None:
            words = "".join(self._words)
            if tokens := TOKEN.findall(words):
                if self._script != "application/json" or "<" in words:
                    self.hits.append(f"{self._script}: {words[:80]}")
                else:
                    json.loads(words)
                    self.seen.update(tokens)
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self._words.append(data)
        else:
            self.seen.update(TOKEN.findall(data))

    def handle_comment(self, data: str) -> None:
        if TOKEN.search(data):
            self.hits.append(f"comment {data[:80]}")


def calculates(table: bytes, kind: str) -> list[str]:
    """Cells of a CSV or XLSX file that a spreadsheet would calculate."""
    if kind == "csv":
        rows = csv.reader(io.StringIO(table.decode("utf-8-sig")))
        return [cell for row in rows for cell in row if cell.startswith(FORMULA) and not _number(cell)]
    from openpyxl import load_workbook

    cells = [c for sheet in load_workbook(io.BytesIO(table)) for row in sheet.iter_rows() for c in row]
    return [str(c.value) for c in cells if c.data_type == "f" or _starts(c.value)]


def _starts(value: object) -> bool:
    return isinstance(value, str) and value.startswith(FORMULA)


def _number(cell: str) -> bool:
    return bool(re.fullmatch(r"[+-]?[0-9.]+", cell))
