"""Statements go out with a form, come back as objections, and end as adjustments of the next month."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from click.testing import CliRunner

from grouper.base.errors import DataError, UsageError
from grouper.base.tables_in import read_sheets
from grouper.commands import cli
from grouper.lake import Lake
from grouper.settlement import objections as library
from grouper.settlement.audit import audit
from grouper.settlement.month import settle_month
from grouper.settlement.objections import Objection, decide, export, import_objections, listed
from grouper.settlement.sending import Sent, send_statements

from . import settle_support as support

AREA = {"area": "yulin", "who": "Li"}
HEAD = 3  # rows above the headings of a form


@pytest.fixture(scope="module")
def place() -> Path:
    return support.city(900, 0.03, (4, 5, 6))


@pytest.fixture(scope="module")
def sent(place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sent]:
    """A lake with April, whose statements were sent."""
    root = tmp_path_factory.mktemp("lake")
    support.settle(Lake(root / "lake"), place, "2025-04", **AREA)
    done = send_statements(Lake(root / "lake"), "2025-04", root / "out", who="Li", deadline="2025-05-20")
    return root / "lake", done


@pytest.fixture
def lake(sent: tuple[Path, Sent], tmp_path: Path) -> Lake:
    shutil.copytree(sent[0], tmp_path / "lake")
    return Lake(tmp_path / "lake")


@pytest.fixture
def cases(lake: Lake) -> list[dict[str, Any]]:
    """Paid cases of the hospital with most of them."""
    sql = (
        "SELECT * FROM cases_current WHERE pay_status = 'paid' AND hospital_code = (SELECT hospital_code "
        "FROM cases_current GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1) ORDER BY total_cost DESC, record_id"
    )
    return support.rows(lake, sql)


def _fill(form: Path, to: Path, *rows: tuple[str, ...], head: dict[int, str] | None = None) -> str:
    """The form as a hospital sends it back: with rows, and cells of the second row changed by ``head``."""
    ((name, sheet),) = read_sheets(form).items()
    with xlsxwriter.Workbook(to) as book:
        made = book.add_worksheet(name)
        for number, cells in enumerate([*sheet[: HEAD + 1], *map(list, rows)]):
            for column, text in enumerate(cells):
                text = (head or {}).get(column, text) if number == 1 else text
                made.write_string(number, column, text)
    return str(to)


@pytest.fixture
def form(sent: tuple[Path, Sent], cases: list[dict[str, Any]]) -> Path:
    return sent[1].folders[cases[0]["hospital_code"]] / "申诉表.xlsx"


def _row(
    case: dict[str, Any], reason: str = "特例单议", wish: str = "按项目支付", why: str = "合并症多"
) -> tuple[str, ...]:
    return (case["record_id"], reason, why, "病历 12 页", wish, "")


@pytest.fixture
def taken(lake: Lake, form: Path, cases: list[dict[str, Any]], tmp_path: Path) -> list[Objection]:
    path = _fill(form, tmp_path / "back.xlsx", _row(cases[0]), _row(cases[1], "再入院", "支付"),
                 _row(cases[2], "金额", "其他"),
                 ("", "扣款", "未重复收费", "", "其他", "1,000.50"))  # fmt: skip
    return import_objections(lake, [path], who="Zhang")


def test_each_hospital_gets_its_own_folder(sent: tuple[Path, Sent]) -> None:
    root, done = sent
    hospitals = support.rows(Lake(root), "SELECT DISTINCT hospital_code AS code FROM hospitals_current")
    assert done.folders.keys() == {row["code"] for row in hospitals}
    for code, folder in done.folders.items():
        names = {path.name for path in folder.iterdir()}
        assert names == {
            f"{code}.xlsx",
            f"{code}.html",
            f"{code}-cases.xlsx",
            "cases.csv",
            "adjustments.csv",
            "rejected.csv",
            "申诉表.xlsx",
        }
        lines = (folder / "cases.csv").read_text(encoding="utf-8-sig").splitlines()
        assert all(code in line for line in lines[1:]) and "person_id" not in lines[0]
    (form,) = {tuple(read_sheets(folder / "申诉表.xlsx")["申诉"][1][2:]) for folder in [done.folders[code]]}
    assert form == ("医院编码", code, "期间", "2025-04", "截止", "2025-05-20")[: len(form)]


@pytest.mark.slow
def test_the_same_statements_are_the_same_bytes(lake: Lake, sent: tuple[Path, Sent], tmp_path: Path) -> None:
    other = Lake(tmp_path / "other")
    shutil.copytree(lake.root, other.root)
    one, two = (send_statements(x, "2025-04", tmp_path / x.root.name / ".." / f"{x.root.name}-out", who="Li")
                for x in (lake, other))  # fmt: skip
    for code, folder in one.folders.items():
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
            p.name: p.read_bytes() for p in two.folders[code].iterdir()
        }


def test_objections_are_numbered_and_listed(taken: list[Objection], cases: list[dict[str, Any]]) -> None:
    assert [one.id for one in taken] == [f"2025-04-000003-{n:03d}" for n in (1, 2, 3, 4)]
    assert {one.hospital for one in taken} == {cases[0]["hospital_code"]}
    assert [(one.reason, one.wish, one.state) for one in taken] == [
        ("review", "by_item", "open"), ("readmission", "pay", "open"), ("amount", "other", "open"),
        ("deduction", "other", "open"),
    ]  # fmt: skip
    assert (taken[3].amount, taken[3].record_id, taken[0].deadline) == ("1000.50", "", "2025-05-20")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({1: "0" * 24}, "the token is not one that this lake sent to H"),
        ({3: "H33990100009"}, "the token is not one that this lake sent to H33990100009"),
        ({7: "2025-06-20"}, "row 2: the deadline is 2025-06-20, and was 2025-05-20 when it was sent"),
        ({7: ""}, "row 2: the deadline is blank, and was 2025-05-20"),
        ({5: "2025-05"}, "row 2: the period is 2025-05, and was 2025-04"),
    ],
)
def test_a_form_of_another_hospital_or_with_another_token_is_refused(
    lake: Lake, form: Path, cases: list[dict[str, Any]], tmp_path: Path, change: dict[int, str], message: str
) -> None:
    path = _fill(form, tmp_path / "back.xlsx", _row(cases[0]), head=change)
    with pytest.raises(DataError, match=message):
        import_objections(lake, [path], who="Zhang")
    assert not listed(lake)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("nobody", "分组", "x", "", "其他", ""), "row 5, column record_id: nobody is not in the statement"),
        (("", "分组", "x", "", "其他", ""), r"row 5, column record_id: \\(blank\\) is not in the statement"),
        (("CASE", "不满", "x", "", "其他", ""), "row 5, column reason: 不满 is none of group, outlier"),
        (("CASE", "分组", "x", "", "多付", ""), "row 5, column wish: 多付 is none of by item"),
        (("CASE", "分组", "", "", "其他", ""), "row 5, column text: why is not said"),
        (
            ("CASE", "分组", "x", "", "其他", "一百"),
            "row 5, column amount: .* (should be a number of at least 0|is no amount)",
        ),
    ],
)
def test_a_row_that_is_not_understood_refuses_its_file(
    lake: Lake, form: Path, cases: list[dict[str, Any]], tmp_path: Path, row: tuple[str, ...], message: str
) -> None:
    own = tuple(cases[0]["record_id"] if cell == "CASE" else cell for cell in row)
    path = _fill(form, tmp_path / "back.xlsx", own, _row(cases[1]))
    with pytest.raises(DataError, match=message.replace("\\\\", "\\")):
        import_objections(lake, [path], who="Zhang")
    assert not listed(lake)


def test_a_file_comes_once(lake: Lake, form: Path, cases: list[dict[str, Any]], tmp_path: Path) -> None:
    path = _fill(form, tmp_path / "back.xlsx", _row(cases[0]))
    import_objections(lake, [path], who="Zhang")
    with pytest.raises(DataError, match=r"the same objection of .* is there already \(2025-04-000003-001\)"):
        import_objections(lake, [path], who="Zhang")
    with pytest.raises(DataError, match="has no objection filled in"):
        import_objections(lake, [str(form)], who="Zhang")


def test_a_keyed_token_needs_its_key(lake: Lake, cases: list[dict[str, Any]], tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef", encoding="utf-8")
    key.chmod(0o600)
    done = send_statements(lake, "2025-04", tmp_path / "keyed", who="Li", key=str(key))
    form = done.folders[cases[0]["hospital_code"]] / "申诉表.xlsx"
    path = _fill(form, tmp_path / "back.xlsx", _row(cases[0]))
    with pytest.raises(DataError, match="or --key is another"):
        import_objections(lake, [path], who="Zhang")
    assert import_objections(lake, [path], who="Zhang", key=str(key))[0].state == "open"


@pytest.mark.slow
def test_decisions_become_adjustments_of_the_next_month(
    lake: Lake, place: Path, taken: list[Objection], tmp_path: Path
) -> None:
    one, two, three = (objection.id for objection in taken[:3])
    with pytest.raises(UsageError, match="no decision to export"):
        export(lake, tmp_path / "c.csv", who="Zhang")
    decide(lake, [{"id": one, "decision": "维持", "reason": "x"}], who="Zhao")
    rows = [
        {"id": one, "decision": "按项目支付", "reason": "属实", "clause": "第二十条"},
        {"id": two, "decision": "withdraw", "reason": "重报"},
        {"id": three, "decision": "维持", "reason": "已按规定"},
    ]  # fmt: skip
    decide(lake, rows, who="Zhao")
    assert [objection.state for objection in listed(lake)] == ["decided", "decided", "kept", "open"]
    ready = export(lake, tmp_path / "c.csv", who="Zhang")
    assert [objection.id for objection in ready] == [one, two]
    assert [objection.state for objection in listed(lake)][:2] == ["exported", "exported"]
    with pytest.raises(DataError, match=f"{one} is exported"):
        decide(lake, rows[:1], who="Zhao")
    done = support.settle(lake, place, "2025-05", corrections=(str(tmp_path / "c.csv"),), **AREA)
    found = {row["record_id"]: row for row in support.rows(lake, "SELECT * FROM adjustments_current")}
    own = found[taken[0].record_id]
    assert (
        own["kind"] == "special_review"
        and own["reason"] == f"申诉 {one}：属实"
        and own["clause"] == "第二十条"
    )
    assert found[taken[1].record_id]["kind"] == "withdrawal"
    after = listed(lake)
    assert [(x.state, x.settled_in) for x in after[:2]] == [("settled", "2025-05"), ("settled", "2025-05")]
    assert not audit(lake).findings
    # settled again without the file, they wait again
    support.settle(lake, place, "2025-05", **AREA)
    assert [objection.state for objection in listed(lake)][:2] == ["exported", "exported"]
    assert len(export(lake, tmp_path / "again.csv", who="Zhang", again=True)) == 2
    assert done.adjustments["special_review"] == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "2025-04-000003-009"}, "there is no objection"),
        ({"decision": "支付"}, "is none of keep, by item, adjust"),
        ({"decision": "adjust"}, "an adjustment has an amount or points"),
        ({"decision": "adjust", "amount": "1", "points": "2"}, "an adjustment has an amount or points"),
        ({"decision": "keep", "amount": "1"}, "an adjustment has an amount or points"),
        ({"decision": "adjust", "amount": "a"}, "is no amount"),
        ({"reason": ""}, "why it is decided so is not said"),
        ({"id": "2025-04-000003-004"}, "names no record to correct"),
    ],
)
def test_what_cannot_be_decided_is_refused(
    lake: Lake, taken: list[Objection], row: dict[str, str], message: str
) -> None:
    own = {"id": taken[0].id, "decision": "by_item", "reason": "x"} | row
    with pytest.raises(DataError, match=message):
        decide(lake, [own], who="Zhao")


@pytest.mark.slow
def test_the_commands_and_the_report_tell_what_is_open(
    lake: Lake, place: Path, form: Path, cases: list[dict[str, Any]], tmp_path: Path
) -> None:
    def told(*words: str) -> str:
        done = CliRunner().invoke(cli, [*words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    root, back = str(lake.root), _fill(form, tmp_path / "back.xlsx", _row(cases[0]), _row(cases[1]))
    assert "申诉截止 2025-06-01" in told(
        "statements",
        "send",
        root,
        "--month",
        "2025-04",
        "--until",
        "2025-06-01",
        "--who",
        "李",
        "-o",
        str(tmp_path / "o"),
    )
    assert "2 件" in told("objections", "import", root, back, "--who", "张")
    table = tmp_path / "decisions.csv"
    one = listed(lake)[0].id
    table.write_text(f"id,decision,reason\n{one},按项目支付,属实\n", encoding="utf-8")
    assert "已决定，待导出" in told("objections", "decide", root, "--from", str(table), "--who", "赵")
    assert one not in told("objections", "list", root, "--open")
    assert one in told("objections", "list", root, "--month", "2025-04") and '"state": "open"' in told(
        "objections", "list", root, "--json"
    )
    told("objections", "export", root, "--who", "张", "-o", str(tmp_path / "c.csv"))
    assert "申诉 2025-04：2 件（截止 2025-06-01，待处理 1，已导出，待入账 1）" in told("status", root)
    job = support.job(place, "2025-05", corrections=(str(tmp_path / "c.csv"),), **AREA)
    done = settle_month(lake, job)
    assert done.report is not None
    page = (done.report / "report.html").read_text(encoding="utf-8")
    assert "申诉截止" in page and "待处理" in page
    assert library.as_json(listed(lake)[0])["settled_in"] == "2025-05"
