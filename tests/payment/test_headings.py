"""Small tables may have Chinese headings, in every encoding and as workbooks."""

from __future__ import annotations

from pathlib import Path

import pytest
import xlsxwriter

from grouper.base.errors import DataError
from grouper.base.tables_in import read_table
from grouper.payment.packages.sheets import read_lines
from grouper.payment.pool.budget import read_budget
from grouper.payment.price.decisions import decisions
from grouper.payment.price.hospital_table import read_hospitals
from grouper.records.headings import headings
from grouper.settlement.corrections import read_corrections, read_decisions

FORMS = ("utf-8", "utf-8-sig", "gb18030", "xlsx")


def written(folder: Path, form: str, *rows: str) -> str:
    """A table of rows whose cells are joined by commas."""
    path = folder / ("table.xlsx" if form == "xlsx" else "table.csv")
    if form != "xlsx":
        path.write_text("\n".join(rows) + "\n", encoding=form)
        return str(path)
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet("表")
        for number, row in enumerate(rows):
            for column, cell in enumerate(row.split(",")):
                page.write_string(number, column, cell)
    return str(path)


@pytest.mark.parametrize("form", FORMS)
def test_hospitals(tmp_path: Path, form: str) -> None:
    path = written(tmp_path, form, "定点医药机构编号,机构名称,医院等级,机构系数", "H1,一院,三级甲等,1.02")
    columns = ("hospital_code", "hospital_name", "hospital_level", "hospital_coefficient")
    ((row,), given) = read_hospitals(path, columns, ())
    assert row == dict(zip(columns, ("H1", "一院", "3", "1.02"), strict=True)) and given == list(columns)


@pytest.mark.parametrize("form", FORMS)
def test_decisions(tmp_path: Path, form: str) -> None:
    path = written(tmp_path, form, "记录号,特例单议,特例单议金额,理由", "a,调整,9000,会议纪要")
    (found,), given = decisions(path)
    assert found.values == {"special_review": "adjust", "special_review_amount": "9000"}
    assert given == ["special_review", "special_review_amount"]


@pytest.mark.parametrize("form", FORMS)
def test_corrections(tmp_path: Path, form: str) -> None:
    rows = (
        "更正类型,结算编号,医院编码,基金池,金额,得分,条款,文号",
        "撤销,S1,,,,,第八条,",
        "稽核扣款,,H1,职工,12.5,,,医保稽〔2025〕1号",
        "考核得分,,H1,,,92,,",
    )
    found = read_corrections([written(tmp_path, form, *rows)], ("employee", "resident"))
    assert [(i.kind, i.id, i.hospital, i.pool, i.amount_fen, i.score) for i in found.items] == [
        ("withdrawal", "S1", "", "*", 0, ""),
        ("audit_deduction", "", "H1", "employee", 1250, ""),
        ("quality", "", "H1", "*", 0, "92"),
    ]


def test_a_kind_that_nobody_knows_is_told_with_the_words(tmp_path: Path) -> None:
    path = written(tmp_path, "utf-8", "更正类型,结算编号", "退掉,S1")
    with pytest.raises(DataError, match=r"row 2, column kind: '退掉' is not one of withdrawal 撤销、"):
        read_corrections([path], ())


@pytest.mark.parametrize("form", FORMS)
def test_hospitals_of_a_budget(tmp_path: Path, form: str) -> None:
    name = Path(written(tmp_path, form, "机构编码,基金池,已预拨,月均应付", "H1,p,100.5,20")).name
    (tmp_path / "b.toml").write_text(
        f'period = "2025"\nhospitals = "{name}"\n[pools.p]\nbudget = "1"\n', encoding="utf-8"
    )
    (entry,) = read_budget(tmp_path / "b.toml").hospitals.values()
    assert (entry.prepaid, entry.advance_base) == (10_050, 2_000)


@pytest.mark.parametrize("form", FORMS)
def test_packages(tmp_path: Path, form: str) -> None:
    path = written(tmp_path, form, "机构,包干项目,人数,实际支出", "H1,门诊,120,35.5")
    (line,) = read_lines(path, ("institution", "package", "heads", "actual"))
    assert (line.text("institution"), line.count("heads"), line.fen("actual")) == ("H1", 120, 3_550)


def test_two_headings_of_one_column_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "utf-8", "医院编码,hospital_code", "H1,H1")
    with pytest.raises(DataError, match="hospital_code"):
        read_table(path, headings=headings(), kind=DataError)


@pytest.mark.parametrize("form", FORMS)
def test_decisions_in_the_words_of_the_papers(tmp_path: Path, form: str) -> None:
    path = written(
        tmp_path, form, "结算编号,特例单议,评审金额,评审点数,事由,文号", "S1,调整,9000,,会议纪要,纪要1号"
    )
    (found,), given = decisions(path)
    assert found.record_id == "S1" and given == [
        "special_review",
        "special_review_amount",
        "special_review_points",
    ]
    (item,) = read_decisions(path)
    assert (item.id, item.reason, item.clause) == ("S1", "会议纪要", "纪要1号")


def test_an_unknown_column_lists_those_that_are_known(tmp_path: Path) -> None:
    path = written(tmp_path, "utf-8", "记录号,特例单议,备考", "a,维持,x")
    with pytest.raises(
        DataError, match=r"备考: unknown column; known are .*特例单议 special_review, .*原因 reason"
    ):
        decisions(path)
    with pytest.raises(DataError, match="lacks the column record_id"):
        decisions(written(tmp_path, "utf-8", "特例单议", "维持"))


@pytest.mark.parametrize("kind", ["种类", "类型", "决定种类", "更正种类", "kind"])
def test_words_for_the_kind_of_a_correction(tmp_path: Path, kind: str) -> None:
    found = read_corrections([written(tmp_path, "utf-8", f"{kind},结算ID,事由", "撤销,S1,工伤")], ())
    assert [(item.kind, item.id, item.reason) for item in found.items] == [("withdrawal", "S1", "工伤")]


def test_corrections_without_their_kind_are_no_settlement_lists(tmp_path: Path) -> None:
    path = written(tmp_path, "utf-8", "医院编码,基金池,金额,事由,文号", "H1,职工,12.5,串换,1号")
    with pytest.raises(DataError, match=r"lacks the column kind \(更正种类\).*稽核扣款"):
        read_corrections([path], ("employee",))
    lists = written(tmp_path, "utf-8", "结算ID,类型,性别,主要诊断编码,统筹支付,金额", "S1,1,1,I10.x00,1,1")
    assert read_corrections([lists], ()).lists == [lists]
