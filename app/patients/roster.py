"""The roster of a township (花名册) as a spreadsheet: read, check, register row by row.

Every row becomes a patient.create operation, judged by the same rules as one from a phone. A row that is
wrong or already known is told with its number and column and leaves the others alone, so the same file can
be mended and given again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import select

from app.accounts.models import User
from app.errors import from_marshmallow
from app.extensions import db
from app.orgs import service as orgs
from app.patients import identity, roster_cells, scope
from app.patients.models import Patient
from app.patients.roster_cells import COLUMNS, BadCell
from app.patients.schema import PatientCreate
from app.shared import clock, progress, secretbox
from app.shared.ids import new_id
from app.sync import service as sync

MOST_ROWS = 20_000
MOST_BYTES = 30_000_000
BATCH = 50  # rows a transaction: others can write in between
Row = tuple[int, dict[str, Any]]


class UnreadableFile(Exception):
    """The file as a whole cannot be used; the text says why, in Chinese."""


@dataclass
class Report:
    """`errors` and `duplicates` are lines for a person; nothing of an identity number is in them."""

    rows: int = 0
    good: int = 0
    errors: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)


def bring_in(path: Path, authors: list[User], *, dry_run: bool) -> Report:
    """Register everybody in the file, each by the first of `authors` who looks after that village.

    Commits in batches; a dry run writes nothing. Raises UnreadableFile.
    """
    report = Report()
    villages = _Villages(authors)
    seen: dict[str, int] = {}
    waiting: list[tuple[int, dict[str, Any]]] = []
    lines = list(read(path))  # all of it is readable before anything is written
    for number, cells in lines:
        report.rows += 1
        payload = _checked(number, cells, villages, report)
        if payload is None or _is_known(number, payload, seen, report):
            continue
        waiting.append((number, payload))
        if len(waiting) == BATCH:
            _register(waiting, villages, report, dry_run=dry_run)
            waiting = []
            progress.step("导入", report.rows, len(lines))
    _register(waiting, villages, report, dry_run=dry_run)
    progress.step("导入", report.rows, len(lines))
    return report


def read(path: Path) -> Iterator[Row]:
    """(row number as the spreadsheet shows it, column key -> cell) of every row that is not blank."""
    if path.stat().st_size > MOST_BYTES:
        raise UnreadableFile(f"文件超过 {MOST_BYTES // 1_000_000} MB，请分成几个文件")
    kind = path.suffix.lower()
    if kind not in (".xlsx", ".csv"):
        raise UnreadableFile("只能导入 .xlsx 或 .csv 文件")
    lines = _xlsx(path) if kind == ".xlsx" else _csv(path)
    names: dict[int, str] = {}
    count = 0
    for number, line in lines:
        if all(cell is None or not str(cell).strip() for cell in line):
            continue
        if not names:
            names = _headers(line)
            continue
        count += 1
        if count > MOST_ROWS:
            raise UnreadableFile(f"超过 {MOST_ROWS} 行，请分成几个文件")
        yield number, {key: line[place] for place, key in names.items() if place < len(line)}
    if not names:
        raise UnreadableFile("文件里没有内容")


def _xlsx(path: Path) -> Iterator[tuple[int, list[Any]]]:
    from openpyxl import load_workbook  # the web server never needs it

    try:
        book = load_workbook(path, read_only=True, data_only=False)
        sheet = book.worksheets[0]
    except Exception as error:
        raise UnreadableFile("不是有效的 Excel 文件，请另存为 .xlsx 再试") from error
    try:
        for number, line in enumerate(sheet.iter_rows(values_only=True), 1):
            yield number, list(line)
    finally:
        book.close()


def _csv(path: Path) -> Iterator[tuple[int, list[Any]]]:
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise UnreadableFile("认不出文件的编码，请另存为 UTF-8 或 GB18030")
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text), delimiter="\t" if "\t" in first else ",")
    try:
        for line in reader:
            yield reader.line_num, list(line)
    except csv.Error as error:
        raise UnreadableFile(f"第 {reader.line_num} 行不是有效的 CSV") from error


def _headers(line: list[Any]) -> dict[int, str]:
    found: dict[int, str] = {}
    for place, cell in enumerate(line):
        key = roster_cells.column(cell)
        if key is not None and key in found.values():
            raise UnreadableFile(f"列“{COLUMNS[key].title}”出现了两次")
        if key is not None:
            found[place] = key
    absent = [
        column.title for key, column in COLUMNS.items() if column.required and key not in found.values()
    ]
    if absent:
        raise UnreadableFile(f"第一行缺少列：{'、'.join(absent)}")
    return found


class _Villages:
    """Villages in which one of `authors` may register people, by code and by name."""

    def __init__(self, authors: list[User]) -> None:
        self.names: dict[str, str] = {}
        self.authors: dict[str, User] = {}
        for author in authors:
            for village in orgs.villages_of((author.place_code or "")[:9]):
                if village.code not in self.authors and scope.may_place(author, village.code):
                    self.names[village.code], self.authors[village.code] = village.name, author

    def code(self, text: str) -> str:
        matching = [code for code, name in self.names.items() if text in (code, name)]
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise BadCell(f"有几个“{text}”，请写 12 位代码")
        raise BadCell(f"“{text}”不在导入人负责的村（社区）里")


def _checked(
    number: int, cells: dict[str, Any], villages: _Villages, report: Report
) -> dict[str, Any] | None:
    """The payload of a row; None when something is wrong, which is then in the report."""
    payload: dict[str, Any] = {}
    wrong: list[str] = []
    for key, column in COLUMNS.items():
        try:
            value = column.read(cells.get(key))
            if value is None and column.required:
                raise BadCell("必填")
            if value is not None:
                payload[column.field] = villages.code(value) if key == "village" else value
        except BadCell as error:
            wrong.append(f"第 {number} 行 {column.title}：{error}")
    if not wrong:
        try:
            PatientCreate().load(payload)
        except ValidationError as error:
            wrong = [_line(number, found) for found in from_marshmallow(error)]
    report.errors += wrong
    return None if wrong else payload


def _line(number: int, error: Any) -> str:
    name = error["pointer"].removeprefix("/payload").strip("/").split("/")[0]
    title = next((column.title for column in COLUMNS.values() if column.field == name), "")
    return f"第 {number} 行 {title}：{error['message']}" if title else f"第 {number} 行：{error['message']}"


def _is_known(number: int, payload: dict[str, Any], seen: dict[str, int], report: Report) -> bool:
    card = identity.parse_id_card(payload["id_card"], clock.today())
    index = secretbox.blind_index(card.number)
    if index in seen:
        report.duplicates.append(f"第 {number} 行 身份证号：与第 {seen[index]} 行相同，跳过")
        return True
    seen[index] = number
    if db.session.scalar(select(Patient.id).where(Patient.id_card_index == index)) is not None:
        report.duplicates.append(f"第 {number} 行 身份证号：已有档案，跳过")
        return True
    return False


def _register(
    rows: list[tuple[int, dict[str, Any]]], villages: _Villages, report: Report, *, dry_run: bool
) -> None:
    if dry_run or not rows:
        report.good += len(rows)
        return
    by_author: dict[User, list[tuple[int, dict[str, Any]]]] = {}
    for row in rows:
        by_author.setdefault(villages.authors[row[1]["village_id"]], []).append(row)
    for author, own in by_author.items():
        _push(own, author, report)


def _push(rows: list[tuple[int, dict[str, Any]]], author: User, report: Report) -> None:
    now = clock.now()
    recorded_at = clock.local(now).isoformat(timespec="seconds")
    ops = [
        {
            "op_id": new_id(),
            "device_id": "roster-import",
            "author_id": author.id,
            "kind": "patient.create",
            "recorded_at": recorded_at,
            "payload": payload,
        }
        for _, payload in rows
    ]
    for (number, _), result in zip(rows, sync.push(author, ops, now), strict=True):
        if result["status"] == "applied":
            report.good += 1
        elif errors := result.get("errors"):
            report.errors += [_line(number, error) for error in errors]
        else:
            report.errors.append(f"第 {number} 行：{result['detail']}")
