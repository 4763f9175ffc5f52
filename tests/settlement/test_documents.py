"""A deduction has the number of its document, and is taken once from a hospital and pool."""

from __future__ import annotations

from pathlib import Path

import pytest

from grouper.base.errors import DataError
from grouper.commands.text.ledger import month_summary
from grouper.lake import Lake
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.show import statement_of, write_statement
from grouper.settlement.year import clear_year

from . import settle_support as support

ONE, TWO = "H33990100001", "H33990100002"


@pytest.fixture(scope="module")
def place() -> Path:
    return support.city(900, 0.03, (4, 5, 6))


def _line(
    hospital: str = ONE, document: str = "医监〔2025〕7号", amount: str = "100.00", **more: str
) -> dict[str, str]:
    return {"kind": "audit_deduction", "hospital_code": hospital, "pool": "employee", "amount": amount,
            "document": document, **more}  # fmt: skip


def _file(path: Path, *lines: dict[str, str]) -> tuple[str]:
    return (str(support.corrections(path, lines)),)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([_line(document="")], "row 2, column document: is missing"),
        (
            [_line(), _line(TWO), _line()],
            r"row 4, column document: document .*7号 deducts from .* already in c.csv, row 2",
        ),
    ],
)
def test_a_file_has_each_deduction_once_with_its_number(
    place: Path, tmp_path: Path, lines: list[dict[str, str]], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        support.settle(
            Lake(tmp_path / "lake"), place, "2025-04", corrections=_file(tmp_path / "c.csv", *lines)
        )


@pytest.mark.slow
def test_a_deduction_that_was_taken_is_refused_until_its_month_is_settled_again(
    place: Path, tmp_path: Path
) -> None:
    lake, area = Lake(tmp_path / "lake"), {"area": "yulin"}
    april = _file(tmp_path / "april.csv", _line(), _line(TWO))
    support.settle(lake, place, "2025-04", corrections=april, **area)
    again = _file(tmp_path / "again.csv", _line(ONE, "医监〔2025〕8号"), _line(TWO))
    with pytest.raises(
        DataError,
        match=rf"row 3, column document: .*7号 has been deducted from {TWO} in 2025-04 \(run 000001\)",
    ):
        support.settle(lake, place, "2025-05", corrections=again, **area)
    # the month itself takes them again, as its new run stands for the old one
    support.settle(lake, place, "2025-04", corrections=april, **area)
    assert replay(lake, "000002").same
    # the same document may name another pool or hospital, and without it in April May may take it
    support.settle(lake, place, "2025-04", **area)
    done = support.settle(lake, place, "2025-05", corrections=again, **area)
    assert done.adjustments["audit_deduction"] == 2
    job = YearJob("2025", str(place / "budget.toml"), "yulin", partial=True, held_remain=True,
                  corrections=_file(tmp_path / "year.csv", _line(TWO)))  # fmt: skip
    with pytest.raises(DataError, match="has been deducted from H33990100002 in 2025-05"):
        clear_year(lake, job, reports=False)


@pytest.mark.slow
def test_more_than_is_due_is_carried_and_said(place: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    told = _file(tmp_path / "c.csv", _line(amount="5000000.01"))
    done = support.settle(lake, place, "2025-04", corrections=told, area="yulin")
    carried = next(row["fen"] for row in done.record.rows["amounts"]
                   if row["name"] == "carried" and row["hospital_code"] == ONE and row["fen"])  # fmt: skip
    line = next(line for line in month_summary(done, "zh") if ONE in line)
    assert line == f"  {ONE}（职工） 扣减超过本期拨付，结转下期 {-carried / 100:,.2f} 元"
    assert any("carried to the next month" in line for line in month_summary(done, "en"))
    nxt = support.settle(lake, place, "2025-05", area="yulin")
    taken = {
        r["hospital_code"]: r["fen"]
        for r in nxt.record.rows["amounts"]
        if r["name"] == "carried_in" and r["fen"]
    }
    assert taken[ONE] == -carried


def test_the_statement_names_the_document(place: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    support.settle(lake, place, "2025-04", corrections=_file(tmp_path / "c.csv", _line()), area="yulin")
    assert [row["document"] for row in statement_of(lake, ONE)["adjustments"]] == ["医监〔2025〕7号"]
    page = next(
        path for path in write_statement(lake, "000001", ONE, tmp_path / "out") if path.suffix == ".html"
    )
    assert "医监〔2025〕7号" in page.read_text(encoding="utf-8")
