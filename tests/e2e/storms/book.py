"""The books of a storm: what somebody was told is saved, what the phone holds, what the server holds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page

from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import send_all
from tests.e2e.world import Server

# Through the page's own module: what is stored is its own business.
RECORDS = """async (author) => {
  const outbox = await import('/static/js/offline/outbox.js');
  const found = await outbox.all(author);
  return found.map(({op_id, kind, state, tries, payload = {}}) => ({op_id, kind, state, tries, payload}));
}"""


def records(page: Page, author: str) -> list[dict[str, Any]]:
    """Every record of this author on the phone, in the order it was made."""
    return page.evaluate(RECORDS, author)


def find(page: Page, author: str, mark: str) -> dict[str, Any]:
    """The one record on the phone that bears this mark."""
    [found] = [record for record in records(page, author) if mark_of(record) == mark]
    return found


@dataclass
class Book:
    """Visits are known by their mark: a text in the note that no other visit has."""

    figures: Figures
    server: Server
    author: str
    promised: set[str] = field(default_factory=set)  # the screen, or add(), said: 已保存在本机
    tried: set[str] = field(default_factory=set)  # may be there, may be not: nobody was told
    payloads: dict[str, Any] = field(default_factory=dict)  # as first seen on the phone
    lost: set[str] = field(default_factory=set)
    phone: str = ""  # how the marks of the phone begin that is looked at; with several phones in one book

    def promise(self, *marks: str) -> None:
        self.promised.update(marks)
        self.tried.update(marks)
        self.figures.saved = len(self.promised)

    def look(self, page: Page) -> list[dict[str, Any]]:
        """Read the phone. Everything promised on it must be there, and nothing may say more than is true."""
        found = records(page, self.author)
        marks = [mark_of(record) for record in found]
        for record, mark in zip(found, marks, strict=True):
            if not record["payload"]:
                self.figures.blame("wrong_states", f"{record['op_id']} cannot be read")
            self.payloads.setdefault(mark, record["payload"])
        for mark in self.promised - set(marks) - self.lost:
            if not mark.startswith(self.phone):
                continue
            self.lost.add(mark)
            self.figures.blame("lost", f"{mark} is not on the phone")
        for mark in {mark for mark in marks if mark and marks.count(mark) > 1}:
            self.figures.blame("doubled", f"{mark} stands on the phone twice")
        self.judge_sent(found)
        return found

    def judge_sent(self, found: list[dict[str, Any]]) -> None:
        """What the phone calls sent, the server has, with this very content. Asked after the phone was."""
        there = self.arrived()
        for record in found:
            if not record["kind"].startswith("visit."):
                continue
            if record["state"] == "done" and there.get(record["op_id"]) != record["payload"]:
                self.figures.blame("wrong_states", f"{mark_of(record)} is called sent")

    def arrived(self) -> dict[str, dict[str, Any]]:
        """The content of every operation about visits that the server has from this author."""
        rows = self.server.rows(
            "SELECT op_id, payload FROM revisions WHERE kind LIKE 'visit.%' AND author_id = ?", self.author
        )
        return {op_id: json.loads(payload) for op_id, payload in rows}

    def unsent(self) -> list[str]:
        """What somebody was told is saved, and the server has not got yet."""
        return sorted(self.promised - self.lost - {note_of(payload) for payload in self.arrived().values()})

    def send_all(self, page: Page) -> None:
        """With an open line everything goes, and then the phone is read once more."""
        for _ in range(send_all(page, self.author)):
            self.figures.blame("wrong_states", "it still waits, although the line is open")
        self.look(page)

    def close(self) -> Figures:
        """At the end, when all was sent: each promised visit is on the server once, as it was written."""
        copies: dict[str, list[dict[str, Any]]] = {}
        for payload in self.arrived().values():
            copies.setdefault(note_of(payload), []).append(payload)
        for mark in sorted(self.tried):
            found = copies.get(mark, [])
            if not found and mark in self.promised and mark not in self.lost:
                self.figures.blame("lost", f"{mark} is not on the server")
            if len(found) > 1:
                self.figures.blame("doubled", f"{mark} is on the server {len(found)} times")
            if found and mark in self.payloads and found[0] != self.payloads[mark]:
                self.figures.blame("changed", f"{mark}: {self.payloads[mark]} became {found[0]}")
            self.figures.sent += mark in self.promised and len(found) == 1
        return self.figures


def mark_of(record: dict[str, Any]) -> str:
    return note_of(record["payload"])


def note_of(payload: dict[str, Any]) -> str:
    return str(payload.get("answers", {}).get("note", ""))
