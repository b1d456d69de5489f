from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from openpyxl import Workbook
from sqlalchemy import select

from app.extensions import db
from app.patients import roster_cells as cells
from app.patients.models import Patient
from app.patients.roster_cells import BadCell
from app.sync.models import Revision
from tests.factories import OTHER_TOWN, OTHER_VILLAGE, VILLAGE, Factory, an_id_card

HEAD = ["姓名", "身份证号", "电话", "村（社区）", "住址", "疾病", "独居", "知情同意日期"]
GOOD = ["张秀兰", an_id_card(1), "13900001234", "向阳村", "3 号", "高血压、糖尿病", "是", "2026-03-01"]


def a_csv(folder: Path, *rows: list[str], encoding: str = "utf-8-sig", head: list[str] = HEAD) -> str:
    path = folder / "roster.csv"
    path.write_text("\n".join(",".join(row) for row in [head, *rows]) + "\n", encoding=encoding)
    return str(path)


def an_xlsx(folder: Path, *rows: list[object], head: list[str] = HEAD) -> str:
    book = Workbook()
    book.active.append(head)
    for row in rows:
        book.active.append(row)
    path = folder / "roster.xlsx"
    book.save(path)
    return str(path)


@pytest.fixture
def bring(app: Flask, make: Factory):
    """Run the command as a doctor of 西集镇; gives (exit code, what it printed)."""
    doctor = make.user("doctor")

    def run(path: str, *options: str, who: str = doctor) -> tuple[int, str]:
        done = app.test_cli_runner().invoke(args=["patients", "import", path, "--as", who, *options])
        return done.exit_code, done.output

    return run


def registered(app: Flask) -> list[Patient]:
    with app.app_context():
        return list(db.session.scalars(select(Patient).order_by(Patient.id)))


def test_everybody_on_the_roster_is_registered_with_a_place_in_the_feed(app, bring, tmp_path):
    code, said = bring(a_csv(tmp_path, GOOD))
    assert (code, "已导入 1 人" in said) == (0, True), said
    [patient] = registered(app)
    assert (patient.name, patient.village_code, patient.conditions) == (
        "张秀兰",
        "370406102101",
        ["hypertension", "diabetes_t2"],
    )
    assert patient.lives_alone is True
    with app.app_context():
        revision = db.session.scalars(select(Revision)).one()
        assert (revision.kind, revision.entity_id) == ("patient.create", patient.id)
        assert GOOD[1] not in revision.payload


