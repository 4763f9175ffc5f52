"""A session of special reviews: candidates and quota as pricing has them, and decisions that it takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from click.testing import CliRunner

from grouper.base.errors import DataError, UsageError
from grouper.base.tables_in import read_sheets
from grouper.commands import cli
from grouper.lake import Lake
from grouper.report.review_book import COLUMNS, write_session
from grouper.settlement.month import settle_month
from grouper.settlement.reviews import Session, of_file, of_lake, take_back

from . import settle_support as support

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

AREA = {"area": "yulin"}
HEAD = 3  # rows above the headings


@pytest.fixture(scope="module")
def place() -> Path:
    return support.city(1800, 0.03, (4, 5, 6))


@pytest.fixture(scope="module")
def lake(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = Lake(tmp_path_factory.mktemp("lake") / "lake")
    support.settle(made, place, "2025-04", **AREA)
    support.settle(made, place, "2025-05", **AREA)
    return made


@pytest.fixture(scope="module")
def session(lake: Lake) -> Session:
    return of_lake(lake, ["2025-04"])


def test_candidates_are_the_high_outliers_by_cost(lake: Lake, session: Session) -> None:
    rows = support.rows(
        lake,
        "SELECT record_id, area_cases FROM cases_effective WHERE month = 4 "
        "AND outlier IN ('high', 'extreme') "
        "AND method IN ('group', 'tcm', 'by_cost') ORDER BY cost_considered DESC, record_id",
    )
    assert [one.record_id for one in session.candidates] == [row["record_id"] for row in rows]
    assert [one.rank for one in session.candidates] == list(range(1, len(rows) + 1))
    (quota,) = session.quotas
    assert (quota.period, quota.hospital, quota.used) == ("2025-04", "", 0)
    assert quota.discharges == rows[0]["area_cases"] and quota.allowed == quota.discharges * 5 // 100 > 2
    assert sum(one.within for one in session.candidates) == quota.allowed == quota.left
    more = of_lake(lake, ["2025-04..2025-05"], ratio="0.01")
    assert [one.period for one in more.quotas] == ["2025-04", "2025-05"]
    assert len(more.candidates) > 5 * len(session.candidates)


def test_what_cannot_be_a_session_is_refused(lake: Lake, place: Path) -> None:
    with pytest.raises(UsageError, match="no valid settlement of 2025-06"):
        of_lake(lake, ["2025-05..2025-06"])
    for months, told in (([], "name the months"), (["2025"], "should be YYYY-MM")):
        with pytest.raises(UsageError, match=told):
            of_lake(lake, months)
    with pytest.raises(UsageError, match="should be a number above 0"):
        of_lake(lake, ["2025-04"], ratio="-1")
    with pytest.raises(UsageError, match="lacks the column outlier"):
        of_file(str(place / "2025-04.parquet"), "yulin")


def _decide(form: Path, to: Path, decisions: dict[str, dict[str, str]]) -> Path:
    """The record of a session as it comes back: cells of the columns that the session fills in, by record."""
    names, sheets = list(COLUMNS), read_sheets(form)
    with xlsxwriter.Workbook(to) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, cells in enumerate(rows):
                own = [*cells, *[""] * (len(names) - len(cells))]
                if name == "单议记录" and number > HEAD:
                    for column, text in decisions.get(own[names.index("record_id")], {}).items():
                        own[names.index(column)] = text
                for column, text in enumerate(own):
                    if text:
                        sheet.write_string(number, column, text)
    return to


@pytest.fixture
def form(session: Session, tmp_path: Path) -> Path:
    write_session(tmp_path / "session.xlsx", session.quotas, session.candidates, ("玉林市", "Yulin"), "zh")
    return tmp_path / "session.xlsx"


def test_the_record_has_what_a_session_needs(session: Session, form: Path, tmp_path: Path) -> None:
    sheets = read_sheets(form)
    rows = sheets["单议记录"]
    assert rows[0][0] == "玉林市特例单议记录 2025-04" and rows[HEAD][:3] == ["序号", "名额内", "期间"]
    assert len([row for row in rows[HEAD + 1 :] if row[0].isdigit()]) == len(session.candidates)
    assert any("专家组签名" in row for row in rows)
    quota = session.quotas[0]
    assert sheets["名额"][1][2:] == [
        str(quota.discharges),
        "50‰",
        str(quota.allowed),
        "0",
        str(quota.allowed),
    ]
    write_session(tmp_path / "again.xlsx", session.quotas, session.candidates, ("玉林市", "Yulin"), "zh")
    assert (tmp_path / "again.xlsx").read_bytes() == form.read_bytes()


@pytest.mark.slow
def test_decisions_are_taken_by_the_next_month(
    lake: Lake, place: Path, session: Session, form: Path, tmp_path: Path
) -> None:
    import shutil

    copy = Lake(tmp_path / "lake")
    shutil.copytree(lake.root, copy.root)
    one, two, three = (candidate.record_id for candidate in session.candidates[:3])
    back = _decide(form, tmp_path / "back.xlsx", {
        one: {"special_review": "按项目", "reason": "多学科救治", "clause": "第二十条"},
        two: {"special_review": "调整", "special_review_amount": "30000", "reason": "部分合理"},
        three: {"special_review": "维持", "reason": "超标准用药"},
    })  # fmt: skip
    done = take_back(session, back, tmp_path / "c.csv")
    assert len(done.rows) == 3 and not done.over
    support.settle(copy, place, "2025-06", corrections=(str(tmp_path / "c.csv"),), **AREA)
    found = {row["record_id"]: row for row in support.rows(
        copy, "SELECT * FROM cases_effective WHERE review_result IS NOT NULL")}  # fmt: skip
    taken = {name: row["review_result"] for name, row in found.items()}
    assert taken == {one: "taken", two: "taken"}  # what stays as it was makes no adjustment
    adjusted = {row["record_id"]: row for row in support.rows(copy, "SELECT * FROM adjustments_current")}
    assert (adjusted[one]["reason"], adjusted[one]["clause"]) == ("多学科救治", "第二十条")
    after = of_lake(copy, ["2025-04"])
    assert (after.quotas[0].used, after.quotas[0].left) == (2, session.quotas[0].allowed - 2)
    assert after.candidates[0].state("zh") == "按评审决定"


def test_more_than_the_quota_is_refused(session: Session, form: Path, tmp_path: Path) -> None:
    many = {one.record_id: {"special_review": "按项目", "reason": "x"} for one in session.candidates}
    number, allowed = len(many), session.quotas[0].allowed
    assert number > allowed
    back = _decide(form, tmp_path / "back.xlsx", many)
    with pytest.raises(DataError, match=rf"more than the quota \(2025-04 {number} > {allowed}\)"):
        take_back(session, back, tmp_path / "c.csv")
    assert not (tmp_path / "c.csv").exists()
    assert take_back(session, back, tmp_path / "c.csv", over_quota=True).over == [
        ("2025-04", "", number, allowed)
    ]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"special_review": "同意", "reason": "x"}, "special_review"),
        ({"reason": "x"}, "special_review: has no decision"),
        ({"special_review": "调整", "reason": "x"}, "adjust needs"),
        ({"special_review": "调整", "special_review_amount": "一万", "reason": "x"}, "special_review_amount"),
        (
            {"record_id": "nobody", "special_review": "按项目"},
            "nobody is no case that the session can review",
        ),
    ],
)
def test_what_is_not_understood_is_refused(
    session: Session, form: Path, tmp_path: Path, cells: dict[str, str], message: str
) -> None:
    back = _decide(form, tmp_path / "back.xlsx", {session.candidates[0].record_id: cells})
    with pytest.raises(DataError, match=message):
        take_back(session, back, tmp_path / "c.csv")


def test_a_file_of_pay_gives_decisions_for_pay(lake: Lake, session: Session, tmp_path: Path) -> None:
    (path,) = lake.root.glob("cases/**/month=04/**/*.parquet")
    own = of_file(str(path), "yulin")
    assert [one.record_id for one in own.candidates] == [one.record_id for one in session.candidates]
    assert own.quotas == session.quotas
    write_session(tmp_path / "s.xlsx", own.quotas, own.candidates, ("", ""), "zh")
    one = own.candidates[0].record_id
    back = _decide(
        tmp_path / "s.xlsx", tmp_path / "b.xlsx", {one: {"special_review": "by_item", "reason": "x"}}
    )
    take_back(own, back, tmp_path / "d.csv")
    head, line = (tmp_path / "d.csv").read_text(encoding="utf-8").splitlines()
    assert head.startswith("record_id,special_review,") and line.startswith(f"{one},by_item,")


def test_the_commands_and_the_report_tell_the_quota(
    lake: Lake, place: Path, session: Session, tmp_path: Path
) -> None:
    def told(*words: str) -> str:
        done = CliRunner().invoke(cli, [*words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    root, book = str(lake.root), str(tmp_path / "单议.xlsx")
    out = told("reviews", root, "--month", "2025-04", "-o", book)
    assert "统筹地区" in out and f"候选 {len(session.candidates)} 例" in out and "会议记录" in out
    one = session.candidates[0].record_id
    back = _decide(Path(book), tmp_path / "back.xlsx", {one: {"special_review": "按项目", "reason": "x"}})
    out = told("reviews", root, "--month", "2025-04", "--decided", str(back), "-o", str(tmp_path / "c.csv"))
    assert out == "单议 1 例：按项目 1\n"
    done = settle_month(Lake(tmp_path / "other"), support.job(place, "2025-04", **AREA))
    counts: list[dict[str, Any]] = [r for r in done.record.rows["counts"] if r["status"] == "review-quota"]
    quota = session.quotas[0]
    assert {row["reason"]: row["rows"] for row in counts} == {
        "allowed": quota.allowed, "discharges": quota.discharges, "used": 0
    }  # fmt: skip
    assert done.report is not None
    page = (done.report / "report.html").read_text(encoding="utf-8")
    assert f"本月名额 {quota.allowed} 例（按病种付费出院 {quota.discharges} 例），本月病例已用 0 例" in page
    assert json.loads(done.record.run["options_json"])["month"] == "2025-04"