def test_a_dry_run_counts_and_writes_nothing(app, bring, tmp_path):
    code, said = bring(a_csv(tmp_path, GOOD), "--dry-run")
    assert (code, "可以导入 1 人" in said, registered(app)) == (0, True, [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_spreadsheets_saved_the_chinese_way_are_read(app, bring, tmp_path, encoding):
    assert bring(a_csv(tmp_path, GOOD, encoding=encoding))[0] == 0
    assert registered(app)[0].name == "张秀兰"


def test_an_excel_file_with_typed_cells_is_read(app, bring, tmp_path):
    row = ["李福来", an_id_card(2), 13900001235, "向阳村", None, "无", "否", date(2026, 3, 1)]
    code, said = bring(an_xlsx(tmp_path, row))
    assert code == 0, said
    [patient] = registered(app)
    assert (patient.phone, patient.conditions, patient.lives_alone) == ("13900001235", [], False)


def test_each_wrong_cell_is_told_by_row_and_column_and_the_other_rows_go_in(app, bring, tmp_path):
    bad = ["", "370406195001010014", "123", "火星村", "", "想不起来", "可能", "昨天"]
    code, said = bring(a_csv(tmp_path, bad, GOOD))
    assert code == 1
    for words in (
        "第 2 行 姓名：必填",
        "第 2 行 村（社区）",
        "第 2 行 疾病",
        "第 2 行 独居",
        "第 2 行 知情同意日期",
    ):
        assert words in said
    assert "已导入 1 人，重复 0 行，有误 1 行" in said
    assert "370406195001010014" not in said


def test_wrong_identity_number_and_phone_are_told_in_the_words_of_the_form(bring, tmp_path):
    code, said = bring(a_csv(tmp_path, ["王平安", "370406195001010014", "123", "向阳村", "", "", "", ""]))
    assert code == 1
    assert "第 2 行 身份证号：身份证号校验位不对" in said
    assert "第 2 行 电话：电话应为 11 位手机号" in said


def test_nobody_is_registered_twice(app, bring, tmp_path):
    assert bring(a_csv(tmp_path, GOOD, GOOD))[0] == 0
    code, said = bring(a_csv(tmp_path, GOOD, GOOD))
    assert (code, len(registered(app))) == (0, 1)
    assert "第 2 行 身份证号：已有档案" in said and "第 3 行 身份证号：与第 2 行相同" in said


def test_a_number_that_excel_rounded_is_refused(bring, tmp_path):
    row = ["李福来", 370406195001010013, "13900001235", "向阳村", "", "", "", ""]
    code, said = bring(an_xlsx(tmp_path, row))
    assert code == 1 and "第 2 行 身份证号：被 Excel 当成数字" in said


def test_formulas_are_not_evaluated(app, bring, tmp_path):
    row = ['=HYPERLINK("http://example.org","李")', an_id_card(3), "13900001235", "向阳村", "", "", "", ""]
    code, said = bring(an_xlsx(tmp_path, row))
    assert (code, registered(app)) == (1, [])
    assert "第 2 行 姓名：是公式" in said


def test_headings_go_by_their_other_names(app, bring, tmp_path):
    head = [
        "序号",
        "居民姓名*",
        "公民身份号码",
        "联系电话",
        "村",
        "家庭住址",
        "慢性病",
        "是否独居",
        "签署日期",
    ]
    assert bring(a_csv(tmp_path, ["1", *GOOD], head=head))[0] == 0
    assert registered(app)[0].address == "3 号"


def test_a_file_without_the_needed_columns_stops_with_one_line(bring, tmp_path):
    code, said = bring(a_csv(tmp_path, ["张秀兰"], head=["姓名"]))
    assert code == 1 and "第一行缺少列：身份证号、电话、村（社区）" in said


def test_what_is_no_spreadsheet_is_refused(bring, tmp_path):
    path = tmp_path / "roster.xlsx"
    path.write_bytes(b"PK\x03\x04 not really")
    assert "不是有效的 Excel 文件" in bring(str(path))[1]


def test_a_doctor_cannot_register_people_of_another_town(app, bring, tmp_path):
    row = [*GOOD[:3], "听泉村", *GOOD[4:]]
    code, said = bring(a_csv(tmp_path, row))
    assert (code, registered(app)) == (1, []) and "不在导入人负责的村（社区）里" in said


def test_only_those_who_may_register_patients_import(bring, make, tmp_path):
    code, said = bring(a_csv(tmp_path, GOOD), who=make.user("dispatcher"))
    assert code == 1 and "does not register patients" in said


@pytest.mark.parametrize(
    "written", ["2026-03-01", "2026/3/1", "2026.3.1", "2026年3月1日", "20260301", " 2026-3-1 "]
)
def test_dates_are_read_as_people_write_them(written):
    assert cells.day(written) == "2026-03-01T00:00:00+08:00"


@pytest.mark.parametrize("written", ["2026-02-30", "3月1日", "soon", "1.5"])
def test_days_that_do_not_exist_are_refused(written):
    with pytest.raises(BadCell):
        cells.day(written)


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        (None, None),
        ("", None),
        ("无", []),
        ("高血压，2型糖尿病", ["hypertension", "diabetes_t2"]),
        ("中风/慢阻肺", ["stroke", "copd"]),
    ],
)
def test_illnesses_are_read_as_people_say_them(written, codes):
    assert cells.conditions(written) == codes


def test_without_a_name_each_village_is_registered_by_its_own_team(app, make, tmp_path):
    ours = make.user("doctor")
    theirs = make.user("doctor", place_code=OTHER_TOWN)
    here = ["演示甲", an_id_card(31), "13900001111", VILLAGE]
    there = ["演示乙", an_id_card(32), "13900001112", OTHER_VILLAGE]
    file = a_csv(tmp_path, here, there, head=HEAD[:4])
    done = app.test_cli_runner().invoke(args=["patients", "import", file])
    assert done.exit_code == 0, done.output
    with app.app_context():
        registered = db.session.execute(
            select(Patient.name, Revision.author_id).join(Revision, Revision.entity_id == Patient.id)
        ).all()
    assert set(map(tuple, registered)) == {("演示甲", make.user_id(ours)), ("演示乙", make.user_id(theirs))}
